/* run -c FILE: the agent in the foreground, as init systems want it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config_file.h"
#include "daemon.h"
#include "kept.h"
#include "site.h"
#include "supervisor.h"
#include "verbs.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct run_arguments {
    const char *file;
    const char *socket_path; /* NULL: the configuration's */
    const char *state;       /* NULL: the default */
    bool alone;
    struct kept_place place; /* of the last known good configuration */
};

static const char help[] =
    "Runs the agent in the foreground, and starts it again when it crashes. Logs go to stderr,\n"
    "with journald's level prefixes under systemd.\n"
    "\n"
    "Options:\n"
    "  -c FILE          the configuration; - reads standard input. Not needed where one is\n"
    "                   compiled in\n"
    "  --socket PATH    the status socket, instead of the configuration's\n"
    "  --state DIR      where the last known good configuration is kept; the default is the last\n"
    "                   of $STATE_DIRECTORY, or " KEPT_FOLDER ". It must belong to who\n"
    "                   runs this, and nobody else may write there; without it memory has to do\n"
    "  --no-supervisor  one process alone: a crash is its end, and the init system's affair\n"
    "  --help\n"
    "\n"
    "Signals: SIGTERM and SIGINT push a last time and end (a second one ends at once). SIGHUP\n"
    "checks FILE again and restarts with it; a bad one is refused and the old one keeps running.\n"
    "\n"
    "A configuration that runs well for safe_time, and had a push accepted, is kept as the last\n"
    "known good one. A new one that cannot start, keeps crashing, or gets no push accepted for\n"
    "`rollback` ([watchdog]) is left for it; `status` says so, until SIGHUP with a mended file.\n"
    "\n"
    "Exit code: 0 ended by a signal, 1 could not start, or crashed when it was to stop, 2 wrong\n"
    "arguments or configuration, and none is kept that is good.\n";

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct run_arguments *arguments)
{
    static const struct option options[] = {{"socket", required_argument, NULL, 's'},
                                            {"state", required_argument, NULL, 'd'},
                                            {"no-supervisor", no_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int letter;
    opterr = 0; /* getopt would not name the program */
    while ((letter = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
        if (letter == 'h') {
            printf("Usage: %s run -c FILE\n\n%s", verbs_program(), help);
            return EXIT_CODE_OK;
        } else if (letter == 'c') {
            arguments->file = optarg;
        } else if (letter == 's') {
            arguments->socket_path = optarg;
        } else if (letter == 'd') {
            arguments->state = optarg;
        } else if (letter == 'n') {
            arguments->alone = true;
        } else {
            return verbs_option_error("run", argc, argv);
        }
    }
    if (!arguments->file) {
        arguments->file = site_default();
    }
    if (!arguments->file || optind != argc) {
        return verbs_usage_error("run", "give the configuration with -c FILE");
    }
    return -1;
}

/* Copies standard input into `fd`, as much as a configuration may have and a byte more, so that the
 * one who reads it sees that it is too large. */
static bool copy_input(int fd)
{
    char bytes[4096];
    for (size_t total = 0; total <= CONFIG_FILE_BYTES_MAX;) {
        ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
        if (count == 0) {
            return true;
        }
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 || write(fd, bytes, (size_t)count) != count) {
            return false;
        }
        total += (size_t)count;
    }
    return true;
}

/* Puts what standard input says into a file in memory in its place: each life of the agent reads it
 * from the beginning. It is sealed, since the agent has it too, and what it says is what a parent
 * with more rights does. */
static bool keep_input(void)
{
    int fd = memfd_create("picket-configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool good = fd >= 0 && copy_input(fd) && fcntl(fd, F_ADD_SEALS, SEALS) == 0 &&
                dup2(fd, STDIN_FILENO) == STDIN_FILENO;
    if (!good) {
        fprintf(stderr, "picket: error: standard input: %s\n", strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* Of this process: the parent reads none, each of its children does. */
static struct config config;

/* In the parent's checker, at SIGHUP. */
static bool check_file(void *context, const struct logger *logger)
{
    const struct run_arguments *arguments = context;
    return site_log_check(arguments->file, &config, logger);
}

/* One life of the agent. */
static enum supervised_end run_agent(void *context, struct supervised *supervised)
{
    const struct run_arguments *arguments = context;
    if (!kept_load(&arguments->place, supervised, arguments->file, &config)) {
        return SUPERVISED_BAD_CONFIG;
    }
    supervised_tell(supervised, &config);
    switch (daemon_run(arguments->file, &config, arguments->socket_path, supervised)) {
    case DAEMON_RELOAD:
        return SUPERVISED_RELOAD;
    case DAEMON_AGAIN:
        return SUPERVISED_AGAIN;
    case DAEMON_REFUSED:
        return SUPERVISED_FAILED;
    case DAEMON_UNFIT:
        return SUPERVISED_UNFIT;
    case DAEMON_STOPPED:
        break;
    }
    return SUPERVISED_STOPPED;
}

/* Without a parent, the same process starts over with the new file: whoever watches it sees one and
 * the same pid. */
static int restart(char **argv, const struct run_arguments *arguments)
{
    char *words[] = {
        argv[-1], "run", "--no-supervisor", "-c", (char *)(uintptr_t)arguments->file, NULL,
        NULL,     NULL};
    if (arguments->socket_path) {
        words[5] = "--socket";
        words[6] = (char *)(uintptr_t)arguments->socket_path;
    }
    execv("/proc/self/exe", words);
    fprintf(stderr, "picket: error: restart: %s\n", strerror(errno));
    return EXIT_CODE_FAILURE;
}

int cmd_run(int argc, char **argv)
{
    static struct run_arguments arguments; /* off the stack of the parent and of all its lives */
    int code = parse(argc, argv, &arguments);
    if (code >= 0) {
        return code;
    }
    if (strcmp(arguments.file, "-") == 0 && !keep_input()) {
        return EXIT_CODE_FAILURE;
    }
    kept_find_place(arguments.file, arguments.state, &arguments.place);
    struct supervised_agent agent = {.context = &arguments,
                                     .live = run_agent,
                                     .check = check_file,
                                     .path = arguments.file,
                                     .place = &arguments.place};
    switch (arguments.alone ? supervisor_skip(DAEMON_REGION_BYTES, agent)
                            : supervisor_run(DAEMON_REGION_BYTES, agent)) {
    case SUPERVISED_RELOAD:
    case SUPERVISED_AGAIN:
        return restart(argv, &arguments);
    case SUPERVISED_BAD_CONFIG:
        return EXIT_CODE_USAGE;
    case SUPERVISED_FAILED:
    case SUPERVISED_UNFIT:
        return EXIT_CODE_FAILURE;
    case SUPERVISED_STOPPED:
        break;
    }
    return EXIT_CODE_OK;
}

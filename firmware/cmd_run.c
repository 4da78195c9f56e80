/* run -c FILE: the agent in the foreground, as init systems want it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "signals.h"
#include "site.h"
#include "verbs.h"

static struct config config;

static const char help[] =
    "Runs the agent in the foreground; an init system supervises it. Logs go to stderr, with\n"
    "journald's level prefixes under systemd.\n"
    "\n"
    "Options:\n"
    "  -c FILE        the configuration\n"
    "  --socket PATH  the status socket, instead of the configuration's\n"
    "  --help\n"
    "\n"
    "Signals: SIGTERM and SIGINT push a last time and end (a second one ends at once). SIGHUP\n"
    "checks FILE again and restarts with it; a bad one is refused and the old one keeps running.\n"
    "\n"
    "Exit code: 0 ended by a signal, 1 could not start, 2 wrong arguments or configuration.\n";

/* The same process starts over with the new file: a supervisor sees one and the same pid. */
static int restart(char **argv, const char *file, const char *socket_path)
{
    char *arguments[] = {argv[-1], "run", "-c", (char *)(uintptr_t)file, NULL, NULL, NULL};
    if (socket_path) {
        arguments[4] = "--socket";
        arguments[5] = (char *)(uintptr_t)socket_path;
    }
    execv("/proc/self/exe", arguments);
    fprintf(stderr, "picket: error: restart: %s\n", strerror(errno));
    return EXIT_CODE_FAILURE;
}

int cmd_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *file = NULL, *socket_path = NULL;
    int letter;
    opterr = 0; /* getopt would not name the program */
    while ((letter = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
        if (letter == 'h') {
            printf("Usage: %s run -c FILE\n\n%s", verbs_program(), help);
            return EXIT_CODE_OK;
        } else if (letter == 'c') {
            file = optarg;
        } else if (letter == 's') {
            socket_path = optarg;
        } else {
            return verbs_option_error("run", argv[optind - 1]);
        }
    }
    if (!file || optind != argc) {
        return verbs_usage_error("run", "give the configuration with -c FILE");
    }
    signals_hold();
    if (!site_load(file, &config)) {
        return EXIT_CODE_USAGE;
    }
    switch (daemon_run(file, &config, socket_path)) {
    case DAEMON_RELOAD:
        return restart(argv, file, socket_path);
    case DAEMON_REFUSED:
        return EXIT_CODE_FAILURE;
    case DAEMON_STOPPED:
        break;
    }
    return EXIT_CODE_OK;
}

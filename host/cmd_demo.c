/* demo: the whole of Picket in one command: lab, agent, and a view of both while one target is
 * broken on purpose and healed. With FILE the agent runs that file and there is no lab. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "lab_receiver.h"
#include "status_client.h"
#include "value.h"
#include "verbs.h"
#include "workbench.h"

#define VIEW_EVERY_S       1 /* on a terminal */
#define VIEW_EVERY_PLAIN_S 5 /* on a pipe: each view is appended */

static struct lab lab;
static volatile sig_atomic_t interrupted;

static const char help[] =
    "Starts the lab's targets and push receiver, an agent that probes them every second, and "
    "shows\n"
    "what the agent knows while one target is broken on purpose and healed again. Nothing leaves\n"
    "the machine. With FILE the agent runs that configuration instead, without the lab.\n"
    "\n"
    "Options:\n"
    "  --for DURATION  end after that time (30s, 5m); default: until Ctrl-C\n"
    "  --help\n"
    "\n"
    "Exit code: 0, or 1 when the agent ended by itself.\n";

struct demo {
    const char *file; /* the user's configuration; NULL: the lab's */
    char folder[128];
    char config_path[160];
    char socket_path[160];
    char log_path[160];
    pid_t agent;
    long duration_s; /* 0: until interrupted */
    bool terminal, colour;
};

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct demo *demo)
{
    static const struct option table[] = {
        {"for", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {0}};
    int letter;
    usec_t duration_us;
    while ((letter = getopt_long(argc, argv, "h", table, NULL)) != -1) {
        if (letter == 'h') {
            printf("Usage: picket demo [FILE] [OPTIONS]\n\n%s", help);
            return EXIT_CODE_OK;
        } else if (letter != 'f') {
            return verbs_usage_error("demo", "wrong option");
        } else if (value_duration(optarg, strlen(optarg), &duration_us) ||
                   duration_us < USEC_PER_SEC) {
            return verbs_usage_error("demo", "--for %s: give a duration such as 30s", optarg);
        } else {
            demo->duration_s = (long)(duration_us / USEC_PER_SEC);
        }
    }
    if (argc - optind > 1) {
        return verbs_usage_error("demo", "give one FILE at most");
    }
    demo->file = optind < argc ? argv[optind] : NULL;
    return -1;
}

static bool write_lab_config(struct demo *demo)
{
    static char text[8192];
    lab_site_config(&lab, demo->socket_path, text, sizeof text);
    FILE *file = fopen(demo->config_path, "w");
    return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

static bool prepare(struct demo *demo)
{
    const char *base = getenv("TMPDIR");
    snprintf(demo->folder, sizeof demo->folder, "%s/picket-demo.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(demo->folder)) {
        fprintf(stderr, "picket demo: %s: %s\n", demo->folder, strerror(errno));
        return false;
    }
    snprintf(demo->config_path, sizeof demo->config_path, "%s/site.conf", demo->folder);
    snprintf(demo->socket_path, sizeof demo->socket_path, "%s/picket.sock", demo->folder);
    snprintf(demo->log_path, sizeof demo->log_path, "%s/agent.log", demo->folder);
    if (demo->file) {
        return true;
    }
    if (!lab_start(&lab, 0, demo->folder) || !write_lab_config(demo)) {
        fprintf(stderr, "picket demo: the lab could not start in %s\n", demo->folder);
        return false;
    }
    return true;
}

/* The agent is this program's own `run`, as a child with its log in a file. */
static bool start_agent(struct demo *demo)
{
    const char *file = demo->file ? demo->file : demo->config_path;
    demo->agent = fork();
    if (demo->agent == 0) {
        /* Ctrl-C is for the demo alone, which then stops the agent in order; and no agent outlives
         * a demo that was killed. */
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        FILE *log = freopen(demo->log_path, "w", stderr);
        char *arguments[] = {"picket",          "run", "-c", (char *)(uintptr_t)file, "--socket",
                             demo->socket_path, NULL};
        if (log) {
            execv("/proc/self/exe", arguments);
        }
        _exit(EXIT_CODE_FAILURE);
    }
    return demo->agent > 0;
}

static bool agent_ended(struct demo *demo)
{
    int status;
    if (waitpid(demo->agent, &status, WNOHANG) == demo->agent) {
        demo->agent = 0;
        return true;
    }
    return false;
}

static void print_log(const struct demo *demo)
{
    char line[1024];
    FILE *log = fopen(demo->log_path, "r");
    while (log && fgets(line, sizeof line, log)) {
        fputs(line, stderr);
    }
    if (log) {
        fclose(log);
    }
}

/* What happens in the demo, by the clock: a third of the time all is well, then the http target
 * answers 503, then it is healed. Without --for it repeats every 30 s. */
static const char *play(const struct demo *demo, long elapsed_s)
{
    long period_s = demo->duration_s ? demo->duration_s : 30;
    long at_s = elapsed_s % period_s;
    bool broken = at_s >= period_s / 3 && at_s < period_s * 3 / 5;
    lab_set_mode(&lab, "http", broken ? "error" : "ok");
    if (broken) {
        return "the http target answers 503 on purpose: watch `portal` fail";
    }
    return at_s < period_s / 3 ? "all targets are well"
                               : "the http target is healed: `portal` recovers";
}

static void print_receiver(void)
{
    struct lab_receiver_totals totals = lab_receiver_totals(lab.receiver);
    if (totals.seconds_since < 0) {
        printf("\nUpstream: nothing was pushed yet\n");
        return;
    }
    printf("\nUpstream: %llu pushes arrived, the last %.1f s ago with %u series in %u bytes;\n"
           "          %.0f probe results counted there so far"
           " (see http://127.0.0.1:%u/metrics)\n",
           totals.pushes, totals.seconds_since, totals.series, totals.bytes, totals.results_total,
           lab.servers[LAB_PUSH].port);
}

static void show(struct demo *demo, long elapsed_s, const char *scene)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) {
        return;
    }
    int code = status_client_ask(demo->socket_path, demo->colour ? "colour\n" : "text\n", memory);
    fclose(memory);
    printf(demo->terminal ? "\033[H\033[J" : "\n");
    printf("picket demo, %ld s", elapsed_s);
    if (demo->duration_s) {
        printf(" of %ld s", demo->duration_s);
    }
    printf("%s%s. Ctrl-C ends.\n\n", scene ? ": " : "", scene ? scene : "");
    fputs(code == EXIT_CODE_USAGE ? "the agent is starting\n" : text, stdout);
    if (!demo->file) {
        print_receiver();
    }
    fflush(stdout);
    free(text);
}

static long seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Returns false when the agent ended by itself. */
static bool watch(struct demo *demo)
{
    long start_s = seconds_now(), shown_s = -1;
    const char *scene = NULL, *shown_scene = NULL;
    while (!interrupted) {
        long elapsed_s = seconds_now() - start_s;
        if (agent_ended(demo)) {
            return false;
        }
        if (demo->duration_s && elapsed_s >= demo->duration_s) {
            break;
        }
        scene = demo->file ? NULL : play(demo, elapsed_s);
        long every_s = demo->terminal ? VIEW_EVERY_S : VIEW_EVERY_PLAIN_S;
        if (elapsed_s > 0 && (elapsed_s - shown_s >= every_s || scene != shown_scene)) {
            show(demo, elapsed_s, scene);
            shown_s = elapsed_s;
            shown_scene = scene;
        }
        lab_sleep_ms(200);
    }
    return true;
}

static void stop_agent(struct demo *demo)
{
    int status;
    if (demo->agent > 0) {
        kill(demo->agent, SIGTERM);
        while (waitpid(demo->agent, &status, 0) < 0 && errno == EINTR) {
        }
    }
}

static void clean_up(const struct demo *demo)
{
    unlink(demo->config_path);
    unlink(demo->log_path);
    unlink(demo->socket_path);
    unlink(lab.ca_path);
    rmdir(demo->folder);
}

int cmd_demo(int argc, char **argv)
{
    static struct demo demo;
    int code = parse(argc, argv, &demo);
    if (code >= 0) {
        return code;
    }
    const char *no_colour = getenv("NO_COLOR");
    demo.terminal = isatty(STDOUT_FILENO);
    demo.colour = demo.terminal && !(no_colour && *no_colour);
    catch_signals();
    bool good = prepare(&demo) && start_agent(&demo) && watch(&demo);
    if (good) {
        printf("\nstopping: the agent pushes a last time\n");
    } else {
        fprintf(stderr, "picket demo: the agent ended; its log:\n");
        print_log(&demo);
    }
    stop_agent(&demo);
    if (good && !demo.file) {
        print_receiver();
    }
    clean_up(&demo);
    return good ? EXIT_CODE_OK : EXIT_CODE_FAILURE;
}

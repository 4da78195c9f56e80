/* lab: the simulators by themselves, for trying probes against. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "verbs.h"
#include "workbench.h"

static struct lab lab;

static const char help[] =
    "Starts target simulators (HTTP, TCP, TLS, Modbus) and a Pushgateway-compatible receiver on\n"
    "127.0.0.1, until Ctrl-C.\n"
    "\n"
    "Options:\n"
    "  --port N        the first of eight ports (default 18080; 0: free ports)\n"
    "  --folder DIR    where lab-ca.pem and lab.conf go (default: a new folder under TMPDIR)\n"
    "  --set NAME=MODE start a server in a mode; may repeat\n"
    "  --format text|json\n"
    "  --help\n"
    "\n"
    "Servers: http tcp tls tls-expired tls-selfsigned tls-wrongname modbus push\n"
    "Modes:   ok error slow hang drip reset garbage busy redirect\n"
    "While it runs: GET http://127.0.0.1:18080/lab shows the servers,\n"
    "               GET http://127.0.0.1:18080/lab/modbus/hang changes a mode,\n"
    "               GET http://127.0.0.1:18087/metrics shows what was pushed.\n"
    "The http target also has /status/N /delay/MS /bytes/N /redirect/N /drip /hang /truncated.\n";

static bool write_config(const char *folder, char *path, size_t path_size)
{
    static char text[8192];
    char socket_path[160];
    snprintf(socket_path, sizeof socket_path, "%s/picket.sock", folder);
    snprintf(path, path_size, "%s/lab.conf", folder);
    lab_site_config(&lab, socket_path, text, sizeof text);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "picket lab: %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

static void print_text(const char *config_path)
{
    printf("The lab runs on 127.0.0.1:\n");
    for (int id = 0; id < LAB_SERVER_COUNT; id++) {
        printf("  %-15s port %u\n", lab_server_name((enum lab_server_id)id), lab.servers[id].port);
    }
    printf("CA certificate: %s\nA configuration that probes all of it: %s\n"
           "Try:  picket probe -c %s portal\n      picket run -c %s\nCtrl-C ends the lab.\n",
           lab.ca_path, config_path, config_path, config_path);
}

static void print_json(const char *config_path)
{
    static char state[4096];
    lab_state_json(&lab, state, sizeof state);
    state[strcspn(state, "\n")] = '\0';
    printf("{\"servers\":%s,\"ca_file\":\"%s\",\"config\":\"%s\"}\n", state, lab.ca_path,
           config_path);
}

struct options {
    const char *folder;
    unsigned port;
    bool json;
    const char *modes[16];
    unsigned mode_count;
};

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        {"port", required_argument, NULL, 'p'}, {"folder", required_argument, NULL, 'd'},
        {"set", required_argument, NULL, 's'},  {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},       {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "+h", table, NULL)) != -1) {
        if (letter == 'h') {
            printf("Usage: picket lab [OPTIONS]\n\n%s", help);
            return EXIT_CODE_OK;
        } else if (letter == 'p') {
            char *end;
            options->port = (unsigned)strtoul(optarg, &end, 10);
            if (*end || options->port > 65535 - LAB_SERVER_COUNT) {
                return verbs_usage_error("lab", "'%s' is no port", optarg);
            }
        } else if (letter == 'd') {
            options->folder = optarg;
        } else if (letter == 's' && options->mode_count < 16) {
            options->modes[options->mode_count++] = optarg;
        } else if (letter == 'f' && strcmp(optarg, "json") == 0) {
            options->json = true;
        } else if (letter != 'f' || strcmp(optarg, "text") != 0) {
            return verbs_usage_error("lab", "wrong option or format");
        }
    }
    return optind == argc ? -1 : verbs_usage_error("lab", "unexpected '%s'", argv[optind]);
}

static bool set_modes(const struct options *options)
{
    for (unsigned i = 0; i < options->mode_count; i++) {
        char name[32] = "", mode[32] = "";
        if (sscanf(options->modes[i], "%31[^=]=%31s", name, mode) != 2 ||
            !lab_set_mode(&lab, name, mode)) {
            verbs_usage_error("lab", "--set %s: no such server or mode", options->modes[i]);
            return false;
        }
    }
    return true;
}

int cmd_lab(int argc, char **argv)
{
    struct options options = {.port = 18080};
    char folder[128], config_path[160];
    int code = parse(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/picket-lab.XXXXXX", base ? base : "/tmp");
    if (!options.folder && !mkdtemp(folder)) {
        fprintf(stderr, "picket lab: %s: %s\n", folder, strerror(errno));
        return EXIT_CODE_FAILURE;
    }
    options.folder = options.folder ? options.folder : folder;
    /* Blocked before the servers' threads start, so that they are waited for here alone. */
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (!lab_start(&lab, (uint16_t)options.port, options.folder) ||
        !write_config(options.folder, config_path, sizeof config_path)) {
        return EXIT_CODE_FAILURE;
    }
    if (!set_modes(&options)) {
        return EXIT_CODE_USAGE;
    }
    if (options.json) {
        print_json(config_path);
    } else {
        print_text(config_path);
    }
    fflush(stdout);
    int received;
    sigwait(&ends, &received);
    if (options.folder == folder) {
        unlink(config_path);
        unlink(lab.ca_path);
        rmdir(folder);
    }
    return EXIT_CODE_OK;
}

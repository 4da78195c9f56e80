/* status: asks the running agent over its unix socket and prints the answer. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "site.h"
#include "status_client.h"
#include "verbs.h"

static struct config config;

static const char help[] =
    "Shows what the running agent knows: its probes, SLOs and pushes.\n"
    "\n"
    "Options:\n"
    "  -c FILE        find the agent's socket in this configuration\n"
    "  --socket PATH  the socket itself\n"
    "  --watch        again every second, in place on a terminal, until Ctrl-C\n"
    "  --format text|json\n"
    "  --help\n"
    "\n"
    "Exit code: 0 nothing is failing, 1 something is, 2 no agent answers.\n";

struct options {
    const char *file, *socket;
    bool watch, json;
};

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"watch", no_argument, NULL, 'w'},
                                          {"format", required_argument, NULL, 'f'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    opterr = 0; /* getopt would not name the program */
    while ((letter = getopt_long(argc, argv, "+c:hw", table, NULL)) != -1) {
        switch (letter) {
        case 'h':
            printf("Usage: %s status [OPTIONS]\n\n%s", verbs_program(), help);
            return EXIT_CODE_OK;
        case 'c':
            options->file = optarg;
            break;
        case 's':
            options->socket = optarg;
            break;
        case 'w':
            options->watch = true;
            break;
        case 'f':
            options->json = strcmp(optarg, "json") == 0;
            if (!options->json && strcmp(optarg, "text") != 0) {
                return verbs_usage_error("status", "unknown format '%s'", optarg);
            }
            break;
        default:
            return verbs_option_error("status", argc, argv);
        }
    }
    if (optind != argc) {
        return verbs_usage_error("status", "unexpected argument '%s'", argv[optind]);
    }
    return -1;
}

static int show(const char *socket_path, const char *question, bool redraw)
{
    char *answer = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&answer, &size);
    if (!memory) {
        return EXIT_CODE_USAGE;
    }
    int code = status_client_ask(socket_path, question, memory);
    int ask_errno = errno;
    fclose(memory);
    if (code != EXIT_CODE_USAGE) {
        fputs(redraw ? "\033[H\033[J" : "", stdout);
        fwrite(answer, 1, size, stdout);
        fflush(stdout);
    }
    free(answer);
    errno = ask_errno;
    return code;
}

/* Fills in the socket to ask; returns an exit code, or -1 to go on. */
static int find_socket(struct options *options)
{
    if (!options->file && !options->socket) {
        options->file = site_default();
    }
    if (options->file && !site_load(options->file, &config)) {
        return EXIT_CODE_USAGE;
    }
    if (!options->socket) {
        options->socket = options->file ? config_text(&config, &config.agent, AGENT_SOCKET, NULL)
                                        : config_agent_keys[AGENT_SOCKET].fallback;
    }
    if (strcmp(options->socket, "none") == 0) {
        fprintf(stderr, "%s status: this agent has no socket to ask on ('socket = none')\n",
                verbs_program());
        return EXIT_CODE_USAGE;
    }
    return -1;
}

int cmd_status(int argc, char **argv)
{
    struct options options = {.socket = NULL};
    int code = parse(argc, argv, &options);
    if (code < 0) {
        code = find_socket(&options);
    }
    if (code >= 0) {
        return code;
    }
    bool terminal = isatty(STDOUT_FILENO);
    const char *no_colour = getenv("NO_COLOR");
    bool colour = terminal && !(no_colour && *no_colour);
    const char *question = options.json ? "json\n" : colour ? "colour\n" : "text\n";
    do {
        code = show(options.socket, question, options.watch && terminal);
        if (code == EXIT_CODE_USAGE) {
            fprintf(stderr, "%s status: no agent answers on %s: %s\n", verbs_program(),
                    options.socket, strerror(errno));
        }
        if (options.watch) {
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        }
    } while (options.watch);
    return code;
}

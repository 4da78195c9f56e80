/* Verbs of the command line, and the table a program is made of. picketd has these; picket has the
 * same and its own. */
#ifndef PICKET_VERBS_H
#define PICKET_VERBS_H

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILURE = 1, /* the thing asked about is failing */
    EXIT_CODE_USAGE = 2,   /* arguments or configuration are wrong; for status: no agent */
    EXIT_CODE_UNKNOWN = 3, /* a probe ended unknown */
};

struct verb {
    const char *name;
    const char *arguments;             /* for the usage line */
    const char *summary;               /* one line */
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns an exit code */
};

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_store(int argc, char **argv);

#define AGENT_VERBS                                                                                \
    {"run", "-c FILE [--state DIR]", "run the agent in the foreground", cmd_run},                  \
        {"check", "FILE", "check a configuration and say what it will cost", cmd_check},           \
        {"probe", "-c FILE NAME | KIND TARGET", "run one probe now and show what happened",        \
         cmd_probe},                                                                               \
        {"status", "[-c FILE] [--watch]", "show what the running agent knows", cmd_status},        \
    {                                                                                              \
        "store", "verify|stats|dump FILE", "look into a store, live or copied", cmd_store          \
    }

/* Finds the verb, runs it; --help, --version and mistakes are answered here. `verbs` ends with an
 * entry whose name is NULL. */
int verbs_main(const char *program, const char *summary, const struct verb *verbs, int argc,
               char **argv);

/* The program's name in messages: "picketd" or "picket". */
const char *verbs_program(void);

/* Prints "PROGRAM VERB: message" and a pointer to --help on stderr; returns EXIT_CODE_USAGE. */
int verbs_usage_error(const char *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for an option that getopt does not take. */
int verbs_option_error(const char *verb, int argc, char **argv);

#endif

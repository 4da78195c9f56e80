#include "verbs.h"

#include <ares.h>
#include <curl/curl.h>
#include <errno.h>
#include <mbedtls/version.h>
#include <modbus/modbus.h>
#include <pcre2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "site.h"
#include "value.h"
#include "version.h"

#ifdef PICKET_WITHOUT_MODBUS
#define MODBUS "left out"
#else
#define MODBUS LIBMODBUS_VERSION_STRING
#endif

static const char *program_name = "picketd";

const char *verbs_program(void)
{
    return program_name;
}

int verbs_usage_error(const char *verb, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s%s%s: ", program_name, *verb ? " " : "", verb);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry '%s%s%s --help'.\n", program_name, *verb ? " " : "", verb);
    return EXIT_CODE_USAGE;
}

int verbs_option_error(const char *verb, int argc, char **argv)
{
    /* Where the value would be behind the last word, some C libraries are two words on. */
    const char *option = argv[optind <= argc ? optind - 1 : argc - 1];
    return verbs_usage_error(verb, "'%s' is no option, or lacks its value", option);
}

static int print_version(void)
{
    char mbedtls[18], pcre2[64];
    mbedtls_version_get_string(mbedtls);
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    const char *pcre2_number_end = strchr(pcre2, ' ');
    printf("%s %s (commit %s%s%s)\n", program_name, picket_version, picket_commit,
           *picket_profile ? ", profile " : "", picket_profile);
    printf("libcurl %s, mbedTLS %s, c-ares %s, libmodbus %s, PCRE2 %.*s\n",
           curl_version_info(CURLVERSION_NOW)->version, mbedtls, ares_version(NULL), MODBUS,
           pcre2_number_end ? (int)(pcre2_number_end - pcre2) : (int)strlen(pcre2), pcre2);
    if (site_default()) {
        printf("configuration compiled in: %s\n", SITE_IMAGE);
    }
    return EXIT_CODE_OK;
}

static void print_help(FILE *out, const char *summary, const struct verb *verbs)
{
    fprintf(out, "%s - %s\n\nUsage: %s VERB [ARGUMENTS]\n\n", program_name, summary, program_name);
    for (const struct verb *verb = verbs; verb->name; verb++) {
        fprintf(out, "  %-10s %-28s %s\n", verb->name, verb->arguments, verb->summary);
    }
    fprintf(out,
            "\n  --version  versions of this program and of the libraries linked in\n"
            "  --help     this text; '%s VERB --help' explains a verb\n",
            program_name);
}

static int unknown_verb(const char *word, const struct verb *verbs)
{
    const char *names[32];
    unsigned count = 0;
    for (const struct verb *verb = verbs; verb->name && count + 1 < 32; verb++) {
        names[count++] = verb->name;
    }
    names[count] = NULL;
    const char *near = value_near_miss(word, strlen(word), names);
    if (near) {
        return verbs_usage_error("", "unknown verb '%s'; did you mean '%s'?", word, near);
    }
    return verbs_usage_error("", "unknown verb '%s'", word);
}

/* An exit code of 0 says that all was printed. Nobody is told when the reader went away. */
static int finish(int code)
{
    /* Some C libraries drop what they could not write, and with it the reason, long before the end:
     * one byte more brings the reason back. */
    bool is_lost = ferror(stdout) != 0;
    if (is_lost) {
        clearerr(stdout);
        (void)putchar('\n');
        errno = EIO;
    }
    if ((fflush(stdout) != 0 || is_lost) && errno != EPIPE) {
        fprintf(stderr, "%s: standard output: %s\n", program_name, strerror(errno));
        return code == EXIT_CODE_OK ? EXIT_CODE_USAGE : code;
    }
    return code;
}

int verbs_main(const char *program, const char *summary, const struct verb *verbs, int argc,
               char **argv)
{
    program_name = program;
    process_prepare();
    if (argc < 2) {
        print_help(stderr, summary, verbs);
        return EXIT_CODE_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        return print_version();
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout, summary, verbs);
        return finish(EXIT_CODE_OK);
    }
    for (const struct verb *verb = verbs; verb->name; verb++) {
        if (strcmp(word, verb->name) == 0) {
            return finish(verb->run(argc - 1, argv + 1));
        }
    }
    return unknown_verb(word, verbs);
}

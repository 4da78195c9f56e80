/* The verb `sim` by itself, for mutants of the core: linking all of picket for each would take
 * longer than running it. */
#include <stdarg.h>
#include <stdio.h>

#include "verbs.h"
#include "workbench.h"

int verbs_usage_error(const char *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%s: ", verb);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    return EXIT_CODE_USAGE;
}

int main(int argc, char **argv)
{
    return cmd_sim(argc, argv);
}

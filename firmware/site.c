#include "site.h"

#include <stdio.h>

#include "config_file.h"
#include "registry.h"

static void print_error(void *context, const char *file, unsigned line, const char *message)
{
    (void)context;
    if (line > 0) {
        fprintf(stderr, "%s:%u: %s\n", file, line, message);
    } else {
        fprintf(stderr, "%s: %s\n", file, message);
    }
}

struct config_errors site_errors(void)
{
    return (struct config_errors){.report = print_error};
}

bool site_load(const char *path, struct config *config)
{
    unsigned kind_count;
    const struct probe_kind *const *kinds = registry_kinds(&kind_count);
    struct config_errors errors = site_errors();
    enum error error = config_file_load(path, config, kinds, kind_count, &errors);
    if (errors.count > 0) {
        fprintf(stderr, "%s: %u error%s\n", path, errors.count, errors.count == 1 ? "" : "s");
    }
    return error == ERROR_NONE && errors.count == 0;
}

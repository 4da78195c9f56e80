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

bool site_read(const char *path, struct config *config, struct config_errors *errors)
{
    unsigned kind_count;
    const struct probe_kind *const *kinds = registry_kinds(&kind_count);
    enum error error = config_file_load(path, config, kinds, kind_count, errors);
    return error == ERROR_NONE && errors->count == 0;
}

void site_count_errors(const char *path, const struct config_errors *errors)
{
    if (errors->count > 0) {
        fprintf(stderr, "%s: %u error%s\n", path, errors->count, errors->count == 1 ? "" : "s");
    }
}

bool site_load(const char *path, struct config *config)
{
    struct config_errors errors = site_errors();
    bool good = site_read(path, config, &errors);
    site_count_errors(path, &errors);
    return good;
}

#include "runner_targets.h"

#include <assert.h>
#include <string.h>

static const struct probe_ops *find_ops(const struct probe_ops *const *ops, unsigned ops_count,
                                        const struct probe_kind *kind)
{
    for (unsigned i = 0; i < ops_count; i++) {
        if (strcmp(ops[i]->kind.name, kind->name) == 0) {
            return ops[i];
        }
    }
    return NULL;
}

/* Opens one target; an error is reported. */
static bool open_target(struct prepared_target *target, unsigned index, const struct config *config,
                        const struct probe_ops *const *ops, unsigned ops_count,
                        struct config_errors *errors)
{
    const struct config_probe *probe = config_target_probe(config, index);
    const struct probe_ops *kind = find_ops(ops, ops_count, probe->section.kind);
    assert(kind != NULL); /* the configuration was read with the same kinds */
    char why[256] = "";
    enum error error =
        kind->open(config, probe, index, &target->prepared, &target->endpoint, why, sizeof why);
    if (error != ERROR_NONE) {
        config_error_at(config, &probe->section, NULL, errors, "%s: %s",
                        config_probe_name(config, probe), why);
        return false;
    }
    target->ops = kind;
    return true;
}

bool runner_targets_open(struct prepared_target *targets, const struct config *config,
                         const struct probe_ops *const *ops, unsigned ops_count,
                         struct config_errors *errors)
{
    bool opened = true;
    for (unsigned i = 0; i < config->target_count; i++) {
        if (config_target_probe(config, i)->enabled) {
            opened = open_target(&targets[i], i, config, ops, ops_count, errors) && opened;
        }
    }
    return opened;
}

void runner_targets_close(struct prepared_target *targets)
{
    for (unsigned i = 0; i < CAP_TARGETS; i++) {
        if (targets[i].ops != NULL) {
            targets[i].ops->close(targets[i].prepared);
        }
    }
}

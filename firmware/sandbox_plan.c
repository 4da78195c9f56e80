#include <arpa/inet.h>
#include <string.h>

#include "sandbox.h"

void sandbox_plan_add(struct sandbox_plan *plan, enum sandbox_use use, const char *path)
{
    for (unsigned i = 0; i < plan->path_count; i++) {
        if (plan->paths[i].use == use && strcmp(plan->paths[i].path, path) == 0) {
            return;
        }
    }
    if (plan->path_count < SANDBOX_PATHS) {
        plan->paths[plan->path_count++] = (struct sandbox_path){.use = use, .path = path};
    }
}

/* What c-ares and libc look names up in, and where randomness comes from on kernels without
 * getrandom(2). */
static void add_system(struct sandbox_plan *plan)
{
    static const char *const replaced[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
                                           "/etc/host.conf"};
    for (unsigned i = 0; i < ARRAY_LEN(replaced); i++) {
        sandbox_plan_add(plan, SANDBOX_BESIDE, replaced[i]);
    }
    sandbox_plan_add(plan, SANDBOX_FILE, "/dev/urandom");
    sandbox_plan_add(plan, SANDBOX_FILE, "/proc/sys/kernel/random/boot_id");
}

static void add_runs(struct sandbox_plan *plan, const struct config *config,
                     const struct runner *runner)
{
    for (unsigned i = 0; i < config->target_count; i++) {
        bool device;
        const char *path = runner_path(runner, i, &device);
        if (path) {
            sandbox_plan_add(plan, device ? SANDBOX_LINE : SANDBOX_BESIDE, path);
        }
    }
}

static void note_source(struct sandbox_plan *plan, const char *source)
{
    uint8_t address[16];
    plan->binds = true;
    if (inet_pton(AF_INET, source, address) != 1 && inet_pton(AF_INET6, source, address) != 1) {
        plan->to_interface = true;
    }
}

void sandbox_plan_make(const struct config *config, const char *socket_path,
                       const struct runner *runner, bool by_parent, struct sandbox_plan *plan)
{
    const char *store = config_store(config);
    *plan = (struct sandbox_plan){
        .choice = (enum sandbox_choice)config_number(config, &config->agent, AGENT_SANDBOX),
        .user = config_text(config, &config->agent, AGENT_USER, NULL),
        .by_parent = by_parent,
    };
    add_system(plan);
    if (store) {
        sandbox_plan_add(plan, SANDBOX_STORE, store);
    }
    if (socket_path && strcmp(socket_path, "none") != 0) {
        sandbox_plan_add(plan, SANDBOX_SOCKET, socket_path);
    }
    add_runs(plan, config, runner);
    for (unsigned i = 0; i < config->probe_count; i++) {
        const char *source = config_text(config, &config->probes[i].section, PROBE_SOURCE, NULL);
        if (source) {
            note_source(plan, source);
        }
    }
}

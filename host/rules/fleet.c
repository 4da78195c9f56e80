/* One configuration at a time is in memory; what is kept of it is copied. */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"

static struct config config;

/* The workbench has nothing to save when memory is out. */
static void *grown(void *array, size_t count, size_t size)
{
    void *bigger = realloc(array, (count + 1) * size);
    if (bigger == NULL) {
        fputs("picket: out of memory\n", stderr);
        exit(1);
    }
    return bigger;
}

static char *copy(const char *text, size_t length)
{
    char *bytes = grown(NULL, length, 1);
    memcpy(bytes, text, length);
    bytes[length] = '\0';
    return bytes;
}

/* Two agents that push as one site overwrite each other's series. */
static bool site_is_new(const struct fleet *fleet, const char *site, struct config_errors *errors)
{
    for (size_t i = 0; i < fleet->site_count; i++) {
        if (strcmp(fleet->sites[i].name, site) == 0) {
            config_error_at(&config, &config.agent,
                            config_setting(&config, &config.agent, AGENT_SITE, 0), errors,
                            "the site '%s' is also that of %s", site, fleet->sites[i].file);
            return false;
        }
    }
    return true;
}

static void add_gateway(struct fleet *fleet)
{
    const char *url = config_text(&config, &config.push, PUSH_URL, NULL);
    size_t length = url != NULL ? strlen(url) : 0;
    while (length > 0 && url[length - 1] == '/') {
        length--;
    }
    for (size_t i = 0; i < fleet->gateway_count; i++) {
        if (strlen(fleet->gateways[i]) == length && memcmp(fleet->gateways[i], url, length) == 0) {
            return;
        }
    }
    if (length > 0) {
        fleet->gateways = grown(fleet->gateways, fleet->gateway_count, sizeof *fleet->gateways);
        fleet->gateways[fleet->gateway_count++] = copy(url, length);
    }
}

static struct fleet_slo *add_slo(struct fleet *fleet, const struct config_slo *slo,
                                 usec_t interval_us)
{
    fleet->slos = grown(fleet->slos, fleet->slo_count, sizeof *fleet->slos);
    struct fleet_slo *added = &fleet->slos[fleet->slo_count++];
    *added = (struct fleet_slo){.site = fleet->site_count,
                                .window_us = slo->window_us,
                                .interval_us = interval_us,
                                .threshold_us = slo->type == SLO_LATENCY ? slo->threshold_us : 0,
                                .objective_ppm = slo->objective_ppm};
    return added;
}

static void add_slos(struct fleet *fleet, const struct config_probe *probe)
{
    for (unsigned i = 0; i < probe->slo_count; i++) {
        struct fleet_slo *slo = add_slo(fleet, &probe->slos[i], probe->interval_us);
        snprintf(slo->probe, sizeof slo->probe, "%s", config_probe_name(&config, probe));
        metrics_slo_name(probe, i, slo->name, sizeof slo->name);
    }
}

/* As often as all its targets together; USEC_NEVER: none of them runs. */
static usec_t group_interval(const struct config_group *group)
{
    double runs_per_us = 0;
    for (unsigned i = 0; i < config.target_count; i++) {
        const struct config_probe *probe = config_target_probe(&config, i);
        if (config_group_has(&config, group, i) && probe->enabled) {
            runs_per_us += 1 / (double)probe->interval_us;
        }
    }
    return runs_per_us > 0 ? (usec_t)(1 / runs_per_us + 0.5) : USEC_NEVER;
}

static void add_group_slos(struct fleet *fleet, const struct config_group *group)
{
    usec_t interval_us = group_interval(group);
    for (unsigned i = 0; interval_us != USEC_NEVER && i < group->slo_count; i++) {
        struct fleet_slo *slo = add_slo(fleet, &group->slos[i], interval_us);
        metrics_group_slo_name(&config, group, i, slo->name, sizeof slo->name);
    }
}

static void add_kind(struct fleet *fleet, const struct probe_kind *kind)
{
    for (size_t i = 0; i < fleet->kind_count; i++) {
        if (fleet->kinds[i] == kind) {
            return;
        }
    }
    if (fleet->kind_count < FLEET_KINDS) {
        fleet->kinds[fleet->kind_count++] = kind;
    }
}

static void add_slots(struct fleet *fleet)
{
    unsigned slots = (unsigned)config_number(&config, &config.agent, AGENT_CONCURRENCY);
    if (fleet->slots == 0 || slots < fleet->slots) {
        fleet->slots = slots;
    }
}

static void add_site(struct fleet *fleet, const char *file)
{
    usec_t shortest_us = USEC_NEVER;
    for (unsigned i = 0; i < config.probe_count; i++) {
        const struct config_probe *probe = &config.probes[i];
        if (probe->enabled) {
            shortest_us = usec_min(shortest_us, probe->interval_us);
            add_slos(fleet, probe);
            add_kind(fleet, probe->section.kind);
        }
    }
    for (unsigned i = 0; i < config.group_count; i++) {
        add_group_slos(fleet, &config.groups[i]);
    }
    if (shortest_us != USEC_NEVER) {
        fleet->run_interval_us = usec_max(fleet->run_interval_us, shortest_us);
    }
    fleet->push_interval_us =
        usec_max(fleet->push_interval_us, config_number(&config, &config.push, PUSH_INTERVAL));
    add_gateway(fleet);
    add_slots(fleet);
    const char *name = config_site(&config);
    fleet->sites = grown(fleet->sites, fleet->site_count, sizeof *fleet->sites);
    fleet->sites[fleet->site_count++] =
        (struct fleet_site){.name = copy(name, strlen(name)), .file = file};
}

bool fleet_load(struct fleet *fleet, char **files, size_t count)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        struct config_errors errors = site_errors();
        if (site_read(files[i], &config, &errors, NULL) &&
            site_is_new(fleet, config_site(&config), &errors)) {
            add_site(fleet, files[i]);
        } else {
            site_count_errors(files[i], &errors);
            good = false;
        }
    }
    return good;
}

static int compare(const void *left, const void *right)
{
    const struct fleet_slo *a = left, *b = right;
    int order = strcmp(a->probe, b->probe);
    order = order != 0 ? order : strcmp(a->name, b->name);
    if (order != 0) {
        return order;
    }
    if (a->window_us != b->window_us) {
        return a->window_us < b->window_us ? -1 : 1;
    }
    return a->site < b->site ? -1 : a->site > b->site;
}

void fleet_sort(struct fleet *fleet)
{
    if (fleet->slo_count > 0) {
        qsort(fleet->slos, fleet->slo_count, sizeof *fleet->slos, compare);
    }
}

void fleet_free(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->site_count; i++) {
        free(fleet->sites[i].name);
    }
    for (size_t i = 0; i < fleet->gateway_count; i++) {
        free(fleet->gateways[i]);
    }
    free(fleet->sites);
    free(fleet->slos);
    free(fleet->gateways);
    *fleet = (struct fleet){.sites = NULL};
}

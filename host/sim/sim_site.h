/* The configuration of a simulated site: text drawn from the seed, read by the real loader with a
 * probe kind of its own, so all that a file can say and its checks let pass is simulated, and
 * nothing else. A reload changes intervals and timeouts; targets, store and [watchdog] stay, so
 * that accounts go on. */
#ifndef PICKET_SIM_SITE_H
#define PICKET_SIM_SITE_H

#include "config.h"
#include "prng.h"
#include "recovery.h"

enum { SIM_TEXT_BYTES = 16 * 1024, SIM_CONFIGS = 3 };

struct sim_site {
    const struct config *config; /* of the life there is, or of the last one */
    struct config configs[SIM_CONFIGS];
    unsigned current, good; /* of them; current: what the file says now */
    bool has_good;
    bool has_store;
    char text[SIM_TEXT_BYTES];
    uint64_t shape; /* what the parts that stay are drawn from */
    struct prng prng;
    struct recovery_settings settings;
    int64_t commit_us;
    unsigned reboot_budget;
    usec_t action_after_us, action_cooldown_us; /* after 0: no site action */
    unsigned action_budget;
    bool action_dry;
    unsigned canary, groups;
    uint32_t references; /* bit per probe */
};

struct sim;
/* The first configuration; fails the run when the loader refuses it. */
void sim_site_init(struct sim *sim);
/* Somebody edits the file. */
void sim_site_edit(struct sim *sim);
/* The life that runs has proved its configuration. */
void sim_site_keep(struct sim *sim);
/* What the next life reads. */
void sim_site_use(struct sim *sim, bool good);

const struct config_probe *sim_site_probe(const struct sim *sim, unsigned target);
/* The group a target's probe belongs to. */
unsigned sim_site_group(const struct sim *sim, unsigned target);
/* The target of an instance label, or -1. */
int sim_site_target(const struct sim *sim, const char *instance, size_t length);

#endif

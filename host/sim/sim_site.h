/* The configuration of a simulated site: text drawn from the seed, read by the real loader with a
 * probe kind of its own, so all that a file can say and its checks let pass is simulated, and
 * nothing else. A reload changes intervals and timeouts; targets, store and [watchdog] stay, so
 * that accounts go on. What is rolled out may be bad in one of three ways. */
#ifndef PICKET_SIM_SITE_H
#define PICKET_SIM_SITE_H

#include "config.h"
#include "prng.h"
#include "recovery.h"

enum { SIM_TEXT_BYTES = 16 * 1024, SIM_CONFIGS = 3 };

enum sim_nature {
    SIM_CONFIG_WELL,
    SIM_CONFIG_SILENT, /* its push leads nowhere */
    SIM_CONFIG_UNFIT,  /* names what cannot be opened */
    SIM_CONFIG_KILLS,  /* whoever runs it, soon */
    SIM_NATURES
};

struct sim_site {
    const struct config *config; /* of the life there is, or of the last one */
    struct config configs[SIM_CONFIGS];
    uint32_t texts[SIM_CONFIGS]; /* each edit is another one */
    enum sim_nature natures[SIM_CONFIGS];
    unsigned current, good; /* of them; current: what the file says now */
    uint32_t edits;
    bool has_good; /* as far as the supervisor there is knows … */
    bool keeps;    /* … and the next one will: there is a folder for it */
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
/* Somebody edits the file, and says so or not. One that cannot run is refused by the check then,
 * and no more than stands in the file. */
void sim_site_roll_out(struct sim *sim, enum sim_nature nature, bool says_so);
/* The life tells what it runs. */
void sim_site_tell(struct sim *sim);
/* Which of the configurations the life there is, or the last one, runs. */
unsigned sim_site_running(const struct sim *sim);
enum sim_nature sim_site_nature(const struct sim *sim);
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

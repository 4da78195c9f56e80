/* The site action: what it is judged by, and what is asked of the supervisor. When it is due is
 * site_action.h's. */
#include <assert.h>
#include <inttypes.h>

#include "agent_care_parts.h"

static_assert(LEDGER_ACTION_FIRST + SITE_ACTION_RESULTS <= LEDGER_ACTION_END, "a counter each");

/* The cooldown outlives a restart like the budget does: by the minute of service, rounded against
 * acting. */
void agent_action_begin(struct agent *agent, usec_t now_us)
{
    uint64_t passed = budget_age(agent, LEDGER_ACTIONS, now_us);
    if (budget_used(agent, LEDGER_ACTIONS) > 0) {
        usec_t since_us = passed > 0 ? (usec_t)(passed - 1) * USEC_PER_MINUTE : 0;
        agent->care.action.acted_us = now_us - since_us;
    }
}

/* When the uplink was last seen to work, or could not be said not to. */
static usec_t last_through(const struct agent *agent, usec_t now_us)
{
    const struct config *config = agent->config;
    const struct config_section *section = &config->watchdog;
    unsigned count = config_count(config, section, WATCHDOG_ACTION_REFERENCE);
    usec_t through_us = agent->push.last_success_us;
    if (agent->push.failures_in_row == 0) {
        return now_us;
    }
    for (unsigned i = 0; i < count; i++) {
        const struct setting *named = config_setting(config, section, WATCHDOG_ACTION_REFERENCE, i);
        const struct config_probe *probe =
            &config->probes[config_find_probe(config, config_setting_text(config, named))];
        for (unsigned j = 0; j < probe->target_count; j++) {
            unsigned target = probe->first_target + j;
            const struct result *last = &agent->last[target];
            if (!agent->seen[target] || last->outcome != OUTCOME_FAILURE ||
                last->started_us < through_us) { /* that was another outage */
                return now_us;
            }
        }
    }
    return through_us;
}

static void act(struct agent *agent, usec_t now_us)
{
    bool dry = care_setting(agent, WATCHDOG_ACTION_DRY_RUN) != 0;
    enum site_action_result result = dry ? SITE_ACTION_DRY_RUN : SITE_ACTION_STARTED;
    site_action_done(&agent->care.action, now_us);
    budget_take(agent, LEDGER_ACTIONS, now_us);
    store_count(&agent->store, LEDGER_ACTION_FIRST + result, 1);
    logger_printf(&agent->ports.logger, LOG_LEVEL_WARNING,
                  "site action%s: nothing got through for %" PRId64 " s, and all references fail",
                  dry ? " (dry run, nothing is done)" : "",
                  care_setting(agent, WATCHDOG_ACTION_AFTER) / USEC_PER_SEC);
    if (!dry) {
        atomic_fetch_add(&agent->ports.vitals->actions_wanted, 1);
    }
}

void agent_action_step(struct agent *agent, usec_t now_us)
{
    struct agent_care *care = &agent->care;
    const struct mandate *mandate = &agent->ports.vitals->mandate;
    uint32_t done = vitals_get(&mandate->actions_done);
    if (done != care->actions_done) {
        care->actions_done = done;
        if (vitals_get(&mandate->action_result) != 0) {
            store_count(&agent->store, LEDGER_ACTION_FIRST + SITE_ACTION_FAILED, 1);
        }
    }
    site_action_note(&care->action, last_through(agent, now_us));
    if (site_action_due(&care->action, now_us) && agent->state == AGENT_RUNNING &&
        budget_left(agent, LEDGER_ACTIONS, WATCHDOG_ACTION_BUDGET) > 0) {
        act(agent, now_us);
    }
}

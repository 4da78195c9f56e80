#include "site_action.h"

void site_action_init(struct site_action *action, usec_t after_us, usec_t cooldown_us,
                      usec_t now_us)
{
    *action = (struct site_action){
        .after_us = after_us, .cooldown_us = cooldown_us, .through_us = now_us};
}

void site_action_note(struct site_action *action, usec_t at_us)
{
    action->through_us = usec_max(action->through_us, at_us);
}

bool site_action_due(const struct site_action *action, usec_t now_us)
{
    bool cool = action->acted_us == 0 || now_us - action->acted_us >= action->cooldown_us;
    return action->after_us > 0 && cool && now_us - action->through_us >= action->after_us;
}

void site_action_done(struct site_action *action, usec_t now_us)
{
    action->acted_us = now_us;
    action->through_us = now_us;
}

const char *site_action_result_name(enum site_action_result result)
{
    static const char *const names[SITE_ACTION_RESULTS] = {
        [SITE_ACTION_STARTED] = "started",
        [SITE_ACTION_FAILED] = "failed",
        [SITE_ACTION_DRY_RUN] = "dry_run",
    };
    return names[result];
}

#include "status.h"

#include "status_render.h"

#define BYTES_FIXED      (64 * 1024)
#define BYTES_PER_TARGET (32 * 1024) /* 48 values with the longest names and texts fit */

void status_render(const struct agent *agent, usec_t now_us, enum status_format format,
                   struct buffer *out)
{
    if (format == STATUS_JSON) {
        status_json(agent, now_us, out);
    } else {
        bool colour = format == STATUS_TEXT_COLOUR;
        status_head(agent, now_us, colour, out);
        status_targets(agent, now_us, colour, out);
        status_slos(agent, colour, out);
    }
}

size_t status_bound(const struct config *config)
{
    return BYTES_FIXED + (size_t)config->target_count * BYTES_PER_TARGET;
}

bool status_failing(const struct agent *agent)
{
    if (status_store_in_trouble(agent) || status_recovery_in_trouble(agent)) {
        return true;
    }
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        if (status_state(agent, i) == STATUS_FAIL) {
            return true;
        }
    }
    return false;
}

enum status_state status_state(const struct agent *agent, unsigned target)
{
    if (!config_target_probe(agent->config, target)->enabled) {
        return STATUS_OFF;
    }
    if (!agent->seen[target]) {
        return STATUS_WAITING;
    }
    if (agent->last[target].maintenance && agent->last[target].outcome != OUTCOME_SUCCESS) {
        return STATUS_MAINTENANCE;
    }
    switch (agent->last[target].outcome) {
    case OUTCOME_SUCCESS:
        return STATUS_OK;
    case OUTCOME_FAILURE:
        return STATUS_FAIL;
    default:
        return STATUS_UNKNOWN;
    }
}

int64_t status_good_ppm(uint64_t good, uint64_t bad)
{
    if (good == 0 && bad == 0) {
        return -1;
    }
    int64_t ppm = (int64_t)((double)good / ((double)good + (double)bad) * 1e6);
    return bad > 0 && ppm >= 1000000 ? 999999 : ppm;
}

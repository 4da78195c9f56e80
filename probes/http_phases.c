#include "http_phases.h"

void http_phases_begin(struct http_phases *phases, enum phase first, usec_t now_us)
{
    phases->open = first;
    phases->since_us = now_us;
}

void http_phases_next(struct http_phases *phases, struct result *result, enum phase next,
                      usec_t now_us)
{
    if (phases->open == PHASE_NONE || phases->open >= next)
        return;
    result_phase_add(result, phases->open, now_us - phases->since_us);
    http_phases_begin(phases, next, now_us);
}

void http_phases_hop(struct http_phases *phases, struct result *result, usec_t now_us)
{
    if (phases->open != PHASE_TRANSFER)
        (void)http_phases_end(phases, result, now_us);
    phases->open = PHASE_NONE;
}

enum phase http_phases_end(struct http_phases *phases, struct result *result, usec_t now_us)
{
    enum phase open = phases->open;
    if (open != PHASE_NONE)
        result_phase_add(result, open, now_us - phases->since_us);
    phases->open = PHASE_NONE;
    return open;
}

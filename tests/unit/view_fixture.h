/* A site (site_fixture.h) and what was counted on it, as the metric walk sees them. One translation
 * unit each; everything is static and starts empty. */
#ifndef PICKET_VIEW_FIXTURE_H
#define PICKET_VIEW_FIXTURE_H

#include "site_fixture.h"

static struct config config;
static struct sli slis[CAP_TARGETS];
static struct result last[CAP_TARGETS];
static bool seen[CAP_TARGETS];
static struct agent_numbers numbers;

/* All of it, the agent's series included. */
static inline struct metrics_view whole_view(void)
{
    return (struct metrics_view){.config = &config,
                                 .slis = slis,
                                 .last = last,
                                 .seen = seen,
                                 .agent = &numbers,
                                 .epoch = 0x123456780badcafe,
                                 .only_probe = -1};
}

#endif

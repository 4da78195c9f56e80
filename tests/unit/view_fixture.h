/* A site (site_fixture.h) and what was counted on it, as the metric walk sees them. One translation
 * unit each; everything is static and starts empty. */
#ifndef PICKET_VIEW_FIXTURE_H
#define PICKET_VIEW_FIXTURE_H

#include "ledger.h"
#include "site_fixture.h"

static struct config config;
static struct sli slis[CAP_TARGETS];
static struct result last[CAP_TARGETS];
static bool seen[CAP_TARGETS];
static struct agent_numbers numbers;
static struct ledger histories;
static bool with_histories;

/* All of it, the agent's series included. */
static inline struct metrics_view whole_view(void)
{
    return (struct metrics_view){.config = &config,
                                 .slis = slis,
                                 .last = last,
                                 .seen = seen,
                                 .agent = &numbers,
                                 .ledger = with_histories ? &histories : NULL,
                                 .epoch = 0x123456780badcafe,
                                 .only_probe = -1};
}

/* So many events of each target, all in all windows. */
static inline void measure_histories(unsigned good, unsigned bad)
{
    ledger_init(&histories, 1);
    (void)ledger_bind(&histories, &config);
    for (unsigned i = 0; i < config.target_count; i++) {
        struct record record = {.sort = RECORD_RESULT, .target = histories.entries[i].id};
        for (unsigned j = 0; j < good + bad; j++) {
            record.outcome = j < good ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
            record.reason = j < good ? REASON_NONE : REASON_TIMEOUT;
            ledger_apply(&histories, &record);
        }
    }
    with_histories = true;
}

/* Both targets measured, with what either kind can tell. */
static inline void measure_site(void)
{
    fixture_site(&config);
    for (unsigned i = 0; i < 2; i++) {
        sli_init(&slis[i], config_target_probe(&config, i));
        seen[i] = true;
    }
    fixture_success(&last[0], 0);
    fixture_exception(&last[1], 1);
    for (unsigned i = 0; i < 500; i++) {
        last[0].duration_us = (usec_t)i * i * 60;
        fixture_count(&slis[0], &last[0]);
        fixture_count(&slis[1], &last[1]);
    }
}

#endif

/* The files that make decisions of samples: rules for Prometheus, and how it scrapes and whom
 * Alertmanager tells. Each is written whole; who calls looks at ferror(). */
#ifndef PICKET_RULES_H
#define PICKET_RULES_H

#include <stdio.h>

#include "fleet.h"

/* The Pushgateway's job in scrapes; the rules select it by this. */
#define RULES_GATEWAY_JOB "picket-pushgateway"

/* Groups of recording rules for SLOs, and the alerts on how fast budgets burn. The fleet is sorted
 * (fleet_sort). */
void rules_write_slos(FILE *out, const struct fleet *fleet);
/* SLOs that can end in no page, or no alert at all, one line each. */
void rules_note_slos(FILE *out, const struct fleet *fleet);

/* The inventory, and the alerts on the agents themselves and on the gateway. */
void rules_write_agents(FILE *out, const struct fleet *fleet);

/* The block scrape_configs for Prometheus. */
void rules_write_prometheus(FILE *out, const struct fleet *fleet);
/* A whole configuration of Alertmanager. */
void rules_write_alertmanager(FILE *out);

/* How old a push may be before the site counts as silent (to which the alert's `for` is added). */
usec_t rules_silent_us(const struct fleet *fleet);

#endif

/* Decodes delimited io.prometheus.client.MetricFamily messages (prometheus/client_model,
 * metrics.proto) into text lines, for the lab's receiver. Bounded by its input; anything that is
 * not well formed is refused whole. */
#ifndef PICKET_METRIC_FAMILY_H
#define PICKET_METRIC_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct metric_family_totals {
    unsigned families, series;
    double results_total; /* sum of the samples of picket_probe_results_total */
};

/* Writes each family as text 0.0.4 to `out` (NULL: only checks and counts), with `labels`
 * (`job="picket",site="x"`) in front of each sample's own. False when malformed. */
bool metric_families_print(const uint8_t *bytes, size_t size, const char *labels, FILE *out,
                           struct metric_family_totals *totals);

#endif

/* Pieces of PromQL that several dashboards ask. Each defines IN, its matchers of labels. `by` is ""
 * or " by (…)". Names of records are those of `picket rules`. */
#ifndef PICKET_DASHBOARD_PROMQL_H
#define PICKET_DASHBOARD_PROMQL_H

/* For a variable of Grafana. */
#define SITES "label_values(picket_build_info{job=\"picket\"}, site)"

#define RUNS(result, by, range)                                                                    \
    "sum" by " (increase(picket_probe_results_total{" IN ",result=~\"" result "\"}[" range "]))"
/* Of the runs that could measure. */
#define SHARE(result, by, range) RUNS(result, by, range) "\n  / " RUNS("success|failure", by, range)
#define BUDGET                   "slo:picket_slo_error_budget_remaining:ratio{" IN "}"
#define BAD(w)                   "slo:picket_slo_errors_per_event:ratio_rate" w "{" IN "}"
#define BURN(w)                  BAD(w) "\n  / (1 - slo:picket_slo_objective:ratio{" IN "})"
#define QUANTILE(q, by)                                                                            \
    "histogram_quantile(" q ", sum by (" by ") (\n"                                                \
    "  rate(picket_probe_duration_seconds_bucket{" IN "}[$__rate_interval])))"

#endif

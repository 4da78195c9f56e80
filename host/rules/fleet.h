/* What rules and dashboards have to know of a fleet, read from the configurations of its sites one
 * by one: who there is, which SLOs have which window, where they push to and how often. All else
 * the series say themselves, so rules do not grow with the fleet, but for its inventory.
 *
 * Memory: from the heap, grown as sites are added. */
#ifndef PICKET_FLEET_H
#define PICKET_FLEET_H

#include "config.h"
#include "metrics.h"

struct fleet_site {
    char *name;
    const char *file; /* borrowed */
};

/* An SLO of a probe, or of a group, at a site. */
struct fleet_slo {
    size_t site;                       /* index */
    char probe[CAP_NAME_BYTES];        /* the label `probe`; "": of a group */
    char name[METRICS_SLO_NAME_BYTES]; /* the label `slo` */
    usec_t window_us, interval_us;
    usec_t threshold_us; /* of a latency SLO, else 0 */
    int64_t objective_ppm;
};

enum { FLEET_KINDS = 16 };

struct fleet {
    struct fleet_site *sites;
    struct fleet_slo *slos;
    char **gateways; /* distinct URLs, without slashes at the end */
    size_t site_count, slo_count, gateway_count;
    usec_t push_interval_us; /* the longest */
    usec_t run_interval_us;  /* the longest a site goes without any run */
    unsigned slots;          /* the fewest runs a site may have in flight; 0: no site */
    const struct probe_kind *kinds[FLEET_KINDS]; /* of enabled probes */
    size_t kind_count;
};

/* Reads the files (as `check` does) and adds their sites. Each mistake goes to stderr as FILE:LINE:
 * message; two files for one site are one. False when there was any. */
bool fleet_load(struct fleet *fleet, char **files, size_t count);
/* Sorts SLOs: by probe, name and window, then by site. */
void fleet_sort(struct fleet *fleet);
void fleet_free(struct fleet *fleet);

#endif

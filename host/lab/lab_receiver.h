/* A push receiver with a Pushgateway's manners (prometheus/pushgateway README, HTTP API): PUT,
 * POST and DELETE on /metrics/job/…, GET /metrics as text 0.0.4, delimited protobuf bodies only.
 * It checks what the lab needs to show that samples arrive; it is no replacement for a Pushgateway,
 * which the live tests use. */
#ifndef PICKET_LAB_RECEIVER_H
#define PICKET_LAB_RECEIVER_H

#include "lab.h"

struct lab_receiver *lab_receiver_new(void);

struct lab_receiver_totals {
    unsigned long long pushes, rejected;
    unsigned groups;
    unsigned series;      /* in the newest push */
    unsigned bytes;       /* likewise */
    double seconds_since; /* the newest push; negative: none yet */
    double results_total; /* sum of picket_probe_results_total over all groups */
};

struct lab_receiver_totals lab_receiver_totals(struct lab_receiver *receiver);

#endif

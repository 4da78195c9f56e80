/* A site in simulated time: the store's own code on a device in memory that counts what it is
 * given, fed with results as a site of 50 probes has them. */
#ifndef PICKET_BENCH_SITE_H
#define PICKET_BENCH_SITE_H

#include "store.h"

#define BENCH_SITE_PROBES   50
#define BENCH_SITE_INTERVAL (30 * USEC_PER_SEC)

struct bench_device {
    uint8_t *bytes, *made;
    uint32_t count, made_count;
    uint64_t blocks_written, syncs; /* after PUBLISH: what the life of the store costs */
    struct block_reply reply;
    bool is_done;
};

struct bench_site {
    struct config config;
    struct bench_device device;
    struct tail tail;
    struct store store;
    struct prng prng;
    usec_t now_us;
    usec_t due_us[BENCH_SITE_PROBES];
    usec_t duration_us[BENCH_SITE_PROBES]; /* about how long each takes */
    uint64_t results;
};

/* 50 http probes every 30 s, `commit` 60 s, pushed every 60 s. False when it cannot be. */
bool bench_site_open(struct bench_site *site, const char *store_size);
/* Lets it run, a turn every `turn_us`; every push is accepted. */
void bench_site_run(struct bench_site *site, usec_t duration_us, usec_t turn_us);
/* Stops it in order; the file stands in site->device. */
void bench_site_close(struct bench_site *site);

#endif

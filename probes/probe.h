/* The interface every kind of probe implements: one const table per kind.
 *
 * The runner owns deadline, concurrency, attempts, name resolution and total duration. A probe
 * marks the end of each phase in run->result, decides the verdict once, and answers how to go on.
 *
 * Rules for step(): never block; a slice of work ends within 10 ms (a TLS handshake: one state per
 * call, then YIELD); read run->now_us for decisions and the clock next to the system call that is
 * measured. After DONE or cancel() a run holds no descriptor. A run may be stepped for no reason:
 * readiness is only a hint.
 *
 * Memory: open() may allocate (patterns, trust chains) and is called once per target at start;
 * start/step/cancel must not, except inside the library of the kind. The per-run state is
 * `run_bytes` bytes of the runner (struct run, `state`). */
#ifndef PICKET_PROBE_H
#define PICKET_PROBE_H

#include "clock.h"
#include "config.h"
#include "kind.h"
#include "resolver.h"
#include "result.h"
#include "vitals.h"
#include "waits.h"

/* For probe_kind.reasons: those of everything that connects over TCP, and of a TLS client. */
#define PROBE_REASONS_TCP                                                                          \
    (REASON_BIT(REASON_RESOLVE) | REASON_BIT(REASON_CONNECT) | REASON_BIT(REASON_REFUSED) |        \
     REASON_BIT(REASON_UNREACHABLE) | REASON_BIT(REASON_TIMEOUT) | REASON_BIT(REASON_RESET))
#define PROBE_REASONS_TLS                                                                          \
    (REASON_BIT(REASON_TLS_HANDSHAKE) | REASON_BIT(REASON_TLS_POLICY) |                            \
     REASON_BIT(REASON_CERT_EXPIRED) | REASON_BIT(REASON_CERT_NOT_YET_VALID) |                     \
     REASON_BIT(REASON_CERT_UNTRUSTED) | REASON_BIT(REASON_CERT_NAME))

enum progress {
    PROGRESS_WAIT,  /* step again when a descriptor in waits() is ready or its wake has come */
    PROGRESS_YIELD, /* runnable: step again, after the others had a turn */
    PROGRESS_DONE,  /* the verdict stands in run->result */
};

/* Where a target is, for the runner to resolve before start(). */
struct endpoint {
    char host[256]; /* a name or address literal; "": nothing to resolve (serial line, file) */
    uint16_t port;
};

struct run {
    const struct config *config;
    const struct config_probe *probe;
    unsigned target;
    unsigned slot;  /* 0 .. CAP_RUNS - 1, for state kept per slot */
    void *prepared; /* what open() made for this target */
    void *state;    /* run_bytes, of which zeroed_bytes are zeroed before start() */
    struct result *result;
    const struct clock *clock;
    const struct endpoint *endpoint;
    const struct address *addresses; /* of the endpoint; none when host is "" */
    unsigned address_count;
    usec_t now_us;      /* of this turn */
    usec_t deadline_us; /* the runner cancels then; for probes that divide their time */
};

struct probe_ops {
    struct probe_kind kind;
    size_t run_bytes;
    /* Optional, 0: all of them. Buffers whose use is counted come last in a state and are left as
     * they are: so what no run needs of them is never touched, and costs no memory. */
    size_t zeroed_bytes;

    /* Prepares a target (never fails for a configuration that check() accepted, except for what
     * only the machine knows: a CA file that cannot be read). *endpoint is filled. On an error
     * `why` says it in one line. close() frees; it is not called after a failed open(). */
    enum error (*open)(const struct config *config, const struct config_probe *probe,
                       unsigned target, void **prepared, struct endpoint *endpoint, char *why,
                       size_t why_size);
    void (*close)(void *prepared);
    /* Optional. The path that runs of this target open, NULL when they open none; *device tells
     * whether it is a device, which they write to as well. Borrowed from `prepared`. Whatever is
     * not named here is out of a run's reach (sandbox.h). */
    const char *(*path)(const void *prepared, bool *device);

    enum progress (*start)(struct run *run);
    enum progress (*step)(struct run *run, const struct waits *ready);
    /* Adds what the run waits for. Called after WAIT. */
    void (*waits)(struct run *run, struct waits *waits);
    /* Ends the run now, at any moment, twice if need be; never blocks. For a run that was cut off
     * it marks nothing; on_deadline() may be asked first. */
    void (*cancel)(struct run *run);
    /* Optional. Called when the deadline cuts the run, before cancel(): closes the open phase and
     * decides which phase is blamed; the runner fails with `timeout` in the phase it returns. */
    enum phase (*current_phase)(struct run *run);

    /* Optional. Called once for each opened target, before its first run and once the process has
     * the rights it is going to have: work that goes on beside the loop may begin its threads now,
     * and shows its signs of life in the row VITAL_WORKER + target from now on. `vitals` is
     * borrowed until close(). Targets that share such work share the row of the first of them. */
    void (*watch)(void *prepared, struct vitals *vitals, unsigned target);
    /* Optional. Called about once a second for each opened target, whether a run goes on or not, in
     * turns of the loop that happen anyway: for what went wrong in that work. */
    void (*tend)(void *prepared, usec_t now_us);
};

#endif

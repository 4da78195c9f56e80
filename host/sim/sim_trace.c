#include "sim_trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "sim.h"

static const char *const names[SIM_EVENT_COUNT] = {
    [SIM_BOOT] = "boot",
    [SIM_RESET] = "reset by the watchdog",
    [SIM_POWER_CUT] = "power cut",
    [SIM_STUCK] = "kernel stuck",
    [SIM_SUPERVISOR] = "supervisor begins",
    [SIM_SUPERVISOR_GONE] = "supervisor gone",
    [SIM_BORN] = "life begins",
    [SIM_RUNNING] = "life runs",
    [SIM_ENDED] = "life ended",
    [SIM_STOP] = "asked to stop",
    [SIM_ABORT] = "SIGABRT",
    [SIM_KILL] = "SIGKILL",
    [SIM_PHASE] = "phase",
    [SIM_GROUPS] = "groups",
    [SIM_ARM] = "watchdog started",
    [SIM_DISARM] = "watchdog stopped",
    [SIM_TRIGGER] = "watchdog triggered",
    [SIM_ACTION] = "site action",
    [SIM_KEEP_GOOD] = "configuration proved",
    [SIM_ROLL_OUT] = "file edited",
    [SIM_ROLL_BACK] = "file left",
    [SIM_FAULT] = "fault",
    [SIM_STORE] = "store",
    [SIM_HEAL] = "all faults heal",
    [SIM_WELL] = "all is well",
    [SIM_FEED] = "fed",
    [SIM_START] = "run started",
    [SIM_RESULT] = "result",
    [SIM_PUSH] = "push",
    [SIM_REPLY] = "reply",
    [SIM_DISK_OP] = "disk",
};

const char *sim_time(usec_t at_us, char text[SIM_TIME_BYTES])
{
    int64_t seconds = at_us / USEC_PER_SEC;
    (void)snprintf(text, SIM_TIME_BYTES, "%" PRId64 "d %02d:%02d:%02d.%06d", seconds / 86400,
                   (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60),
                   (int)(at_us % USEC_PER_SEC));
    return text;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 32);
}

void sim_trace(struct sim *sim, enum sim_event event, int64_t a, int64_t b, const char *text)
{
    struct sim_trace *trace = &sim->trace;
    char time[SIM_TIME_BYTES];
    trace->events++;
    trace->hash = mix(trace->hash, (uint64_t)sim->now_us);
    trace->hash = mix(trace->hash, (uint64_t)event);
    trace->hash = mix(mix(trace->hash, (uint64_t)a), (uint64_t)b);
    bool told =
        trace->verbosity == SIM_ALL || (trace->verbosity == SIM_TOLD && event < SIM_FIRST_QUIET);
    if (told) {
        printf("%s  %-22s %" PRId64 " %" PRId64 " %s\n", sim_time(sim->now_us, time), names[event],
               a, b, text != NULL ? text : "");
    }
}

void sim_trace_log(const struct sim *sim, const char *who, const char *text)
{
    char time[SIM_TIME_BYTES];
    if (sim->trace.verbosity != SIM_SILENT) {
        printf("%s    %s: %s\n", sim_time(sim->now_us, time), who, text);
    }
}

/* The keys the core itself knows, section by section. What a user reads with --help is this table.
 */
#include "config_parts.h"
#include "profile.h"
#include "recovery.h"

#if CAP_RUNS < 16
#define DEFAULT_CONCURRENCY CONFIG_STRING(CAP_RUNS)
#else
#define DEFAULT_CONCURRENCY "16"
#endif

#define MIN_INTERVAL     (100 * USEC_PER_MSEC)
#define MAX_INTERVAL     (30 * USEC_PER_DAY)
#define MIN_TIMEOUT      (10 * USEC_PER_MSEC)
#define MAX_TIMEOUT      USEC_PER_HOUR
#define MIN_PUSH_TIMEOUT (100 * USEC_PER_MSEC)
#define MAX_PUSH_TIMEOUT (5 * USEC_PER_MINUTE)
#define MIN_STORE        (INT64_C(64) << 10)
#define MAX_STORE        (INT64_C(64) << 20)
#define MIN_FLASH        (INT64_C(64) << 10)
#define MAX_FLASH        (INT64_C(16) << 40)
#define MIN_MEMORY       (INT64_C(4) << 20)
#define MAX_MEMORY       (INT64_C(64) << 30)

static const char *const ip_choices[] = {"any", "prefer4", "prefer6", "4", "6", NULL};
static const char *const clock_choices[] = {"plausible", "synced", NULL};
static const char *const flash_choices[] = {"emmc", "sd", "nor", "nand", "disk", NULL};
static const char *const wear_choices[] = {"refuse", "accept", NULL};
static const char *const sandbox_choices[] = {"off", "on", "strict", NULL};
static const char *const level_choices[] = {"error", "warning", "info", "debug", NULL};

const struct config_key config_agent_keys[AGENT_KEY_COUNT] = {
    [AGENT_SITE] = {.name = "site",
                    .type = SETTING_TEXT,
                    .fallback = "local",
                    .help = "name of this site; required to push"},
    [AGENT_LABEL] = {.name = "label",
                     .type = SETTING_RAW,
                     .flags = KEY_REPEATS,
                     .help = "NAME=VALUE on every series"},
    [AGENT_INCLUDE] = {.name = "include",
                       .type = SETTING_TEXT,
                       .flags = KEY_REPEATS,
                       .help = "file or pattern to read too, relative to this file"},
    [AGENT_STORE] = {.name = "store",
                     .type = SETTING_TEXT,
                     .fallback = PROFILE_STORE,
                     .help = "file that keeps results over restarts; none: memory only"},
    [AGENT_STORE_SIZE] = {.name = "store_size",
                          .type = SETTING_SIZE,
                          .min = MIN_STORE,
                          .max = MAX_STORE,
                          .fallback = PROFILE_STORE_SIZE,
                          .help = "size of the store, fixed when it is made"},
    [AGENT_COMMIT] = {.name = "commit",
                      .type = SETTING_DURATION,
                      .min = USEC_PER_SEC,
                      .max = USEC_PER_HOUR,
                      .fallback = PROFILE_COMMIT,
                      .help = "at most this much is lost to a power cut"},
    [AGENT_CONCURRENCY] = {.name = "concurrency",
                           .type = SETTING_INTEGER,
                           .min = 1,
                           .max = CAP_RUNS,
                           .fallback = DEFAULT_CONCURRENCY,
                           .help = "probes in flight at once"},
    [AGENT_SOCKET] = {.name = "socket",
                      .type = SETTING_TEXT,
                      .fallback = "/run/picket/status.sock",
                      .help = "unix socket of the status verb, or none"},
    [AGENT_CLOCK_TRUST] = {.name = "clock_trust",
                           .type = SETTING_CHOICE,
                           .choices = clock_choices,
                           .fallback = "plausible",
                           .help = "when wall time is believed: plausible or synced"},
    [AGENT_LOG_LEVEL] = {.name = "log_level",
                         .type = SETTING_CHOICE,
                         .choices = level_choices,
                         .fallback = "info",
                         .help = "least severe line that is logged"},
    [AGENT_FLASH] = {.name = "flash",
                     .type = SETTING_CHOICE,
                     .choices = flash_choices,
                     .fallback = PROFILE_FLASH,
                     .help = "what the store lies on: emmc, sd, nor, nand, or disk (never worn)"},
    [AGENT_FLASH_SIZE] = {.name = "flash_size",
                          .type = SETTING_SIZE,
                          .min = MIN_FLASH,
                          .max = MAX_FLASH,
#ifdef PROFILE_FLASH_SIZE
                          .fallback = PROFILE_FLASH_SIZE,
#endif
                          .help = "size of the flash or of its partition; unset: by its type"},
    [AGENT_FLASH_WEAR] = {.name = "flash_wear",
                          .type = SETTING_CHOICE,
                          .choices = wear_choices,
                          .fallback = "refuse",
                          .help = "a flash that lasts less than 5 years: refuse or accept"},
    [AGENT_USER] = {.name = "user",
                    .type = SETTING_TEXT,
                    .help = "user the agent becomes when root starts it; unset: it stays root"},
    [AGENT_SANDBOX] = {.name = "sandbox",
                       .type = SETTING_CHOICE,
                       .choices = sandbox_choices,
                       .fallback = "on",
                       .help = "what the kernel keeps the agent from: on, strict (all of it, or no "
                               "start) or off"},
};

const struct config_key config_push_keys[PUSH_KEY_COUNT] = {
    [PUSH_URL] = {.name = "url",
                  .type = SETTING_TEXT,
                  .help = "Pushgateway to push to; unset: nothing is pushed"},
    [PUSH_INTERVAL] = {.name = "interval",
                       .type = SETTING_DURATION,
                       .min = USEC_PER_SEC,
                       .max = USEC_PER_HOUR,
                       .fallback = "60s",
                       .help = "time from push to push"},
    [PUSH_TIMEOUT] = {.name = "timeout",
                      .type = SETTING_DURATION,
                      .min = MIN_PUSH_TIMEOUT,
                      .max = MAX_PUSH_TIMEOUT,
                      .fallback = "30s",
                      .help = "longest time one push may take"},
    [PUSH_USERNAME] = {.name = "username",
                       .type = SETTING_TEXT,
                       .help = "user of basic authentication"},
    [PUSH_PASSWORD_FILE] = {.name = "password_file",
                            .type = SETTING_TEXT,
                            .help = "file that holds the user's password"},
    [PUSH_BEARER_FILE] = {.name = "bearer_file",
                          .type = SETTING_TEXT,
                          .help = "file that holds a bearer token"},
    [PUSH_CA_FILE] = {.name = "ca_file",
                      .type = SETTING_TEXT,
                      .help = "PEM file of CAs instead of the system's"},
    [PUSH_CERT_FILE] = {.name = "cert_file",
                        .type = SETTING_TEXT,
                        .help = "PEM client certificate"},
    [PUSH_KEY_FILE] = {.name = "key_file", .type = SETTING_TEXT, .help = "PEM key of cert_file"},
    [PUSH_VERIFY] = {.name = "verify",
                     .type = SETTING_SWITCH,
                     .fallback = "on",
                     .help = "check the certificate against the CAs and the name"},
};

const struct config_key config_status_keys[STATUS_KEY_COUNT] = {
    [STATUS_LISTEN] = {.name = "listen",
                       .type = SETTING_TEXT,
                       .help = "ADDRESS:PORT of the status page; unset: there is none"},
};

const struct config_key config_watchdog_keys[WATCHDOG_KEY_COUNT] = {
    [WATCHDOG_DEVICE] = {.name = "device",
                         .type = SETTING_TEXT,
                         .fallback = PROFILE_WATCHDOG_DEVICE,
                         .help = "none, systemd, procd or a path below /dev"},
    [WATCHDOG_TIMEOUT] = {.name = "timeout",
                          .type = SETTING_DURATION,
                          .min = USEC_PER_SEC,
                          .max = USEC_PER_HOUR,
                          .fallback = PROFILE_WATCHDOG_TIMEOUT,
                          .help = "the board is reset after this long without a sign of life"},
    [WATCHDOG_FEED] = {.name = "feed",
                       .type = SETTING_DURATION,
                       .min = USEC_PER_SEC,
                       .max = USEC_PER_HOUR / 2,
                       .help = "time between two feedings; unset: a sixth of timeout"},
    [WATCHDOG_HANG] = {.name = "hang",
                       .type = SETTING_DURATION,
                       .min = USEC_PER_SEC,
                       .max = 10 * USEC_PER_MINUTE,
                       .fallback = "5s",
                       .help = "the agent is ended when its loop is silent for longer"},
    [WATCHDOG_ABORT] = {.name = "abort",
                        .type = SETTING_DURATION,
                        .min = 100 * USEC_PER_MSEC,
                        .max = USEC_PER_MINUTE,
                        .fallback = "2s",
                        .help = "it is killed when it does not end within this"},
    [WATCHDOG_OVERRUNS] =
        {.name = "overruns",
         .type = SETTING_INTEGER,
         .min = 0,
         .max = 1000,
         .fallback = "20",
         .help = "a probe that ends past its timeout this often runs less often; 0: never"},
    [WATCHDOG_SUBSYSTEM_RESTARTS] = {.name = "subsystem_restarts",
                                     .type = SETTING_INTEGER,
                                     .min = 0,
                                     .max = 100, /* MODBUS_WRITE_OFFS_MAX */
                                     .fallback = "3",
                                     .help = "restarts of the push, or of one Modbus endpoint's "
                                             "thread, within restart_window; then the agent is "
                                             "restarted"},
    [WATCHDOG_RESTARTS] = {.name = "restarts",
                           .type = SETTING_INTEGER,
                           .min = 2,
                           .max = RECOVERY_RESTARTS_MAX,
                           .fallback = "5",
                           .help =
                               "ends of the agent within restart_window that lead to safe mode"},
    [WATCHDOG_RESTART_WINDOW] = {.name = "restart_window",
                                 .type = SETTING_DURATION,
                                 .min = USEC_PER_MINUTE,
                                 .max = USEC_PER_DAY,
                                 .fallback = "10m",
                                 .help = "how far back restarts are counted"},
    [WATCHDOG_CANARY] = {.name = "canary",
                         .type = SETTING_TEXT,
                         .help =
                             "the probe that runs in safe mode; unset: the first that is enabled"},
    [WATCHDOG_SAFE_TIME] = {.name = "safe_time",
                            .type = SETTING_DURATION,
                            .min = USEC_PER_SEC,
                            .max = USEC_PER_DAY,
                            .fallback = "10m",
                            .help = "safe mode ends, and a configuration is good, after this "
                                    "long without trouble"},
    [WATCHDOG_ROLLBACK] = {.name = "rollback",
                           .type = SETTING_DURATION,
                           .min = 0,
                           .max = 7 * USEC_PER_DAY,
                           .help = "a new configuration without a push accepted in this time is "
                                   "left for the last known good one; 0: never; unset: 15m, or "
                                   "three intervals of the push"},
    [WATCHDOG_REJOIN_STEP] = {.name = "rejoin_step",
                              .type = SETTING_DURATION,
                              .min = USEC_PER_SEC,
                              .max = USEC_PER_HOUR,
                              .fallback = "1m",
                              .help = "time from one group of probes let back in to the next"},
    [WATCHDOG_REJOIN_TRIES] =
        {.name = "rejoin_tries",
         .type = SETTING_INTEGER,
         .min = 1,
         .max = 100,
         .fallback = "3",
         .help = "failures to leave safe mode; then it stays, or the board is reset"},
    [WATCHDOG_REBOOT] = {.name = "reboot",
                         .type = SETTING_SWITCH,
                         .fallback = "off",
                         .help = "reset the board when safe mode cannot be left"},
    [WATCHDOG_REBOOT_BUDGET] =
        {.name = "reboot_budget",
         .type = SETTING_INTEGER,
         .min = 0,
         .max = 100,
         .fallback = "3",
         .help = "resets by the watchdog in 24 h; then it is not fed but stopped"},
    [WATCHDOG_MEMORY] = {.name = "memory",
                         .type = SETTING_SIZE,
                         .min = MIN_MEMORY,
                         .max = MAX_MEMORY,
                         .fallback = "64M",
                         .help = "the agent is restarted when it takes up more"},
    [WATCHDOG_DESCRIPTORS] = {.name = "descriptors",
                              .type = SETTING_INTEGER,
                              .min = 32,
                              .max = 1000000,
                              .fallback = "900",
                              .help = "the agent is restarted when it holds more open files"},
    [WATCHDOG_ACTION] =
        {.name = "action",
         .type = SETTING_TEXT,
         .help = "command that mends the uplink: an absolute path and its arguments, no shell"},
    [WATCHDOG_ACTION_REFERENCE] =
        {.name = "action_reference",
         .type = SETTING_TEXT,
         .flags = KEY_REPEATS,
         .help = "probe that fails too when the fault is local; all of them must"},
    [WATCHDOG_ACTION_AFTER] = {.name = "action_after",
                               .type = SETTING_DURATION,
                               .min = USEC_PER_MINUTE,
                               .max = USEC_PER_DAY,
                               .fallback = "15m",
                               .help = "how long nothing may have got through"},
    [WATCHDOG_ACTION_COOLDOWN] = {.name = "action_cooldown",
                                  .type = SETTING_DURATION,
                                  .min = USEC_PER_MINUTE,
                                  .max = 30 * USEC_PER_DAY,
                                  .fallback = "1h",
                                  .help = "least time between two actions"},
    [WATCHDOG_ACTION_BUDGET] = {.name = "action_budget",
                                .type = SETTING_INTEGER,
                                .min = 1,
                                .max = 100,
                                .fallback = "4",
                                .help = "actions in 24 h"},
    [WATCHDOG_ACTION_TIMEOUT] = {.name = "action_timeout",
                                 .type = SETTING_DURATION,
                                 .min = USEC_PER_SEC,
                                 .max = USEC_PER_HOUR,
                                 .fallback = "1m",
                                 .help = "the command is killed after this long"},
    [WATCHDOG_ACTION_DRY_RUN] = {.name = "action_dry_run",
                                 .type = SETTING_SWITCH,
                                 .fallback = "off",
                                 .help = "log and count actions, but do not run them"},
};

const struct config_key config_group_keys[GROUP_KEY_COUNT] = {
    [GROUP_PROBE] = {.name = "probe",
                     .type = SETTING_TEXT,
                     .flags = KEY_REPEATS,
                     .help = "a probe whose targets count in it"},
    [GROUP_SLO] = {.name = "slo",
                   .type = SETTING_RAW,
                   .flags = KEY_REPEATS,
                   .help = "availability RATE WINDOW, or latency RATE THRESHOLD WINDOW, of all its "
                           "events together"},
};

const struct config_key config_maintenance_keys[MAINTENANCE_KEY_COUNT] = {
    [MAINTENANCE_TIME] = {.name = "time",
                          .type = SETTING_TEXT,
                          .flags = KEY_REPEATS,
                          .help = "when, in UTC: 'FROM UNTIL' like 2026-12-01T22:00:00Z "
                                  "2026-12-02T02:00:00Z, 'daily 02:00-04:00', 'sat,sun "
                                  "22:00-02:00'"},
    [MAINTENANCE_PROBE] = {.name = "probe",
                           .type = SETTING_TEXT,
                           .flags = KEY_REPEATS,
                           .help = "a probe that is not judged then; unset: all"},
};

const struct config_key config_probe_keys[PROBE_KEY_COUNT] = {
    [PROBE_INTERVAL] = {.name = "interval",
                        .type = SETTING_DURATION,
                        .min = MIN_INTERVAL,
                        .max = MAX_INTERVAL,
                        .fallback = "30s",
                        .help = "time from start to start"},
    [PROBE_TIMEOUT] = {.name = "timeout",
                       .type = SETTING_DURATION,
                       .min = MIN_TIMEOUT,
                       .max = MAX_TIMEOUT,
                       .fallback = "5s",
                       .help = "longest time of one run; at most the interval"},
    [PROBE_ATTEMPTS] = {.name = "attempts",
                        .type = SETTING_INTEGER,
                        .min = 1,
                        .max = 10,
                        .fallback = "1",
                        .help = "tries within one timeout before a run has failed"},
    [PROBE_LABEL] = {.name = "label",
                     .type = SETTING_RAW,
                     .flags = KEY_REPEATS,
                     .help = "NAME=VALUE on the probe's series"},
    [PROBE_SLO] = {.name = "slo",
                   .type = SETTING_RAW,
                   .flags = KEY_REPEATS,
                   .help = "availability RATE WINDOW, or latency RATE THRESHOLD WINDOW"},
    [PROBE_DEPENDS_ON] = {.name = "depends_on",
                          .type = SETTING_TEXT,
                          .help = "name of a probe; while it fails, results here are unknown"},
    [PROBE_ENABLED] = {.name = "enabled",
                       .type = SETTING_SWITCH,
                       .fallback = "on",
                       .help = "off: configured and reported, but never run"},
    [PROBE_IP] = {.name = "ip",
                  .type = SETTING_CHOICE,
                  .choices = ip_choices,
                  .fallback = "any",
                  .help = "IP version: any, prefer4, prefer6, or only 4 or 6"},
    [PROBE_SOURCE] = {.name = "source",
                      .type = SETTING_TEXT,
                      .help = "address or interface to send from"},
};

const struct config_fixed config_fixed_sections[CONFIG_FIXED_COUNT] = {
    {"agent", offsetof(struct config, agent), config_agent_keys, AGENT_KEY_COUNT},
    {"push", offsetof(struct config, push), config_push_keys, PUSH_KEY_COUNT},
    {"status", offsetof(struct config, status), config_status_keys, STATUS_KEY_COUNT},
    {"watchdog", offsetof(struct config, watchdog), config_watchdog_keys, WATCHDOG_KEY_COUNT},
    {"defaults", offsetof(struct config, defaults), config_probe_keys, PROBE_KEY_COUNT},
};

const struct config_named config_named_sections[CONFIG_NAMED_COUNT] = {
    {"maintenance", "maintenance", config_maintenance_keys, MAINTENANCE_KEY_COUNT,
     offsetof(struct config, maintenances), sizeof(struct config_maintenance),
     offsetof(struct config, maintenance_count), CAP_MAINTENANCES, LIMIT_MAINTENANCES},
    {"slo", "group", config_group_keys, GROUP_KEY_COUNT, offsetof(struct config, groups),
     sizeof(struct config_group), offsetof(struct config, group_count), CAP_SLO_GROUPS,
     LIMIT_GROUPS},
};

/* The keys the core itself knows, section by section. What a user reads with --help is this table.
 */
#include "config_parts.h"

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
                     .help = "file that keeps results over restarts; unset: memory only"},
    [AGENT_STORE_SIZE] = {.name = "store_size",
                          .type = SETTING_SIZE,
                          .min = MIN_STORE,
                          .max = MAX_STORE,
                          .fallback = "1M",
                          .help = "size of the store, fixed when it is made"},
    [AGENT_COMMIT] = {.name = "commit",
                      .type = SETTING_DURATION,
                      .min = USEC_PER_SEC,
                      .max = USEC_PER_HOUR,
                      .fallback = "60s",
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
                     .fallback = "emmc",
                     .help = "what the store lies on: emmc, sd, nor, nand, or disk (never worn)"},
    [AGENT_FLASH_SIZE] = {.name = "flash_size",
                          .type = SETTING_SIZE,
                          .min = MIN_FLASH,
                          .max = MAX_FLASH,
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

const struct config_key config_watchdog_keys[WATCHDOG_KEY_COUNT] = {
    [WATCHDOG_DEVICE] = {.name = "device",
                         .type = SETTING_TEXT,
                         .fallback = "none",
                         .help = "none, systemd, procd or a path below /dev"},
    [WATCHDOG_TIMEOUT] = {.name = "timeout",
                          .type = SETTING_DURATION,
                          .min = USEC_PER_SEC,
                          .max = USEC_PER_HOUR,
                          .fallback = "60s",
                          .help = "the board is reset after this long without a sign of life"},
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
    {"watchdog", offsetof(struct config, watchdog), config_watchdog_keys, WATCHDOG_KEY_COUNT},
    {"defaults", offsetof(struct config, defaults), config_probe_keys, PROBE_KEY_COUNT},
};

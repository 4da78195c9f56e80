#include "daemon.h"

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "cares_resolver.h"
#include "daemon_store.h"
#include "linux_clock.h"
#include "linux_logger.h"
#include "loop.h"
#include "page_server.h"
#include "push_transport.h"
#include "registry.h"
#include "reload.h"
#include "runner.h"
#include "sandbox.h"
#include "signals.h"
#include "status_server.h"
#include "version.h"

/* Long enough for the runs in flight, a commit and one push; shorter than systemd's patience (90
 * s).
 */
#define STOP_TIME_US (15 * USEC_PER_SEC)

struct daemon {
    const struct config *config;
    const struct supervised *supervised;
    const char *socket_path; /* NULL: no status socket */
    enum clock_trust trust;
    struct clock clock;
    struct linux_logger logger_state;
    struct logger logger;
    struct sandbox_plan sandbox;
    struct cares_resolver *resolver;
    struct resolver resolver_port;
    struct runner *runner;
    struct push_transport *transport; /* NULL: nothing is pushed */
    struct daemon_store store;
    void *body;
    struct agent agent;
    usec_t agent_wake_us;
    struct status_server server;
    struct page_server page;
    struct signals signals;
    struct reload reload;
    struct loop loop;
    bool start_again; /* with what the machine has now, or … */
    bool reloads;     /* … with the file, which the parent has checked */
    bool stop_asked;  /* by a signal: there is no way back, and the next one means now */
};

static struct daemon daemon_state;

static void log_config_error(void *context, const char *file, unsigned line, const char *message)
{
    struct daemon *daemon = context;
    if (line > 0) {
        logger_printf(&daemon->logger, LOG_LEVEL_ERROR, "%s:%u: %s", file, line, message);
    } else {
        logger_printf(&daemon->logger, LOG_LEVEL_ERROR, "%s: %s", file, message);
    }
}

static void stop(struct daemon *daemon, usec_t now_us)
{
    usec_t patience_us = daemon->stop_asked ? 0 : STOP_TIME_US;
    logger_printf(&daemon->logger, LOG_LEVEL_INFO,
                  daemon->stop_asked ? "stopping at once" : "stopping: a last push, then the end");
    daemon->stop_asked = true;
    reload_cancel(&daemon->reload);
    agent_stop(&daemon->agent, CAUSE_STOP, now_us + patience_us);
}

static void start_again(struct daemon *daemon, usec_t now_us)
{
    if (daemon->agent.state <= AGENT_RUNNING) {
        daemon->start_again = true;
        agent_stop(&daemon->agent, CAUSE_RELOAD, now_us + STOP_TIME_US);
        daemon->agent_wake_us = now_us;
    }
}

static void signals_source_waits(void *context, struct waits *waits)
{
    signals_waits(&((struct daemon *)context)->signals, waits);
}

static void signals_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    struct daemon *daemon = context;
    struct signals *signals = &daemon->signals;
    signals_step(signals, ready);
    if (signals->stop) {
        signals->stop = false;
        stop(daemon, now_us);
    }
    if (signals->reload) {
        signals->reload = false;
        if (daemon->supervised->by_parent) {
            daemon->reloads = true;
            start_again(daemon, now_us);
        } else if (!daemon->stop_asked) {
            reload_begin(&daemon->reload, now_us);
        }
    }
}

static void reload_source_waits(void *context, struct waits *waits)
{
    struct daemon *daemon = context;
    reload_waits(&daemon->reload, waits, clock_monotonic_us(&daemon->clock));
}

static void reload_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    struct daemon *daemon = context;
    reload_step(&daemon->reload, ready, now_us);
    if (daemon->reload.state == RELOAD_GOOD && daemon->agent.state <= AGENT_RUNNING) {
        agent_stop(&daemon->agent, CAUSE_RELOAD, now_us + STOP_TIME_US);
    }
}

static void resolver_source_waits(void *context, struct waits *waits)
{
    struct daemon *daemon = context;
    cares_resolver_waits(daemon->resolver, waits, clock_monotonic_us(&daemon->clock));
}

static void resolver_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    (void)now_us;
    cares_resolver_step(((struct daemon *)context)->resolver, ready);
}

static void runner_source_waits(void *context, struct waits *waits)
{
    runner_waits(((struct daemon *)context)->runner, waits);
}

static void runner_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    runner_step(((struct daemon *)context)->runner, ready, now_us);
}

static void transport_source_waits(void *context, struct waits *waits)
{
    struct daemon *daemon = context;
    if (daemon->transport) {
        push_transport_waits(daemon->transport, waits, clock_monotonic_us(&daemon->clock));
    }
}

static void transport_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    struct daemon *daemon = context;
    if (daemon->transport) {
        push_transport_step(daemon->transport, ready, now_us);
    }
}

static void store_source_waits(void *context, struct waits *waits)
{
    daemon_store_waits(&((struct daemon *)context)->store, waits);
}

/* What has ended is collected by the agent, which steps next. */
static void store_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    (void)context;
    (void)ready;
    (void)now_us;
}

static void agent_source_waits(void *context, struct waits *waits)
{
    waits_until(waits, ((struct daemon *)context)->agent_wake_us);
}

static void agent_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    struct daemon *daemon = context;
    (void)ready;
    agent_loop_lag(&daemon->agent, daemon->loop.lag_us);
    daemon->agent_wake_us = agent_step(&daemon->agent, now_us);
    bool other = daemon->agent.store.trouble == STORE_OTHER;
    if (other && daemon->agent.state == AGENT_RUNNING) { /* a file system that was mounted late */
        logger_printf(&daemon->logger, LOG_LEVEL_WARNING,
                      "another store has appeared: starting again with it");
        start_again(daemon, now_us);
    }
    const char *replaced =
        sandbox_outgrown(&daemon->sandbox, daemon->agent.store.trouble == STORE_DENIED, now_us);
    if (replaced) {
        logger_printf(&daemon->logger, LOG_LEVEL_WARNING,
                      "%s is out of the sandbox's reach now: starting again", replaced);
        start_again(daemon, now_us);
    }
}

static void server_source_waits(void *context, struct waits *waits)
{
    struct daemon *daemon = context;
    status_server_waits(&daemon->server, waits, clock_monotonic_us(&daemon->clock));
}

static void server_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    status_server_step(&((struct daemon *)context)->server, ready, now_us);
}

static void page_source_waits(void *context, struct waits *waits)
{
    page_server_waits(&((struct daemon *)context)->page, waits);
}

static void page_source_step(void *context, const struct waits *ready, usec_t now_us)
{
    page_server_step(&((struct daemon *)context)->page, ready, now_us);
}

static enum log_level configured_log_level(const struct config *config)
{
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
                                            LOG_LEVEL_DEBUG};
    return levels[config_number(config, &config->agent, AGENT_LOG_LEVEL)];
}

static enum error open_ports(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct config_errors errors = {.context = daemon, .report = log_config_error};
    if (signals_open(&daemon->signals, daemon->supervised->by_parent) ||
        !(daemon->resolver = cares_resolver_new())) {
        logger_printf(&daemon->logger, LOG_LEVEL_ERROR, "out of descriptors or memory at start");
        return ERROR_EXHAUSTED;
    }
    daemon->resolver_port = cares_resolver_port(daemon->resolver);
    unsigned count;
    const struct probe_ops *const *ops = registry_ops(&count);
    unsigned slots = (unsigned)config_number(config, &config->agent, AGENT_CONCURRENCY);
    daemon->runner =
        runner_new(config, ops, count, &daemon->clock, &daemon->resolver_port, slots, &errors);
    if (!daemon->runner) {
        return ERROR_INVALID;
    }
    if (config_text(config, &config->push, PUSH_URL, NULL)) {
        daemon->transport = push_transport_new(config, &daemon->clock, &daemon->resolver_port,
                                               CARES_RESOLVER_PUSH_SLOT, &errors);
        if (!daemon->transport) {
            return ERROR_INVALID;
        }
    }
    return ERROR_NONE;
}

/* Without it the agent does its work all the same. */
static void listen_for_page(struct daemon *daemon)
{
    char why[256];
    if (page_server_listen(&daemon->page, daemon->config, why, sizeof why)) {
        logger_printf(&daemon->logger, LOG_LEVEL_WARNING, "%s: there is no page", why);
    }
}

static void open_page(struct daemon *daemon)
{
    char why[256];
    if (page_server_open(&daemon->page, &daemon->agent, why, sizeof why)) {
        logger_printf(&daemon->logger, LOG_LEVEL_WARNING, "%s", why);
    }
}

/* With all files open and no thread started yet. */
static enum error enter_sandbox(struct daemon *daemon)
{
    listen_for_page(daemon);
    sandbox_plan_make(daemon->config, daemon->socket_path, daemon->runner,
                      daemon->supervised->by_parent, &daemon->sandbox);
    return sandbox_enter(&daemon->sandbox, &daemon->logger);
}

static enum error open_agent(struct daemon *daemon)
{
    const struct supervised *supervised = daemon->supervised;
    struct agent_ports ports = {
        .clock = daemon->clock,
        .prober = runner_prober(daemon->runner),
        .logger = daemon->logger,
        .vitals = supervised->vitals,
        .start = {.watched = supervised->starts > 1,
                  .before = supervised->before,
                  .has_supervisor = supervised->by_parent,
                  .board = supervised->board},
    };
    if (daemon->transport) {
        ports.upstream = push_transport_port(daemon->transport);
    }
    runner_watch(daemon->runner, supervised->vitals);
    if (daemon_store_open(&daemon->store, daemon->config, daemon->supervised, &ports.store)) {
        logger_printf(&daemon->logger, LOG_LEVEL_ERROR, "no memory or thread for the store");
        return ERROR_EXHAUSTED;
    }
    size_t body_size = metrics_body_bound(daemon->config);
    daemon->body = malloc(body_size);
    if (!daemon->body) {
        logger_printf(&daemon->logger, LOG_LEVEL_ERROR, "no memory for the push body");
        return ERROR_EXHAUSTED;
    }
    usec_t now_us = clock_monotonic_us(&daemon->clock);
    agent_init(&daemon->agent, daemon->config, &ports, daemon->body, body_size, now_us);
    daemon->agent_wake_us = now_us;
    return ERROR_NONE;
}

/* Without a socket the agent does its work all the same; with a second agent on it, it must not:
 * both would push to one group. */
static enum error open_server(struct daemon *daemon)
{
    const char *path = daemon->socket_path;
    char why[256];
    if (!path || strcmp(path, "none") == 0) {
        return ERROR_NONE;
    }
    enum error error = status_server_open(&daemon->server, path, &daemon->agent, why, sizeof why);
    if (error == ERROR_DENIED) {
        logger_printf(&daemon->logger, LOG_LEVEL_ERROR, "%s", why);
        return error;
    }
    if (error) {
        logger_printf(&daemon->logger, LOG_LEVEL_WARNING, "%s: `status` will not work", why);
    }
    return ERROR_NONE;
}

static void close_all(struct daemon *daemon)
{
    reload_cancel(&daemon->reload);
    page_server_close(&daemon->page);
    status_server_close(&daemon->server);
    if (!daemon_store_close(&daemon->store)) {
        logger_printf(&daemon->logger, LOG_LEVEL_WARNING, "the store's device hangs to the end");
    }
    runner_free(daemon->runner);
    push_transport_free(daemon->transport);
    cares_resolver_free(daemon->resolver);
    signals_close(&daemon->signals);
    free(daemon->body);
}

static void run_loop(struct daemon *daemon)
{
    const struct loop_source sources[] = {
        {daemon, signals_source_waits, signals_source_step},
        {daemon, reload_source_waits, reload_source_step},
        {daemon, resolver_source_waits, resolver_source_step},
        {daemon, transport_source_waits, transport_source_step},
        {daemon, runner_source_waits, runner_source_step},
        {daemon, store_source_waits, store_source_step},
        {daemon, agent_source_waits, agent_source_step},
        {daemon, server_source_waits, server_source_step},
        {daemon, page_source_waits, page_source_step},
    };
    loop_init(&daemon->loop, &daemon->clock, sources, ARRAY_LEN(sources));
    while (!agent_stopped(&daemon->agent)) {
        loop_turn(&daemon->loop);
    }
}

/* Nobody feeds it but the parent. */
static void warn_of_what_has_no_effect(const struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const char *device = config_text(config, &config->watchdog, WATCHDOG_DEVICE, NULL);
    if (!daemon->supervised->by_parent && strcmp(device, "none") != 0) {
        logger_printf(&daemon->logger, LOG_LEVEL_WARNING,
                      "without a supervisor the watchdog (%s) is not fed", device);
    }
}

enum daemon_end daemon_run(const char *path, const struct config *config, const char *socket_path,
                           const struct supervised *supervised)
{
    struct daemon *daemon = &daemon_state;
    daemon->config = config;
    daemon->supervised = supervised;
    daemon->socket_path =
        socket_path ? socket_path : config_text(config, &config->agent, AGENT_SOCKET, NULL);
    daemon->signals.fd = -1;
    daemon->server = (struct status_server){.listener = -1, .client = -1};
    daemon->trust = (enum clock_trust)config_number(config, &config->agent, AGENT_CLOCK_TRUST);
    daemon->clock = linux_clock(&daemon->trust);
    daemon->logger = linux_logger(&daemon->logger_state, configured_log_level(config));
    page_server_init(&daemon->page);
    reload_init(&daemon->reload, path, &daemon->logger);
    enum error error = open_ports(daemon);
    bool unfit = error == ERROR_INVALID || (!error && enter_sandbox(daemon));
    if (error || unfit || open_agent(daemon) || open_server(daemon)) {
        close_all(daemon);
        return unfit ? DAEMON_UNFIT : DAEMON_REFUSED;
    }
    logger_printf(&daemon->logger, LOG_LEVEL_INFO, "%s (%s) site %s: %u probes, %u targets, %s",
                  picket_version, picket_commit, config_site(config), config->probe_count,
                  config->target_count, daemon->transport ? "pushing" : "not pushing");
    open_page(daemon);
    warn_of_what_has_no_effect(daemon);
    run_loop(daemon);
    bool again =
        daemon->reload.state == RELOAD_GOOD || (daemon->start_again && !daemon->stop_asked);
    logger_printf(&daemon->logger, LOG_LEVEL_INFO, again ? "restarting" : "stopped");
    close_all(daemon);
    bool reloads = daemon->reloads || daemon->reload.state == RELOAD_GOOD;
    return !again ? DAEMON_STOPPED : reloads ? DAEMON_RELOAD : DAEMON_AGAIN;
}

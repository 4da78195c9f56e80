/* Guards against series that mislead: a counter that is missing until its first event, a gauge of
 * something that was not measured, a sample twice in one body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expo_text.h"
#include "proto_reader.h"
#include "view_fixture.h"

#define EPOCH       ",epoch=\"0badcafe\""
#define SITE        "instance=\"branch-0042\",region=\"emea\""
#define LABELS      ",region=\"emea\",team=\"a \\\"b\\\" \\\\c\\nd\""
#define LOGIN       "instance=\"https://portal.example.net/login\"" LABELS
#define PORTAL      "probe=\"portal\"," LOGIN
#define PORTAL_KIND "probe=\"portal\",kind=\"web\"," LOGIN
#define HEATING     "instance=\"tcp://10.1.0.40:502\",region=\"emea\""
#define BOILER      "probe=\"boiler\"," HEATING
#define BOILER_KIND "probe=\"boiler\",kind=\"bus\"," HEATING

static char memory[8 << 20];

static char *walk_text(const struct metrics_view *view)
{
    struct expo_text encoder;
    struct buffer out;
    buffer_init(&out, memory, sizeof memory);
    struct metric_visitor visitor = expo_text_visitor(&encoder, &out);
    metrics_walk(view, &visitor);
    assert_false(buffer_overflowed(&out));
    return (char *)(uintptr_t)buffer_text(&out);
}

static void init_targets(void)
{
    numbers = fixture_numbers();
    for (unsigned i = 0; i < config.target_count; i++) {
        sli_init(&slis[i], config_target_probe(&config, i));
        seen[i] = false;
    }
}

/* One run each: the portal well, the boiler with an exception. */
static void set_up_site(void)
{
    fixture_site(&config);
    init_targets();
    fixture_success(&last[0], 0);
    fixture_exception(&last[1], 1);
    for (unsigned i = 0; i < 2; i++) {
        fixture_count(&slis[i], &last[i]);
        seen[i] = true;
    }
    slis[1].missed = 3;
}

/* The whole body of the site above. */
static const char *const site_text[] = {
    "# HELP picket_build_info Version and commit of the agent, always 1\n",
    "# TYPE picket_build_info gauge\n",
    "picket_build_info{" SITE ",version=\"1.2.3\",commit=\"0123456789ab\"} 1\n",
    "# HELP picket_start_timestamp_seconds Unix time at which the agent started\n",
    "# TYPE picket_start_timestamp_seconds gauge\n",
    "picket_start_timestamp_seconds{" SITE "} 1790000000\n",
    "# HELP picket_last_cycle_timestamp_seconds Unix time at which the agent last went round its "
    "loop\n",
    "# TYPE picket_last_cycle_timestamp_seconds gauge\n",
    "picket_last_cycle_timestamp_seconds{" SITE "} 1.7900001235e+09\n",
    "# HELP picket_clock_trusted Whether the wall clock may be used to judge certificate dates\n",
    "# TYPE picket_clock_trusted gauge\n",
    "picket_clock_trusted{" SITE "} 1\n",
    "# HELP picket_loop_lag_seconds Greatest lateness of a pass of the loop since the last push\n",
    "# TYPE picket_loop_lag_seconds gauge\n",
    "picket_loop_lag_seconds{" SITE "} 0.0015\n",
    "# HELP picket_push_attempts_total Pushes by how the receiver answered\n",
    "# TYPE picket_push_attempts_total counter\n",
    "picket_push_attempts_total{" SITE EPOCH ",result=\"accepted\"} 7\n",
    "picket_push_attempts_total{" SITE EPOCH ",result=\"rejected\"} 0\n",
    "picket_push_attempts_total{" SITE EPOCH ",result=\"busy\"} 2\n",
    "picket_push_attempts_total{" SITE EPOCH ",result=\"redirected\"} 0\n",
    "picket_push_attempts_total{" SITE EPOCH ",result=\"unreachable\"} 0\n",
    "picket_push_attempts_total{" SITE EPOCH ",result=\"timeout\"} 0\n",
    "# HELP picket_push_last_success_timestamp_seconds Unix time of the last push that was "
    "accepted\n",
    "# TYPE picket_push_last_success_timestamp_seconds gauge\n",
    "picket_push_last_success_timestamp_seconds{" SITE "} 1790000100\n",
    "# HELP picket_push_duration_seconds Duration of the last push\n",
    "# TYPE picket_push_duration_seconds gauge\n",
    "picket_push_duration_seconds{" SITE "} 0.035\n",
    "# HELP picket_push_body_bytes Size of the last body that was pushed\n",
    "# TYPE picket_push_body_bytes gauge\n",
    "picket_push_body_bytes{" SITE "} 4242\n",
    "# HELP picket_push_consecutive_failures Pushes that failed since the last one that was "
    "accepted\n",
    "# TYPE picket_push_consecutive_failures gauge\n",
    "picket_push_consecutive_failures{" SITE "} 1\n",
    "# HELP picket_store_durable Whether totals are on a device before they are pushed\n",
    "# TYPE picket_store_durable gauge\n",
    "picket_store_durable{" SITE "} 1\n",
    "# HELP picket_store_trouble Why totals are in memory alone: 1 for the cause at hand\n",
    "# TYPE picket_store_trouble gauge\n",
    "picket_store_trouble{" SITE ",cause=\"off\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"no_space\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"io\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"read_only\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"denied\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"in_use\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"hung\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"newer\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"making\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"other\"} 0\n",
    "picket_store_trouble{" SITE ",cause=\"too_small\"} 0\n",
    "# HELP picket_store_volatile Whether the device of the store forgets with the power\n",
    "# TYPE picket_store_volatile gauge\n",
    "picket_store_volatile{" SITE "} 0\n",
    "# HELP picket_store_dropped_results_total Results the log no longer holds, by why; totals "
    "have "
    "counted them\n",
    "# TYPE picket_store_dropped_results_total counter\n",
    "picket_store_dropped_results_total{" SITE EPOCH ",reason=\"wrap\"} 9\n",
    "picket_store_dropped_results_total{" SITE EPOCH ",reason=\"memory\"} 0\n",
    "picket_store_dropped_results_total{" SITE EPOCH ",reason=\"damaged\"} 0\n",
    "# HELP picket_store_errors_total Operations on the device of the store that failed\n",
    "# TYPE picket_store_errors_total counter\n",
    "picket_store_errors_total{" SITE EPOCH ",error=\"missing\"} 0\n",
    "picket_store_errors_total{" SITE EPOCH ",error=\"no_space\"} 0\n",
    "picket_store_errors_total{" SITE EPOCH ",error=\"io\"} 4\n",
    "picket_store_errors_total{" SITE EPOCH ",error=\"read_only\"} 0\n",
    "picket_store_errors_total{" SITE EPOCH ",error=\"denied\"} 0\n",
    "picket_store_errors_total{" SITE EPOCH ",error=\"in_use\"} 0\n",
    "picket_store_errors_total{" SITE EPOCH ",error=\"hung\"} 1\n",
    "# HELP picket_store_size_bytes Size of the store\n",
    "# TYPE picket_store_size_bytes gauge\n",
    "picket_store_size_bytes{" SITE "} 1048576\n",
    "# HELP picket_store_used_ratio Share of the log that holds results\n",
    "# TYPE picket_store_used_ratio gauge\n",
    "picket_store_used_ratio{" SITE "} 0.625\n",
    "# HELP picket_store_results Results the log holds\n",
    "# TYPE picket_store_results gauge\n",
    "picket_store_results{" SITE "} 1234\n",
    "# HELP picket_store_uncommitted_seconds Age of the oldest record a power cut would cost\n",
    "# TYPE picket_store_uncommitted_seconds gauge\n",
    "picket_store_uncommitted_seconds{" SITE "} 1.5\n",
    "# HELP picket_store_commit_duration_seconds Duration of the last commit\n",
    "# TYPE picket_store_commit_duration_seconds gauge\n",
    "picket_store_commit_duration_seconds{" SITE "} 0.0031\n",
    "# HELP picket_store_last_commit_timestamp_seconds Unix time of the last commit\n",
    "# TYPE picket_store_last_commit_timestamp_seconds gauge\n",
    "picket_store_last_commit_timestamp_seconds{" SITE "} 1790000090\n",
    "# HELP picket_store_written_bytes_total Bytes written to the device of the store\n",
    "# TYPE picket_store_written_bytes_total counter\n",
    "picket_store_written_bytes_total{" SITE EPOCH "} 40960\n",
    "# HELP picket_restarts_total Runs of the agent by how the one before ended\n",
    "# TYPE picket_restarts_total counter\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"stop\"} 2\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"reload\"} 0\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"crash\"} 0\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"hang\"} 1\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"memory\"} 0\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"descriptors\"} 0\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"supervisor\"} 0\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"watchdog\"} 0\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"power\"} 0\n",
    "picket_restarts_total{" SITE EPOCH ",cause=\"unknown\"} 0\n",
    "# HELP picket_last_restart_info How the run of the agent before ended\n",
    "# TYPE picket_last_restart_info gauge\n",
    "picket_last_restart_info{" SITE
    ",cause=\"hang\",task=\"loop\",signal=\"SIGABRT\",probe=\"portal\"} 1\n",
    "# HELP picket_recovery_phase How the agent is kept going: 1 for the phase at hand\n",
    "# TYPE picket_recovery_phase gauge\n",
    "picket_recovery_phase{" SITE ",phase=\"normal\"} 0\n",
    "picket_recovery_phase{" SITE ",phase=\"safe\"} 0\n",
    "picket_recovery_phase{" SITE ",phase=\"rejoining\"} 1\n",
    "picket_recovery_phase{" SITE ",phase=\"staying\"} 0\n",
    "picket_recovery_phase{" SITE ",phase=\"resetting\"} 0\n",
    "# HELP picket_recovery_barred_targets Targets that may not run for now\n",
    "# TYPE picket_recovery_barred_targets gauge\n",
    "picket_recovery_barred_targets{" SITE "} 1\n",
    "# HELP picket_recovery_actions_total What the agent did about its own parts\n",
    "# TYPE picket_recovery_actions_total counter\n",
    "picket_recovery_actions_total{" SITE EPOCH ",action=\"probe_slowed\"} 0\n",
    "picket_recovery_actions_total{" SITE EPOCH ",action=\"push_restarted\"} 3\n",
    "picket_recovery_actions_total{" SITE EPOCH ",action=\"worker_replaced\"} 0\n",
    "# HELP picket_config_file_in_use Whether the file's configuration runs, not the last known "
    "good "
    "one instead\n",
    "# TYPE picket_config_file_in_use gauge\n",
    "picket_config_file_in_use{" SITE "} 1\n",
    "# HELP picket_config_rollbacks_total Times the file's configuration was left for the last "
    "known "
    "good one, by why\n",
    "# TYPE picket_config_rollbacks_total counter\n",
    "picket_config_rollbacks_total{" SITE EPOCH ",reason=\"start\"} 0\n",
    "picket_config_rollbacks_total{" SITE EPOCH ",reason=\"silence\"} 2\n",
    "picket_config_rollbacks_total{" SITE EPOCH ",reason=\"crashes\"} 0\n",
    "# HELP picket_watchdog_armed Whether a watchdog is being fed\n",
    "# TYPE picket_watchdog_armed gauge\n",
    "picket_watchdog_armed{" SITE "} 1\n",
    "# HELP picket_watchdog_timeout_seconds Timeout the watchdog has granted\n",
    "# TYPE picket_watchdog_timeout_seconds gauge\n",
    "picket_watchdog_timeout_seconds{" SITE "} 60\n",
    "# HELP picket_watchdog_resets_left Resets of the board that the budget of a day still "
    "allows\n",
    "# TYPE picket_watchdog_resets_left gauge\n",
    "picket_watchdog_resets_left{" SITE "} 2\n",
    "# HELP picket_site_actions_total Site actions by what became of them\n",
    "# TYPE picket_site_actions_total counter\n",
    "picket_site_actions_total{" SITE EPOCH ",result=\"started\"} 4\n",
    "picket_site_actions_total{" SITE EPOCH ",result=\"failed\"} 0\n",
    "picket_site_actions_total{" SITE EPOCH ",result=\"dry_run\"} 0\n",
    "# HELP picket_targets Targets of the configuration\n",
    "# TYPE picket_targets gauge\n",
    "picket_targets{" SITE "} 2\n",
    "# HELP picket_runs_in_flight Probe runs in progress\n",
    "# TYPE picket_runs_in_flight gauge\n",
    "picket_runs_in_flight{" SITE "} 1\n",
    "# HELP picket_probe_results_total Runs by outcome\n",
    "# TYPE picket_probe_results_total counter\n",
    "picket_probe_results_total{" PORTAL_KIND EPOCH ",result=\"success\"} 1\n",
    "picket_probe_results_total{" PORTAL_KIND EPOCH ",result=\"failure\"} 0\n",
    "picket_probe_results_total{" PORTAL_KIND EPOCH ",result=\"unknown\"} 0\n",
    "picket_probe_results_total{" BOILER_KIND EPOCH ",result=\"success\"} 0\n",
    "picket_probe_results_total{" BOILER_KIND EPOCH ",result=\"failure\"} 1\n",
    "picket_probe_results_total{" BOILER_KIND EPOCH ",result=\"unknown\"} 0\n",
    "# HELP picket_probe_failures_total Failed runs by first cause\n",
    "# TYPE picket_probe_failures_total counter\n",
    "picket_probe_failures_total{" PORTAL_KIND EPOCH ",reason=\"resolve\"} 0\n",
    "picket_probe_failures_total{" PORTAL_KIND EPOCH ",reason=\"timeout\"} 0\n",
    "picket_probe_failures_total{" PORTAL_KIND EPOCH ",reason=\"status\"} 0\n",
    "picket_probe_failures_total{" BOILER_KIND EPOCH ",reason=\"timeout\"} 0\n",
    "picket_probe_failures_total{" BOILER_KIND EPOCH ",reason=\"exception\"} 1\n",
    "# HELP picket_probe_duration_seconds Duration of successful runs\n",
    "# TYPE picket_probe_duration_seconds histogram\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.001\"} 0\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.0025\"} 0\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.005\"} 0\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.01\"} 0\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.025\"} 0\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.05\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.1\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.25\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.5\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"0.8\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"1\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"2.5\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"5\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"10\"} 1\n",
    "picket_probe_duration_seconds_bucket{" PORTAL_KIND EPOCH ",le=\"+Inf\"} 1\n",
    "picket_probe_duration_seconds_sum{" PORTAL_KIND EPOCH "} 0.0452\n",
    "picket_probe_duration_seconds_count{" PORTAL_KIND EPOCH "} 1\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.001\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.0025\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.005\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.01\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.025\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.05\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.1\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.25\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"0.5\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"1\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"2.5\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"5\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"10\"} 0\n",
    "picket_probe_duration_seconds_bucket{" BOILER_KIND EPOCH ",le=\"+Inf\"} 0\n",
    "picket_probe_duration_seconds_sum{" BOILER_KIND EPOCH "} 0\n",
    "picket_probe_duration_seconds_count{" BOILER_KIND EPOCH "} 0\n",
    "# HELP picket_probe_missed_total Scheduled runs that were not made\n",
    "# TYPE picket_probe_missed_total counter\n",
    "picket_probe_missed_total{" PORTAL_KIND EPOCH "} 0\n",
    "picket_probe_missed_total{" BOILER_KIND EPOCH "} 3\n",
    "# HELP picket_probe_maintenance_total Runs in maintenance, which count in no other series\n",
    "# TYPE picket_probe_maintenance_total counter\n",
    "picket_probe_maintenance_total{" PORTAL_KIND EPOCH "} 0\n",
    "picket_probe_maintenance_total{" BOILER_KIND EPOCH "} 0\n",
    "# HELP picket_slo_objective_ratio Share of good events the SLO asks for\n",
    "# TYPE picket_slo_objective_ratio gauge\n",
    "picket_slo_objective_ratio{" PORTAL_KIND ",slo=\"availability\"} 0.999\n",
    "picket_slo_objective_ratio{" PORTAL_KIND ",slo=\"latency_800ms\"} 0.95\n",
    "# HELP picket_slo_events_total Events of the SLO\n",
    "# TYPE picket_slo_events_total counter\n",
    "picket_slo_events_total{" PORTAL_KIND EPOCH ",slo=\"availability\",result=\"good\"} 1\n",
    "picket_slo_events_total{" PORTAL_KIND EPOCH ",slo=\"availability\",result=\"bad\"} 0\n",
    "picket_slo_events_total{" PORTAL_KIND EPOCH ",slo=\"latency_800ms\",result=\"good\"} 1\n",
    "picket_slo_events_total{" PORTAL_KIND EPOCH ",slo=\"latency_800ms\",result=\"bad\"} 0\n",
    "# HELP probe_success Displays whether or not the probe was a success\n",
    "# TYPE probe_success gauge\n",
    "probe_success{" PORTAL "} 1\n",
    "probe_success{" BOILER "} 0\n",
    "# HELP probe_duration_seconds Returns how long the probe took to complete in seconds\n",
    "# TYPE probe_duration_seconds gauge\n",
    "probe_duration_seconds{" PORTAL "} 0.0452\n",
    "probe_duration_seconds{" BOILER "} 0.012\n",
    "# HELP probe_timeout_seconds Returns how long the probe timeout is in seconds\n",
    "# TYPE probe_timeout_seconds gauge\n",
    "probe_timeout_seconds{" PORTAL "} 5\n",
    "probe_timeout_seconds{" BOILER "} 5\n",
    "# HELP probe_web_duration_seconds Duration of web request by phase, in \"parts\"\n",
    "# TYPE probe_web_duration_seconds gauge\n",
    "probe_web_duration_seconds{" PORTAL ",phase=\"resolve\"} 0.0015\n",
    "probe_web_duration_seconds{" PORTAL ",phase=\"connect\"} 0.02\n",
    "probe_web_duration_seconds{" PORTAL ",phase=\"tls\"} 0\n",
    "# HELP probe_bus_duration_seconds Duration of bus check by phase\n",
    "# TYPE probe_bus_duration_seconds gauge\n",
    "probe_bus_duration_seconds{" BOILER ",phase=\"connect\"} 0.002\n",
    "probe_bus_duration_seconds{" BOILER ",phase=\"request\"} 0.01\n",
    "# HELP probe_ip_protocol Specifies whether probe ip protocol is IP4 or IP6\n",
    "# TYPE probe_ip_protocol gauge\n",
    "probe_ip_protocol{" PORTAL "} 4\n",
    "# HELP probe_ip_addr_hash Specifies the hash of IP address. It's useful to detect if the IP "
    "address changes.\n",
    "# TYPE probe_ip_addr_hash gauge\n",
    "probe_ip_addr_hash{" PORTAL "} 3668918509\n",
    "# HELP probe_http_status_code Response HTTP status code\n",
    "# TYPE probe_http_status_code gauge\n",
    "probe_http_status_code{" PORTAL "} 200\n",
    "# HELP probe_ssl_earliest_cert_expiry Returns last SSL chain expiry in unixtime\n",
    "# TYPE probe_ssl_earliest_cert_expiry gauge\n",
    "probe_ssl_earliest_cert_expiry{" PORTAL "} 1800000000\n",
    "# HELP probe_ssl_last_chain_expiry_timestamp_seconds Returns last SSL chain expiry in "
    "timestamp\n",
    "# TYPE probe_ssl_last_chain_expiry_timestamp_seconds gauge\n",
    "probe_ssl_last_chain_expiry_timestamp_seconds{" PORTAL "} 1850000000\n",
    "# HELP probe_ssl_last_chain_info Contains SSL leaf certificate information\n",
    "# TYPE probe_ssl_last_chain_info gauge\n",
    "probe_ssl_last_chain_info{" PORTAL
    ",fingerprint_sha256=\"00ff\",subject=\"CN=portal.example.net\",issuer=\"CN=portal.example."
    "net\",subjectalternative=\"CN=portal.example.net\",serialnumber=\"0a1b\"} 1\n",
    "# HELP probe_tls_version_info Returns the TLS version used or NaN when unknown\n",
    "# TYPE probe_tls_version_info gauge\n",
    "probe_tls_version_info{" PORTAL ",version=\"TLS 1.3\"} 1\n",
    "# HELP probe_tls_cipher_info Returns the TLS cipher negotiated during handshake\n",
    "# TYPE probe_tls_cipher_info gauge\n",
    "probe_tls_cipher_info{" PORTAL ",cipher=\"TLS_AES_256_GCM_SHA384\"} 1\n",
    "# HELP picket_tls_leaf_expiry_timestamp_seconds Unix time at which the certificate of the "
    "target itself expires\n",
    "# TYPE picket_tls_leaf_expiry_timestamp_seconds gauge\n",
    "picket_tls_leaf_expiry_timestamp_seconds{" PORTAL "} 1900000000\n",
    "# HELP picket_bus_value Value read by the last bus check\n",
    "# TYPE picket_bus_value gauge\n",
    "picket_bus_value{" BOILER ",name=\"flow_celsius\"} 61.5\n",
    "# HELP picket_bus_quality Whether the last bus check could read the value\n",
    "# TYPE picket_bus_quality gauge\n",
    "picket_bus_quality{" BOILER ",name=\"flow_celsius\"} 1\n",
    "picket_bus_quality{" BOILER ",name=\"power_watts\"} 0\n",
    "picket_bus_quality{" BOILER ",name=\"model\"} 1\n",
};

static void assert_site_text(const char *text)
{
    char line[1024];
    for (size_t i = 0; i < ARRAY_LEN(site_text); i++) {
        size_t length = strcspn(text, "\n") + 1;
        assert_in_range(length, 2, sizeof line - 1);
        memcpy(line, text, length);
        line[length] = '\0';
        assert_string_equal(line, site_text[i]);
        text += length;
    }
    assert_string_equal(text, "");
}

static void metrics_of_a_site_are_exactly_these(void **state)
{
    (void)state;
    set_up_site();
    struct metrics_view view = whole_view();
    assert_site_text(walk_text(&view));
}

static bool is_counter(const struct reader_family *family)
{
    return strcmp(family->type, "gauge") != 0 ||
           strcmp(family->name, "picket_slo_objective_ratio") == 0;
}

/* The samples of counters and histograms, in order. */
static unsigned keep_counters(const struct reader *reader, const struct reader_sample **kept)
{
    unsigned count = 0, at = 0;
    for (unsigned i = 0; i < reader->family_count; i++) {
        for (unsigned j = 0; j < reader->families[i].samples; j++, at++) {
            if (is_counter(&reader->families[i])) {
                kept[count++] = &reader->samples[at];
            }
        }
    }
    return count;
}

/* A counter that first appears at 5 hides its first five events from every rate. */
static void metrics_counters_are_there_at_zero_before_the_first_result(void **state)
{
    static struct reader before, after;
    static const struct reader_sample *zero[READER_SAMPLES_MAX], *full[READER_SAMPLES_MAX];
    (void)state;
    set_up_site();
    struct metrics_view view = whole_view();
    assert_true(reader_read_text(&after, walk_text(&view)));
    init_targets();
    memset(numbers.counters, 0, sizeof numbers.counters);
    numbers.store = (struct store_series){.configured = true};
    numbers.recovery = (struct recovery_series){.acts = true};
    view = whole_view();
    assert_true(reader_read_text(&before, walk_text(&view)));
    unsigned count = keep_counters(&after, full);
    assert_int_equal(count,
                     71 + CAUSE_COUNT - 1 + CARE_COUNT + SITE_ACTION_RESULTS + ROLLOUT_REASONS);
    assert_int_equal(keep_counters(&before, zero), count);
    for (unsigned i = 0; i < count; i++) {
        assert_string_equal(zero[i]->key, full[i]->key);
        if (strncmp(zero[i]->key, "picket_slo_objective", 20) != 0) {
            assert_true(zero[i]->value >= 0 && zero[i]->value <= 0);
        }
    }
    reader_free(&before);
    reader_free(&after);
}

static void metrics_without_a_result_have_no_gauge_of_a_target(void **state)
{
    (void)state;
    set_up_site();
    init_targets();
    struct metrics_view view = whole_view();
    const char *text = walk_text(&view);
    assert_null(strstr(text, "\nprobe_"));
    assert_null(strstr(text, "picket_bus_"));
    assert_null(strstr(text, "picket_tls_"));
}

/* Burn rates of windows that are not longer than the SLO's; nothing of an SLO without events. */
static void metrics_of_slos_follow_from_the_events_of_their_windows(void **state)
{
    (void)state;
    set_up_site();
    config.probes[0].slos[1].window_us = 2 * USEC_PER_HOUR;
    measure_histories(996, 4);
    struct metrics_view view = whole_view();
    const char *text = walk_text(&view);
    assert_non_null(strstr(text, "picket_slo_error_budget_remaining_ratio{probe=\"portal\","
                                 "kind=\"web\",instance=\"https://portal.example.net/login\","
                                 "region=\"emea\",team=\"a \\\"b\\\" \\\\c\\nd\","
                                 "slo=\"availability\"} -3\n"));
    assert_non_null(strstr(text, "slo=\"availability\",window=\"5m\"} 4\n"));
    assert_non_null(strstr(text, "slo=\"availability\",window=\"3d\"} 4\n"));
    assert_non_null(strstr(text, "slo=\"latency_800ms\",window=\"2h\"} 0.08\n"));
    assert_null(strstr(text, "slo=\"latency_800ms\",window=\"6h\"}"));
    measure_histories(0, 0);
    view = whole_view();
    text = walk_text(&view);
    assert_null(strstr(text, "picket_slo_error_budget_remaining_ratio"));
    assert_null(strstr(text, "picket_slo_burn_rate"));
    with_histories = false;
}

static const struct config_slo group_slo = {
    .type = SLO_AVAILABILITY, .objective_ppm = 990000, .window_us = 7 * USEC_PER_DAY};

/* Sums over its targets, without a probe; what they count for it is no SLO of theirs. */
static void metrics_of_a_group_have_no_probe_and_add_its_targets_up(void **state)
{
    static const char *const lines[] = {
        "picket_slo_objective_ratio{" SITE ",slo=\"shop:availability\"} 0.99\n",
        "slo=\"shop:availability\",result=\"good\"} 1\n", /* of either one run */
        "slo=\"shop:availability\",result=\"bad\"} 1\n",
        "picket_slo_error_budget_remaining_ratio{" SITE ",slo=\"shop:availability\"} 0.6\n",
        "picket_slo_burn_rate{" SITE ",slo=\"shop:availability\",window=\"5m\"} 0.4\n",
        "picket_slo_burn_rate{" SITE ",slo=\"shop:availability\",window=\"3d\"} 0.4\n",
        "slo=\"availability\"} 0.999\n",
    };
    (void)state;
    set_up_site();
    fixture_group(&config, "shop", &group_slo, 2);
    measure_histories(996, 4);
    struct metrics_view view = whole_view();
    const char *text = walk_text(&view);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (strstr(text, lines[i]) == NULL) {
            fail_msg("no %s in\n%s", lines[i], text);
        }
    }
    assert_null(strstr(text, "picket_slo_objective_ratio{probe=\"boiler\""));
    assert_null(strstr(text, "picket_slo_events_total{probe=\"boiler\""));
    assert_null(strstr(text, "picket_slo_burn_rate{probe=\"boiler\""));
    assert_null(strstr(text, "probe=\"portal\",kind=\"web\",instance=\"https://portal.example.net/"
                             "login\",region=\"emea\",team=\"a \\\"b\\\" \\\\c\\nd\",slo="
                             "\"availability_"));
    char epoch[METRICS_EPOCH_BYTES], line[256];
    metrics_group_epoch(&config, &config.groups[0], "0badcafe", epoch);
    (void)snprintf(line, sizeof line,
                   "picket_slo_events_total{" SITE ",epoch=\"%s\",slo=\"shop:availability\","
                   "result=\"good\"} 1\n",
                   epoch);
    assert_non_null(strstr(text, line));
    view.only_probe = 0;
    assert_null(strstr(walk_text(&view), "shop"));
    with_histories = false;
}

/* A sum that loses a target goes down, and one that gains a target jumps. */
static void metrics_of_a_group_have_an_epoch_for_each_set_of_targets(void **state)
{
    char both[METRICS_EPOCH_BYTES], one[METRICS_EPOCH_BYTES], again[METRICS_EPOCH_BYTES];
    (void)state;
    set_up_site();
    struct config_group *group = fixture_group(&config, "shop", &group_slo, 2);
    metrics_group_epoch(&config, group, "0badcafe", both);
    metrics_group_epoch(&config, group, "0badcaff", again);
    assert_string_not_equal(both, again);
    group->probes[0] = 1;
    metrics_group_epoch(&config, group, "0badcafe", one);
    assert_string_not_equal(both, one);
    group->probes[0] = 3; /* the other way round in the file */
    struct config_probe probe = config.probes[0];
    config.probes[0] = config.probes[1];
    config.probes[1] = probe;
    config.targets[0].probe = 1;
    config.targets[1].probe = 0;
    struct config_target target = config.targets[0];
    config.targets[0] = config.targets[1];
    config.targets[1] = target;
    metrics_group_epoch(&config, group, "0badcafe", again);
    assert_string_equal(both, again);
}

static void make_unknown(struct result *result)
{
    result_init(result, result->target, 0);
    result->duration_us = 10;
    result_unknown(result, PHASE_CONNECT, "out of descriptors");
}
static void make_failure(struct result *result)
{
    result_init(result, result->target, 0);
    result_fail(result, REASON_TIMEOUT, PHASE_CONNECT, "no answer");
}
static void drop_status_code(struct result *result)
{
    result->facts_set &= ~FACT_BIT(FACT_HTTP_STATUS_CODE);
}
static void drop_connect(struct result *result)
{
    result->phases_reached &= ~PHASE_BIT(PHASE_CONNECT);
}
static void drop_verified_chain(struct result *result)
{
    result->tls.verified_not_after = 0;
}
static void drop_certificate(struct result *result)
{
    result->tls.certificate = false;
}
static void drop_handshake(struct result *result)
{
    result->tls.version[0] = result->tls.cipher[0] = '\0';
}
static void reach_undeclared(struct result *result)
{
    result_phase_add(result, PHASE_DIALOG, 5);
    result_fact_set(result, FACT_DNS_SERIAL, 5);
}
static void set_zero_status(struct result *result)
{
    result_fact_set(result, FACT_HTTP_STATUS_CODE, 0);
}

/* Only what the last run found is told; what it did not reach has no sample, never a zero. */
static void metrics_gauges_tell_only_what_the_last_run_found(void **state)
{
    static const struct {
        void (*change)(struct result *result);
        const char *absent, *present;
    } rows[] = {
        {make_unknown, "probe_success{" PORTAL, "probe_duration_seconds{" PORTAL "} 1e-05\n"},
        {make_unknown, "probe_http_status_code", "probe_timeout_seconds{" PORTAL "} 5\n"},
        {make_failure, "probe_success{" PORTAL "} 1", "probe_success{" PORTAL "} 0\n"},
        {make_failure, "probe_web_duration_seconds", "probe_duration_seconds{" PORTAL "} 0\n"},
        {make_failure, "probe_ssl", "probe_bus_duration_seconds{"},
        {drop_status_code, "probe_http_status_code", "probe_ip_protocol{"},
        {set_zero_status, "probe_http_ssl", "probe_http_status_code{" PORTAL "} 0\n"},
        {drop_connect, PORTAL ",phase=\"connect\"", PORTAL ",phase=\"tls\"} 0\n"},
        {drop_verified_chain, "probe_ssl_last_chain_expiry", "probe_ssl_earliest_cert_expiry{"},
        {drop_certificate, "probe_ssl_", "probe_tls_version_info{"},
        {drop_certificate, "picket_tls_leaf", "probe_tls_cipher_info{"},
        {drop_handshake, "probe_tls_", "probe_ssl_last_chain_info{"},
        {reach_undeclared, "phase=\"dialog\"", PORTAL ",phase=\"tls\"} 0\n"},
        {reach_undeclared, "probe_dns_serial", "probe_ip_addr_hash{" PORTAL "} 3668918509\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        set_up_site();
        rows[i].change(&last[0]);
        struct metrics_view view = whole_view();
        const char *text = walk_text(&view);
        if (strstr(text, rows[i].absent) != NULL || strstr(text, rows[i].present) == NULL) {
            fail_msg("row %zu: '%s' is there or '%s' is not", i, rows[i].absent, rows[i].present);
        }
    }
}

static void metrics_of_values_tell_what_could_be_read(void **state)
{
    (void)state;
    set_up_site();
    last[1].value_count = 1; /* the run ended before the others were asked for */
    last[1].values[0].available = false;
    struct metrics_view view = whole_view();
    const char *text = walk_text(&view);
    assert_null(strstr(text, "picket_bus_value"));
    assert_non_null(strstr(text, "picket_bus_quality{" BOILER ",name=\"flow_celsius\"} 0\n"));
    assert_non_null(strstr(text, "picket_bus_quality{" BOILER ",name=\"model\"} 0\n"));
}

static void metrics_of_the_agent_leave_out_what_is_not_known(void **state)
{
    static const char *const absent[] = {"picket_start_timestamp", "picket_last_cycle",
                                         "picket_push_last_success", "picket_push_duration",
                                         "picket_push_body"};
    (void)state;
    set_up_site();
    numbers = (struct agent_numbers){.version = "1", .commit = "c", .push_duration_us = -1};
    struct metrics_view view = whole_view();
    const char *text = walk_text(&view);
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        assert_null(strstr(text, absent[i]));
    }
    assert_non_null(strstr(text, "picket_clock_trusted{" SITE "} 0\n"));
    numbers.push_duration_us = 0;
    assert_non_null(strstr(walk_text(&view), "picket_push_duration_seconds{" SITE "} 0\n"));
}

static void metrics_can_be_limited_to_one_probe(void **state)
{
    (void)state;
    set_up_site();
    struct metrics_view view = whole_view();
    view.only_probe = 1;
    view.agent = NULL;
    const char *text = walk_text(&view);
    assert_null(strstr(text, "portal"));
    assert_null(strstr(text, "picket_build_info"));
    assert_non_null(strstr(text, "probe_success{" BOILER "} 0\n"));
}

/* A label given twice makes a receiver refuse every series of the site. */
static void metrics_leave_out_configured_labels_that_series_use(void **state)
{
    static const char *const reserved[] = {"probe",       "kind",
                                           "instance",    "job",
                                           "site",        "le",
                                           "result",      "reason",
                                           "slo",         "phase",
                                           "name",        "version",
                                           "commit",      "cipher",
                                           "subject",     "issuer",
                                           "__name",      "fingerprint_sha256",
                                           "quantile",    "subjectalternative",
                                           "epoch",       "error",
                                           "serialnumber"};
    static const char *const free_names[] = {"region", "team", "_", "probes", "label", "Probe"};
    static struct reader reader;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        assert_true(metrics_label_reserved(reserved[i]));
        set_up_site();
        fixture_label(&config, config.probes[0].labels, &config.probes[0].label_count, reserved[i],
                      "clash");
        fixture_label(&config, config.labels, &config.label_count, reserved[i], "clash");
        struct metrics_view view = whole_view();
        assert_site_text(walk_text(&view));
    }
    for (size_t i = 0; i < ARRAY_LEN(free_names); i++) {
        assert_false(metrics_label_reserved(free_names[i]));
    }
    set_up_site();
    struct metrics_view view = whole_view();
    assert_true(reader_read_text(&reader, walk_text(&view)));
    reader_free(&reader);
}

static void metrics_name_slos_uniquely_within_the_probe(void **state)
{
#define DAY(n) (n * USEC_PER_DAY)
#define MS(n)  (n * USEC_PER_MSEC)
    static const struct {
        unsigned count;
        struct config_slo slos[CAP_SLOS_PER_PROBE];
        const char *names[CAP_SLOS_PER_PROBE];
    } rows[] = {
        {1, {{SLO_AVAILABILITY, 999000, 0, DAY(30)}}, {"availability"}},
        {2,
         {{SLO_AVAILABILITY, 999000, 0, DAY(30)}, {SLO_LATENCY, 950000, MS(800), DAY(30)}},
         {"availability", "latency_800ms"}},
        {4,
         {{SLO_LATENCY, 1, MS(1000), DAY(1)},
          {SLO_LATENCY, 1, MS(1500), DAY(1)},
          {SLO_LATENCY, 1, 250, DAY(1)},
          {SLO_LATENCY, 1, MS(120000), DAY(1)}},
         {"latency_1s", "latency_1500ms", "latency_250us", "latency_2m"}},
        {3,
         {{SLO_AVAILABILITY, 999000, 0, DAY(30)},
          {SLO_AVAILABILITY, 990000, 0, DAY(7)},
          {SLO_LATENCY, 999000, MS(5), DAY(7)}},
         {"availability_30d", "availability_7d", "latency_5ms"}},
        {3,
         {{SLO_AVAILABILITY, 999000, 0, DAY(30)},
          {SLO_AVAILABILITY, 990000, 0, DAY(30)},
          {SLO_AVAILABILITY, 990000, 0, DAY(1) / 2}},
         {"availability_30d_99.9", "availability_30d_99", "availability_12h"}},
        {3,
         {{SLO_LATENCY, 999000, MS(5), DAY(30)},
          {SLO_LATENCY, 999000, MS(5), DAY(30)},
          {SLO_LATENCY, 999000, MS(5), DAY(30)}},
         {"latency_5ms_30d_99.9", "latency_5ms_30d_99.9_2", "latency_5ms_30d_99.9_3"}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config_probe probe = {.slo_count = (uint8_t)rows[i].count};
        memcpy(probe.slos, rows[i].slos, sizeof probe.slos);
        for (unsigned j = 0; j < rows[i].count; j++) {
            char name[METRICS_SLO_NAME_BYTES];
            metrics_slo_name(&probe, j, name, sizeof name);
            assert_string_equal(name, rows[i].names[j]);
        }
    }
    struct config_probe longest = {.slo_count = 2};
    longest.slos[0] = longest.slos[1] =
        (struct config_slo){SLO_LATENCY, 999999, INT64_MAX, INT64_MAX - 1};
    char name[METRICS_SLO_NAME_BYTES + 32];
    metrics_slo_name(&longest, 1, name, sizeof name);
    assert_true(strlen(name) < METRICS_SLO_NAME_BYTES);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct reader_sample *)a)->key, ((const struct reader_sample *)b)->key);
}

/* One family in two places, or one series twice: a receiver refuses the body. */
static void metrics_have_each_family_and_each_series_once(void **state)
{
    static struct reader reader;
    (void)state;
    set_up_site();
    fixture_probe(&config, &fixture_everything, "all");
    fixture_target(&config, "one");
    fixture_target(&config, "two");
    fixture_probe(&config, &fixture_web, "second");
    fixture_target(&config, "one");
    for (unsigned i = 2; i < 5; i++) {
        sli_init(&slis[i], config_target_probe(&config, i));
        fixture_worst_result(&last[i], (uint16_t)i, 'x');
        seen[i] = true;
    }
    struct metrics_view view = whole_view();
    assert_true(reader_read_text(&reader, walk_text(&view)));
    for (unsigned i = 0; i < reader.family_count; i++) {
        assert_true(reader.families[i].samples > 0);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(reader.families[i].name, reader.families[j].name);
        }
    }
    qsort(reader.samples, reader.sample_count, sizeof reader.samples[0], compare_keys);
    for (unsigned i = 1; i < reader.sample_count; i++) {
        assert_string_not_equal(reader.samples[i].key, reader.samples[i - 1].key);
    }
    reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_of_a_site_are_exactly_these),
        cmocka_unit_test(metrics_of_slos_follow_from_the_events_of_their_windows),
        cmocka_unit_test(metrics_of_a_group_have_no_probe_and_add_its_targets_up),
        cmocka_unit_test(metrics_of_a_group_have_an_epoch_for_each_set_of_targets),
        cmocka_unit_test(metrics_counters_are_there_at_zero_before_the_first_result),
        cmocka_unit_test(metrics_without_a_result_have_no_gauge_of_a_target),
        cmocka_unit_test(metrics_gauges_tell_only_what_the_last_run_found),
        cmocka_unit_test(metrics_of_values_tell_what_could_be_read),
        cmocka_unit_test(metrics_of_the_agent_leave_out_what_is_not_known),
        cmocka_unit_test(metrics_can_be_limited_to_one_probe),
        cmocka_unit_test(metrics_leave_out_configured_labels_that_series_use),
        cmocka_unit_test(metrics_name_slos_uniquely_within_the_probe),
        cmocka_unit_test(metrics_have_each_family_and_each_series_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

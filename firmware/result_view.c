#include "result_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "result_json.h"

#define BAR_COLUMNS 40

static double milliseconds(usec_t duration_us)
{
    return (double)duration_us / 1000;
}

static void append_verdict(const struct result *result, bool colour, struct buffer *out)
{
    static const char *const colours[OUTCOME_COUNT] = {"\033[32m", "\033[31m", "\033[33m"};
    if (colour) {
        buffer_append_string(out, colours[result->outcome]);
    }
    buffer_append_string(out, outcome_name(result->outcome));
    if (result->outcome == OUTCOME_FAILURE) {
        buffer_printf(out, ": %s", reason_name(result->reason));
    }
    if (colour) {
        buffer_append_string(out, "\033[0m");
    }
    if (result->phase != PHASE_NONE) {
        buffer_printf(out, " in phase %s", phase_name(result->phase));
    }
    buffer_printf(out, " after %.1f ms\n", milliseconds(result->duration_us));
}

/* Each phase as a bar that begins where the one before it ended. */
static void append_waterfall(const struct result *result, struct buffer *out)
{
    usec_t total_us = usec_max(result->duration_us, 1), before_us = 0;
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        if (!(result->phases_reached & PHASE_BIT(phase))) {
            continue;
        }
        usec_t duration_us = result->phase_us[phase];
        int start = (int)(usec_min(before_us, total_us) * BAR_COLUMNS / total_us);
        int end = (int)(usec_min(before_us + duration_us, total_us) * BAR_COLUMNS / total_us);
        buffer_printf(out, "  %-11s %9.1f ms  |%*s", phase_name((enum phase)phase),
                      milliseconds(duration_us), start, "");
        for (int column = start; column < end || column == start; column++) {
            buffer_append_byte(out, column < end ? '#' : '.');
        }
        buffer_append_byte(out, '\n');
        before_us += duration_us;
    }
}

static void append_date(struct buffer *out, int64_t seconds, struct wall_time wall)
{
    time_t time = (time_t)seconds;
    struct tm utc;
    char text[32] = "?";
    if (gmtime_r(&time, &utc)) {
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
    }
    buffer_append_string(out, text);
    if (wall.trusted) {
        int64_t days = (seconds - wall.unix_us / USEC_PER_SEC) / 86400;
        buffer_printf(out, " (%lld days %s)", (long long)(days < 0 ? -days : days),
                      days < 0 ? "ago" : "left");
    }
}

static void append_tls(const struct tls_facts *tls, struct wall_time wall, struct buffer *out)
{
    if (tls->version[0]) {
        buffer_printf(out, "  %s, %s\n", tls->version, tls->cipher);
    }
    if (!tls->certificate) {
        return;
    }
    buffer_printf(out, "  certificate of %s\n    issued by   %s\n", tls->subject, tls->issuer);
    if (tls->subject_alternative[0]) {
        buffer_printf(out, "    valid for   %s\n", tls->subject_alternative);
    }
    buffer_printf(out, "    serial      %s\n    sha256      %s\n    expires     ", tls->serial,
                  tls->fingerprint_sha256);
    append_date(out, tls->leaf_not_after, wall);
    if (tls->sent_not_after != tls->leaf_not_after) {
        buffer_append_string(out, "\n    chain sent  ");
        append_date(out, tls->sent_not_after, wall);
    }
    buffer_append_byte(out, '\n');
}

static void value_name(const struct config_probe *probe, const struct config *config,
                       unsigned index, char *name, size_t size)
{
    const struct probe_kind *kind = probe->section.kind;
    if (!kind->value_name || !kind->value_name(config, &probe->section, index, name, size)) {
        snprintf(name, size, "value_%u", index);
    }
}

static void append_values(const struct config *config, const struct result *result,
                          struct buffer *out)
{
    const struct config_probe *probe = config_target_probe(config, result->target);
    for (unsigned i = 0; i < result->value_count; i++) {
        const struct value_reading *value = &result->values[i];
        char name[CAP_NAME_BYTES];
        value_name(probe, config, i, name, sizeof name);
        buffer_printf(out, "  %-24s ", name);
        if (!value->available) {
            buffer_append_string(out, "unavailable");
        } else if (value->text[0]) {
            buffer_printf(out, "\"%s\"", value->text);
        } else {
            buffer_append_number(out, value->number);
        }
        buffer_append_byte(out, '\n');
    }
}

/* The resolver's facts say little to a person that the phases do not. */
static void append_facts(const struct result *result, struct buffer *out)
{
    for (int fact = FACT_IP_ADDR_HASH + 1; fact < FACT_COUNT; fact++) {
        if (result->facts_set & FACT_BIT(fact)) {
            buffer_printf(out, "  %-44s ", fact_name((enum fact)fact));
            buffer_append_number(out, result->facts[fact]);
            buffer_append_byte(out, '\n');
        }
    }
}

void result_view_text(const struct config *config, const struct result *result,
                      struct wall_time wall, bool colour, struct buffer *out)
{
    const struct config_probe *probe = config_target_probe(config, result->target);
    buffer_printf(out, "%s %s  %s\n", probe->section.kind->name, config_probe_name(config, probe),
                  config_instance(config, result->target));
    append_verdict(result, colour, out);
    if (result->note[0]) {
        buffer_printf(out, "  %s\n", result->note);
    }
    append_waterfall(result, out);
    append_facts(result, out);
    append_tls(&result->tls, wall, out);
    append_values(config, result, out);
}

void result_view_json(const struct config *config, const struct result *result, struct buffer *out)
{
    const struct config_probe *probe = config_target_probe(config, result->target);
    buffer_append_string(out, "{\"probe\":");
    buffer_append_json_string(out, config_probe_name(config, probe));
    json_text(out, "kind", probe->section.kind->name);
    json_text(out, "instance", config_instance(config, result->target));
    json_text(out, "outcome", outcome_name(result->outcome));
    json_text(out, "reason", reason_name(result->reason));
    json_text(out, "phase", phase_name(result->phase));
    json_text(out, "note", result->note);
    json_seconds(out, "duration_seconds", result->duration_us);
    result_json_details(out, config, result->target, result);
    buffer_append_string(out, "}\n");
}

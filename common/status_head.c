#include <inttypes.h>
#include <string.h>

#include "status_render.h"
#include "status_table.h"
#include "version.h"

static const struct {
    const char *word, *colour;
} states[STATUS_STATE_COUNT] = {
    [STATUS_OK] = {"ok", "\033[32m"},           [STATUS_FAIL] = {"FAIL", "\033[1;31m"},
    [STATUS_UNKNOWN] = {"unknown", "\033[33m"}, [STATUS_MAINTENANCE] = {"maint", "\033[2m"},
    [STATUS_WAITING] = {"waiting", "\033[2m"},  [STATUS_OFF] = {"off", "\033[2m"},
};

const char *status_word(enum status_state state)
{
    return states[state].word;
}

const char *status_colour(enum status_state state)
{
    return states[state].colour;
}

void status_append_printable(struct buffer *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count && text[i] != '\0'; i++) {
        bool printable = text[i] >= 0x20 && text[i] < 0x7f;
        buffer_append_byte(out, printable ? (uint8_t)text[i] : (uint8_t)'?');
    }
}

static void append_ago(struct buffer *out, usec_t moment_us, usec_t now_us)
{
    status_append_age(out, now_us - moment_us);
    buffer_append_string(out, " ago");
}

/* "accepted 12s ago (HTTP 200, 35.0 ms)", "unreachable (2.1 ms), 3 in a row, last accepted never"
 */
static void append_reply(struct buffer *out, const struct push *push, usec_t now_us)
{
    buffer_append_string(out, upstream_class_name(push->last_reply.class));
    if (push->failures_in_row == 0) {
        buffer_append_byte(out, ' ');
        append_ago(out, push->last_success_us, now_us);
    }
    buffer_append_string(out, " (");
    if (push->last_reply.http_status != 0) {
        buffer_printf(out, "HTTP %d, ", push->last_reply.http_status);
    }
    status_append_milliseconds(out, push->last_duration_us);
    buffer_append_string(out, " ms)");
    if (push->failures_in_row > 0) {
        buffer_printf(out, ", %u in a row, last accepted ", push->failures_in_row);
        if (push->last_success_us > 0) {
            append_ago(out, push->last_success_us, now_us);
        } else {
            buffer_append_string(out, "never");
        }
    }
}

static void append_push(struct buffer *out, const struct push *push, usec_t now_us)
{
    bool replied = push->last_duration_us >= 0;
    buffer_append_string(out, "push     ");
    if (push->state == PUSH_OFF) {
        buffer_append_string(out, "off\n");
        return;
    }
    if (replied) {
        append_reply(out, push, now_us);
    } else {
        buffer_append_string(out, "none yet");
    }
    if (push->state == PUSH_IN_FLIGHT) {
        buffer_append_string(out, ", one in flight");
    } else {
        buffer_append_string(out, ", next in ");
        status_append_age(out, push->due_us - now_us);
    }
    buffer_append_byte(out, '\n');
    if (replied && push->failures_in_row > 0 && push->last_reply.note[0] != '\0') {
        buffer_append_string(out, "         ");
        status_append_printable(out, push->last_reply.note, sizeof push->last_reply.note);
        buffer_append_byte(out, '\n');
    }
}

static void append_summary(struct buffer *out, const struct agent *agent, bool colour)
{
    unsigned counts[STATUS_STATE_COUNT] = {0};
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        counts[status_state(agent, i)]++;
    }
    buffer_printf(out, "targets  %u", (unsigned)agent->config->target_count);
    const char *separator = ": ";
    for (unsigned i = 0; i < STATUS_STATE_COUNT; i++) {
        if (counts[i] > 0) {
            buffer_printf(out, "%s%u ", separator, counts[i]);
            status_append_coloured(out, colour ? states[i].colour : NULL, states[i].word);
            separator = ", ";
        }
    }
    buffer_append_byte(out, '\n');
}

void status_head(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out)
{
    const char *site = config_site(agent->config);
    bool trusted = clock_wall(&agent->ports.clock).trusted;
    buffer_append_string(out, "site     ");
    buffer_append_escaped(out, site, strlen(site));
    buffer_printf(out, ", picket %s (%s), up ", picket_version, picket_commit);
    status_append_age(out, now_us - agent->started_us);
    buffer_append_string(out, trusted ? ", clock trusted" : ", clock NOT trusted");
    buffer_append_string(out, agent->state > AGENT_RUNNING ? ", stopping\n" : "\n");
    append_push(out, &agent->push, now_us);
    status_store(agent, now_us, colour, out);
    status_recovery(agent, now_us, colour, out);
    append_summary(out, agent, colour);
}

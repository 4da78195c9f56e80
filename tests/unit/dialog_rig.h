/* One dialog, and what drives it: a script, a peer that takes little at a time, and what a run of
 * the engine came to. */
#ifndef PICKET_DIALOG_RIG_H
#define PICKET_DIALOG_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialog.h"

enum { STEPS = 10 };

/* When the peer closes, or falls silent, after the input. */
enum then { THEN_NOTHING, THEN_CLOSE, THEN_QUIET };

static struct dialog dialog;

static void read_script(struct dialog_script *script, const char *const *steps)
{
    char why[256];
    memset(script, 0, sizeof *script);
    for (unsigned i = 0; i < STEPS && steps[i] != NULL; i++) {
        if (dialog_script_add(script, steps[i], strlen(steps[i]), why, sizeof why) != ERROR_NONE) {
            fail_msg("%s: %s", steps[i], why);
        }
    }
}

/* What a run of the engine came to, to be compared. */
struct end {
    enum dialog_state state;
    enum reason reason;
    unsigned step;
    bool by_pattern, by_bytes;
    bool late; /* something came after the dialog had asked for its handshake */
    size_t sent_length;
    char sent[8192];
};

static void drain(struct end *end)
{
    size_t count;
    const void *bytes = dialog_output(&dialog, &count);
    while (count > 0) {
        size_t part = count > 3 ? 3 : count; /* a peer that takes little at a time */
        assert_true(end->sent_length + part < sizeof end->sent);
        memcpy(end->sent + end->sent_length, bytes, part);
        end->sent_length += part;
        dialog_sent(&dialog, part);
        bytes = dialog_output(&dialog, &count);
    }
    end->sent[end->sent_length] = '\0';
}

static void feed(struct end *end, const char *bytes, size_t count)
{
    if (count > 0 && dialog.state == DIALOG_OPEN) {
        /* From a block of its own, so that a sanitizer sees every read beyond it. */
        char *copy = malloc(count);
        assert_non_null(copy);
        memcpy(copy, bytes, count);
        dialog_feed(&dialog, copy, count);
        free(copy);
        drain(end);
    } else if (count > 0 && dialog.state == DIALOG_WANTS_TLS) {
        end->late = true;
    }
}

static void finish(struct end *end, enum then then)
{
    if (dialog.state == DIALOG_OPEN && then == THEN_CLOSE) {
        dialog_end(&dialog);
    } else if (dialog_wants_quiet(&dialog) && then == THEN_QUIET) {
        dialog_quiet(&dialog);
        assert_false(dialog_wants_quiet(&dialog));
    }
    drain(end);
    end->state = dialog.state;
    end->reason = dialog.reason;
    end->step = dialog.step;
    end->by_pattern = dialog.by_pattern;
    end->by_bytes = dialog.by_bytes;
}

static void begin(struct end *end, const struct dialog_script *script)
{
    memset(&dialog, 0xa5, sizeof dialog); /* nothing may rest on zeroes */
    memset(end, 0, sizeof *end);
    dialog_begin(&dialog, script);
    drain(end);
}

#endif

/* Guards against a peer, or a configured step, that crashes, hangs or overruns the tcp dialog, and
 * against a verdict that depends on how the stream was cut.
 *
 * A libFuzzer entry. The input is lines: the first four are steps, the rest is what the peer says.
 * It is fed once whole and once cut where its own bytes say; without a reject (dialog.h) both come
 * to the same end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dialog.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { STEPS = 4 };

static struct dialog dialog;

struct end {
    enum dialog_state state;
    enum reason reason;
    unsigned step;
};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void drain(void)
{
    size_t count;
    for (;;) {
        (void)dialog_output(&dialog, &count);
        if (count == 0) {
            return;
        }
        must(count <= CAP_DIALOG_OUTPUT_BYTES);
        dialog_sent(&dialog, (count + 1) / 2);
    }
}

static void judge(void)
{
    char text[CAP_NOTE_BYTES];
    struct buffer note;
    must(dialog.begin + dialog.taken <= dialog.used && dialog.used <= sizeof dialog.input);
    must(dialog.total <= DIALOG_BYTES_MAX && dialog.step <= dialog.script->count);
    must((dialog.state == DIALOG_FAILED) == (dialog.reason != REASON_NONE));
    buffer_init(&note, text, sizeof text);
    dialog_explain(&dialog, &note);
    must(strlen(text) < sizeof text);
}

static struct end play(const struct dialog_script *script, const uint8_t *bytes, size_t size,
                       bool whole)
{
    memset(&dialog, 0xa5, sizeof dialog);
    dialog_begin(&dialog, script);
    drain();
    for (size_t at = 0; at < size;) {
        size_t part = whole ? size : 1 + bytes[at] % 9;
        part = part < size - at ? part : size - at;
        if (dialog.state == DIALOG_WANTS_TLS) {
            /* Cut here the rest is the handshake's, which refuses it as the dialog would have. */
            return (struct end){DIALOG_FAILED, REASON_PROTOCOL, dialog.step};
        }
        dialog_feed(&dialog, bytes + at, part);
        drain();
        judge();
        at += part;
    }
    if (dialog_wants_quiet(&dialog)) {
        dialog_quiet(&dialog);
        drain();
        must(!dialog_wants_quiet(&dialog));
    }
    if (dialog.state == DIALOG_OPEN) {
        must(dialog_end(&dialog) != DIALOG_OPEN || dialog.out_used > dialog.out_sent);
        drain();
    }
    judge();
    return (struct end){dialog.state, dialog.reason, dialog.step};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct dialog_script script = {0};
    char why[256];
    unsigned wrong;
    for (unsigned i = 0; i < STEPS; i++) {
        const uint8_t *end = memchr(bytes, '\n', size);
        size_t length = end != NULL ? (size_t)(end - bytes) : size;
        if (dialog_script_add(&script, (const char *)bytes, length, why, sizeof why) !=
            ERROR_NONE) {
            must(strlen(why) > 0);
        }
        size_t used = end != NULL ? length + 1 : length;
        bytes += used;
        size -= used;
    }
    if (dialog_script_fault(&script, &wrong) == NULL) {
        struct end whole = play(&script, bytes, size, true);
        struct end cut = play(&script, bytes, size, false);
        must(dialog_script_has(&script, DIALOG_REJECT) ||
             (whole.state == cut.state && whole.reason == cut.reason && whole.step == cut.step) ||
             whole.reason == REASON_INTERNAL || cut.reason == REASON_INTERNAL);
    }
    dialog_script_free(&script);
    return 0;
}

/* The steps of a tcp dialog as configured, read and compiled once. SPEC section 2, tcp:
 *
 *   send "EHLO ${1}\r\n"   bytes with C escapes; ${0} to ${9} are groups of the last match; nothing
 *                          is added. A `$` written as \x24 is never a group.
 *   expect /^250 /i        waits for a line that matches (dialog.h says what a line is)
 *   expect_bytes "\x05"    waits for these bytes, wherever lines begin or end
 *   reject /^5\d\d/        from here to the end of the dialog no line that an `expect` reads may
 *                          match; so an `expect` must follow
 *   starttls               TLS from here on. Right after a `send` it first waits for the server's
 *                          go-ahead in the ways of SMTP, FTP, POP3 and IMAP (RFC 3207, 4217, 2595,
 *                          9051): a line `220 …`, `234 …`, `+OK …` or `TAG OK …`; a line of refusal
 *                          ends the dialog. After an expect that one has read the go-ahead.
 *
 * Memory: allocated when read, freed by dialog_script_free(). Read-only afterwards. */
#ifndef PICKET_DIALOG_SCRIPT_H
#define PICKET_DIALOG_SCRIPT_H

#include "base.h"
#include "pattern.h"

enum { DIALOG_STEPS_MAX = 64, DIALOG_PIECES_MAX = 24 };

enum dialog_op {
    DIALOG_SEND,
    DIALOG_EXPECT,
    DIALOG_EXPECT_BYTES,
    DIALOG_REJECT,
    DIALOG_STARTTLS,
    DIALOG_OP_COUNT
};

/* Part of what a `send` sends. */
struct dialog_piece {
    int group;            /* -1: literal bytes */
    size_t start, length; /* in the step's bytes */
};

struct dialog_step {
    enum dialog_op op;
    const char *text; /* as written, for notes; borrowed, not terminated. Never a `send`'s: it may
                       * hold a password */
    size_t text_length;
    struct pattern *pattern; /* expect, reject; starttls: what a go-ahead looks like, or NULL */
    struct pattern *refusal; /* starttls with a pattern: what a refusal looks like */
    uint8_t *bytes;          /* send, expect_bytes */
    size_t length;
    unsigned piece_count;
    struct dialog_piece pieces[DIALOG_PIECES_MAX];
};

struct dialog_script {
    unsigned count;
    struct dialog_step steps[DIALOG_STEPS_MAX];
};

/* Appends the step that `text` (borrowed for the script's life) says. ERROR_INVALID, ERROR_FULL
 * (too many steps) or ERROR_EXHAUSTED; `why` says it in one line with a hint for a mistyped word.
 */
MUST_CHECK enum error dialog_script_add(struct dialog_script *script, const char *text,
                                        size_t length, char *why, size_t why_size);
/* What no single step can tell: NULL, or the index of the wrong step in *step and what is wrong
 * with it. */
const char *dialog_script_fault(const struct dialog_script *script, unsigned *step);
/* True when the script has a step of this kind. */
bool dialog_script_has(const struct dialog_script *script, enum dialog_op op);
/* Frees what the steps hold; the struct is the caller's. Twice is fine. */
void dialog_script_free(struct dialog_script *script);

#endif

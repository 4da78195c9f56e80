/* The engine of a tcp dialog: bytes of the peer in, bytes to send and a verdict out. No socket, no
 * clock, no allocation; hostile input is bounded and classified.
 *
 * What the peer sends is one byte stream; how it was cut into segments makes no difference:
 * - A line ends at LF; a CR before it is not part of it. `expect` is tried on each line, and on the
 *   unfinished last one as soon as no further byte could change the match: /login: / is there when
 *   its blank has come, while /[$#]$/ or /\d+/ at the end of what has come may still turn out
 *   otherwise. Such a one is taken when the peer has said nothing for DIALOG_QUIET_US, or has
 *   closed: then the line counts as finished.
 * - Lines that do not match are passed over. After a match the stream goes on behind it: the next
 *   step sees the rest of the line, unless nothing is left of it. `^` is the start of a line only.
 * - `reject` is tried before the expect on all that has come of the line. So text behind an
 * expect's match on the same line is rejected when it came along with it; this is the one place
 * where segments could matter.
 * - A line that outgrows the input buffer slides: its first half is forgotten.
 * - `starttls` waits for the end of the line its go-ahead stood on. Anything further that came in
 *   clear fails with `protocol`: a peer in the middle could have put it there to be taken for what
 *   comes inside TLS (CVE-2011-0411).
 *
 * Patterns that take too much work (pattern.h), over the whole dialog, fail with `internal`: not
 * `unknown`, for a peer could bring that about to stay out of the books. More than DIALOG_BYTES_MAX
 * from the peer fails with `too_large`. Thread rule: that of pattern.h. */
#ifndef PICKET_DIALOG_H
#define PICKET_DIALOG_H

#include "buffer.h"
#include "dialog_script.h"
#include "result.h"

#define DIALOG_QUIET_US (500 * USEC_PER_MSEC)
enum { DIALOG_BYTES_MAX = 64 * 1024, DIALOG_SEEN_BYTES = 64 };

enum dialog_state {
    DIALOG_OPEN,      /* feed it */
    DIALOG_WANTS_TLS, /* send what there is to send, make a handshake, then dialog_secured() */
    DIALOG_DONE,      /* all steps held; send what there is to send */
    DIALOG_FAILED     /* reason, by_pattern, by_bytes; dialog_explain() */
};

struct dialog {
    const struct dialog_script *script; /* borrowed */
    enum dialog_state state;
    unsigned step; /* the one that waits, or failed */
    enum reason reason;
    const char *why;
    bool by_pattern, by_bytes; /* what failed was an expect or reject; an expect_bytes */

    /* Input: the current line is input[begin ..), consumed up to `taken`. */
    size_t begin, taken, used;
    size_t total;       /* bytes fed in all */
    bool line_started;  /* `begin` is where a line starts */
    bool on_line;       /* the last match ended on the current line */
    bool go_ahead;      /* the starttls at work has read its go-ahead */
    unsigned line_step; /* the step that took the first part of the line: rejects before it see the
                         * line from its start */
    bool ended, quiet;
    bool tried_quiet;    /* nothing new since dialog_quiet() */
    uint64_t spare_work; /* of all its patterns */

    size_t out_used, out_sent;
    struct pattern_group groups[PATTERN_GROUPS]; /* in `captured` */
    size_t seen_count;
    uint8_t seen[DIALOG_SEEN_BYTES]; /* the first bytes that came since the last match */
    uint8_t captured[CAP_DIALOG_OUTPUT_BYTES];
    uint8_t out[CAP_DIALOG_OUTPUT_BYTES];
    uint8_t input[CAP_DIALOG_INPUT_BYTES];
};

/* Begins and goes as far as it gets without input: a script of sends only is done at once. The
 * large buffers need not be zeroed. */
void dialog_begin(struct dialog *dialog, const struct dialog_script *script);
/* Takes bytes of the peer, any number. Bytes behind the end of the dialog are ignored. */
enum dialog_state dialog_feed(struct dialog *dialog, const void *bytes, size_t count);
/* How many bytes it can take now; 0 while a `send` waits for its turn and the input is full. */
size_t dialog_room(const struct dialog *dialog);
/* The peer has closed its side: no byte follows. */
enum dialog_state dialog_end(struct dialog *dialog);
/* True when a pause of DIALOG_QUIET_US could decide something; then call dialog_quiet(). */
bool dialog_wants_quiet(const struct dialog *dialog);
enum dialog_state dialog_quiet(struct dialog *dialog);
/* TLS is on: goes on with the next step. */
enum dialog_state dialog_secured(struct dialog *dialog);

/* What is to be sent now; *count 0 when nothing is. Borrowed until the next call. */
const void *dialog_output(const struct dialog *dialog, size_t *count);
/* The first `count` bytes of it went out. */
void dialog_sent(struct dialog *dialog, size_t count);

/* One line: the step, what became of it, and what came instead. Terminates the buffer's text. While
 * the dialog is open it says what it waits for. */
void dialog_explain(const struct dialog *dialog, struct buffer *out);

#endif

/* Method: the input buffer holds the current line and whatever came behind it. Each step looks at
 * it from `taken` on; a step that cannot be decided leaves everything as it is and waits. So what
 * the dialog has done after n bytes depends on those n bytes only. */
#include "dialog.h"

#include <assert.h>
#include <string.h>

static void fail(struct dialog *dialog, enum reason reason, const char *why)
{
    dialog->state = DIALOG_FAILED;
    dialog->reason = reason;
    dialog->why = why;
}

/* --- Input --- */

/* A line begins `count` bytes further; what was matched so far lies behind. */
static void drop_line(struct dialog *dialog, size_t count)
{
    dialog->begin += count;
    dialog->taken = 0;
    dialog->line_started = true;
    dialog->on_line = false;
    dialog->line_step = dialog->step;
}

static void compact(struct dialog *dialog)
{
    dialog->used -= dialog->begin;
    memmove(dialog->input, dialog->input + dialog->begin, dialog->used);
    dialog->begin = 0;
}

/* Makes room by forgetting the first half of the longest line there can be. */
static void slide(struct dialog *dialog)
{
    size_t lost = sizeof dialog->input / 2;
    dialog->begin = lost;
    dialog->taken = dialog->taken > lost ? dialog->taken - lost : 0;
    dialog->line_started = false;
    compact(dialog);
}

static void see(struct dialog *dialog, const uint8_t *bytes, size_t count)
{
    size_t room = sizeof dialog->seen - dialog->seen_count;
    size_t kept = count < room ? count : room;
    memcpy(dialog->seen + dialog->seen_count, bytes, kept);
    dialog->seen_count += kept;
}

/* A step holds: what the next one reads begins at `taken`. What is of interest behind a send is the
 * answer to it. */
static void advance(struct dialog *dialog)
{
    bool sent = dialog->script->steps[dialog->step].op == DIALOG_SEND;
    size_t from = dialog->begin + dialog->taken;
    dialog->step++;
    dialog->seen_count = 0;
    see(dialog, dialog->input + from, sent ? 0 : dialog->used - from);
}

struct line {
    const uint8_t *start;
    size_t length; /* without its end */
    size_t size;   /* with it; 0: unfinished */
    bool finished; /* no more bytes belong to it */
};

static struct line current_line(const struct dialog *dialog)
{
    struct line line = {.start = dialog->input + dialog->begin};
    size_t held = dialog->used - dialog->begin;
    const uint8_t *end = memchr(line.start + dialog->taken, '\n', held - dialog->taken);
    line.length = end != NULL ? (size_t)(end - line.start) : held;
    line.size = end != NULL ? line.length + 1 : 0;
    line.finished = end != NULL || dialog->ended || dialog->quiet;
    /* On an unfinished line too: this CR may be half of a line's end. */
    if (line.length > dialog->taken && line.start[line.length - 1] == '\r') {
        line.length--;
    }
    return line;
}

/* --- Steps; each returns true when the dialog goes on with the next one --- */

static enum pattern_match search(struct dialog *dialog, const struct line *line,
                                 const struct pattern *pattern, size_t from,
                                 struct pattern_group *groups)
{
    struct pattern_text text = {.bytes = line->start, .length = line->length, .start = from};
    text.place |= line->finished ? 0 : PATTERN_UNFINISHED;
    text.place |= dialog->line_started ? 0 : PATTERN_MIDDLE;
    return pattern_search(pattern, &text, &dialog->spare_work, groups);
}

/* Fails when the current line matches a reject that is in force. */
static bool rejected(struct dialog *dialog, const struct line *line)
{
    for (unsigned i = 0; i < dialog->step; i++) {
        const struct dialog_step *step = &dialog->script->steps[i];
        if (step->op != DIALOG_REJECT) {
            continue;
        }
        size_t from = i < dialog->line_step ? 0 : dialog->taken;
        enum pattern_match match = search(dialog, line, step->pattern, from, NULL);
        if (match == PATTERN_YES || match == PATTERN_LIMIT) {
            dialog->step = i;
            dialog->by_pattern = true;
            fail(dialog, match == PATTERN_YES ? REASON_EXPECT : REASON_INTERNAL,
                 match == PATTERN_YES ? "matched" : "took too much work");
            return true;
        }
    }
    return false;
}

/* Keeps the groups of a match for later sends: the input moves on. */
static void capture(struct dialog *dialog, const uint8_t *line, const struct pattern_group *groups)
{
    size_t used = 0;
    for (unsigned i = 0; i < PATTERN_GROUPS; i++) {
        size_t length = groups[i].start == SIZE_MAX ? 0 : groups[i].length;
        bool fits = length <= sizeof dialog->captured - used;
        dialog->groups[i] = (struct pattern_group){fits ? used : SIZE_MAX, fits ? length : 0};
        if (fits && length > 0) {
            memcpy(dialog->captured + used, line + groups[i].start, length);
            used += length;
        }
    }
}

static bool match_line(struct dialog *dialog, const struct line *line,
                       const struct pattern *pattern)
{
    struct pattern_group groups[PATTERN_GROUPS];
    switch (search(dialog, line, pattern, dialog->taken, groups)) {
    case PATTERN_YES:
        capture(dialog, line->start, groups);
        if (dialog->taken == 0) {
            dialog->line_step = dialog->step;
        }
        dialog->taken = groups[0].start + groups[0].length;
        dialog->on_line = true;
        return true;
    case PATTERN_LIMIT:
        dialog->by_pattern = true;
        fail(dialog, REASON_INTERNAL, "took too much work");
        return false;
    case PATTERN_NO:
    case PATTERN_UNCERTAIN:
        break;
    }
    return false;
}

/* Looks at one line. True: `found` or failed, or the line was passed over and the next one is to be
 * looked at; false: more input is needed. */
static bool look_at_line(struct dialog *dialog, const struct pattern *pattern,
                         const struct pattern *refusing, bool *found)
{
    struct line line = current_line(dialog);
    bool something = line.length > dialog->taken;
    /* Of a line that a match used up only the end is left: nobody waits for that. */
    bool fresh = something || (line.size > 0 && dialog->taken == 0);
    if ((something || line.size > 0) && rejected(dialog, &line)) {
        return true;
    }
    if (fresh && refusing != NULL && line.finished &&
        search(dialog, &line, refusing, 0, NULL) == PATTERN_YES) {
        fail(dialog, REASON_PROTOCOL, "the server refused");
        return true;
    }
    *found = fresh && match_line(dialog, &line, pattern);
    if (*found || dialog->state == DIALOG_FAILED) {
        return true;
    }
    if (line.size > 0) {
        drop_line(dialog, line.size);
        return true;
    }
    return false;
}

static bool expect_line(struct dialog *dialog, const struct pattern *pattern,
                        const struct pattern *refusing)
{
    bool found = false;
    /* Each pass but the last uses up a line. */
    while (look_at_line(dialog, pattern, refusing, &found)) {
        if (found || dialog->state == DIALOG_FAILED) {
            return found;
        }
    }
    if (dialog->used - dialog->begin == sizeof dialog->input) {
        slide(dialog);
    }
    return false;
}

static bool expect_bytes(struct dialog *dialog, const struct dialog_step *step)
{
    size_t from = dialog->begin + dialog->taken;
    const uint8_t *at =
        memmem(dialog->input + from, dialog->used - from, step->bytes, step->length);
    if (at == NULL) {
        /* The next ones may complete the last few. */
        size_t kept = dialog->used - from < step->length ? dialog->used - from : step->length - 1;
        drop_line(dialog, dialog->used - kept - dialog->begin);
        return false;
    }
    /* What `^` and look-behind see before the next step is the bytes themselves, however many came
     * before them and were kept. */
    size_t begin = (size_t)(at - dialog->input);
    const uint8_t *line_end = memrchr(at, '\n', step->length);
    size_t passed = line_end != NULL ? (size_t)(line_end - at) + 1 : 0;
    drop_line(dialog, begin + passed - dialog->begin);
    dialog->taken = step->length - passed;
    dialog->line_started = line_end != NULL;
    return true;
}

static void append(struct dialog *dialog, const uint8_t *bytes, size_t count)
{
    memcpy(dialog->out + dialog->out_used, bytes, count);
    dialog->out_used += count;
}

static bool send_pieces(struct dialog *dialog, const struct dialog_step *step)
{
    size_t count = 0;
    for (unsigned i = 0; i < step->piece_count; i++) {
        const struct dialog_piece *piece = &step->pieces[i];
        bool lost = piece->group >= 0 && dialog->groups[piece->group].start == SIZE_MAX;
        count += piece->group < 0 ? piece->length : dialog->groups[piece->group].length;
        if (lost || count > sizeof dialog->out) {
            fail(dialog, REASON_TOO_LARGE, "the matched text is too long to be sent back");
            return false;
        }
    }
    if (count > sizeof dialog->out - dialog->out_used) {
        return false; /* what the sends before it left has to go out first */
    }
    for (unsigned i = 0; i < step->piece_count; i++) {
        const struct dialog_piece *piece = &step->pieces[i];
        if (piece->group < 0) {
            append(dialog, step->bytes + piece->start, piece->length);
        } else {
            const struct pattern_group *group = &dialog->groups[piece->group];
            append(dialog, dialog->captured + group->start, group->length);
        }
    }
    return true;
}

/* Waits for the end of the line the go-ahead stood on; then the input has to be empty. */
static void want_tls(struct dialog *dialog)
{
    if (dialog->on_line) {
        struct line line = current_line(dialog);
        if (!line.finished) {
            drop_line(dialog, dialog->used - dialog->begin);
            dialog->on_line = true;
            return;
        }
        drop_line(dialog, line.size > 0 ? line.size : dialog->used - dialog->begin);
    }
    if (dialog->used > dialog->begin + dialog->taken) {
        fail(dialog, REASON_PROTOCOL, "the server sent more in clear before TLS");
    } else {
        dialog->state = DIALOG_WANTS_TLS;
    }
}

static bool starttls(struct dialog *dialog, const struct dialog_step *step)
{
    if (step->pattern != NULL && !dialog->go_ahead) {
        dialog->go_ahead = expect_line(dialog, step->pattern, step->refusal);
        if (!dialog->go_ahead) {
            return false;
        }
    }
    want_tls(dialog);
    return false; /* dialog_secured() goes on */
}

/* One step. True: it holds, go on. */
static bool run_step(struct dialog *dialog, const struct dialog_step *step)
{
    switch (step->op) {
    case DIALOG_SEND:
        return send_pieces(dialog, step);
    case DIALOG_EXPECT:
        return expect_line(dialog, step->pattern, NULL);
    case DIALOG_EXPECT_BYTES:
        return expect_bytes(dialog, step);
    case DIALOG_REJECT:
        return true;
    case DIALOG_STARTTLS:
        return starttls(dialog, step);
    case DIALOG_OP_COUNT:
        break;
    }
    assert(false);
    return false;
}

static enum dialog_state run(struct dialog *dialog)
{
    const struct dialog_script *script = dialog->script;
    while (dialog->state == DIALOG_OPEN) {
        if (dialog->step == script->count) {
            dialog->state = DIALOG_DONE;
        } else if (run_step(dialog, &script->steps[dialog->step])) {
            advance(dialog);
        } else {
            break;
        }
    }
    return dialog->state;
}

/* --- Events --- */

void dialog_begin(struct dialog *dialog, const struct dialog_script *script)
{
    memset(dialog, 0, offsetof(struct dialog, captured));
    dialog->script = script;
    dialog->line_started = true;
    dialog->spare_work = PATTERN_WORK_SPARE;
    dialog->reason = REASON_NONE;
    (void)run(dialog);
}

size_t dialog_room(const struct dialog *dialog)
{
    return dialog->state == DIALOG_OPEN ? sizeof dialog->input - (dialog->used - dialog->begin) : 0;
}

enum dialog_state dialog_feed(struct dialog *dialog, const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    /* Each pass takes a byte at least: a step that waits has left room. */
    while (count > 0 && dialog->state == DIALOG_OPEN) {
        if (dialog->begin > 0) {
            compact(dialog);
        }
        size_t room = sizeof dialog->input - dialog->used;
        size_t allowed = DIALOG_BYTES_MAX - dialog->total;
        size_t taken = count < room ? count : room;
        if (taken > allowed) {
            taken = allowed;
        }
        if (taken == 0) {
            fail(dialog, REASON_TOO_LARGE,
                 room == 0 ? "more came than was waited for" : "the peer sent too much");
            break;
        }
        memcpy(dialog->input + dialog->used, next, taken);
        see(dialog, next, taken);
        dialog->used += taken;
        dialog->total += taken;
        dialog->tried_quiet = false;
        next += taken;
        count -= taken;
        (void)run(dialog);
    }
    /* Bytes behind a go-ahead are refused even when they came in the same segment. */
    if (count > 0 && dialog->state == DIALOG_WANTS_TLS) {
        fail(dialog, REASON_PROTOCOL, "the server sent more in clear before TLS");
    }
    return dialog->state;
}

enum dialog_state dialog_end(struct dialog *dialog)
{
    dialog->ended = true;
    if (run(dialog) != DIALOG_OPEN) {
        return dialog->state;
    }
    const struct dialog_step *step = &dialog->script->steps[dialog->step];
    dialog->by_pattern = step->op == DIALOG_EXPECT;
    dialog->by_bytes = step->op == DIALOG_EXPECT_BYTES;
    bool expects = dialog->by_pattern || dialog->by_bytes;
    fail(dialog, expects ? REASON_EXPECT : REASON_RESET, "the peer closed the connection");
    return dialog->state;
}

bool dialog_wants_quiet(const struct dialog *dialog)
{
    if (dialog->state != DIALOG_OPEN || dialog->tried_quiet) {
        return false;
    }
    enum dialog_op op = dialog->script->steps[dialog->step].op;
    bool unfinished = dialog->used > dialog->begin + dialog->taken;
    return (op == DIALOG_EXPECT && unfinished) ||
           (op == DIALOG_STARTTLS && (unfinished || dialog->on_line));
}

enum dialog_state dialog_quiet(struct dialog *dialog)
{
    dialog->tried_quiet = true;
    dialog->quiet = true;
    (void)run(dialog);
    dialog->quiet = false;
    return dialog->state;
}

enum dialog_state dialog_secured(struct dialog *dialog)
{
    assert(dialog->state == DIALOG_WANTS_TLS);
    drop_line(dialog, dialog->used - dialog->begin);
    dialog->state = DIALOG_OPEN;
    dialog->go_ahead = false;
    advance(dialog);
    return run(dialog);
}

const void *dialog_output(const struct dialog *dialog, size_t *count)
{
    *count = dialog->out_used - dialog->out_sent;
    return dialog->out + dialog->out_sent;
}

void dialog_sent(struct dialog *dialog, size_t count)
{
    assert(count <= dialog->out_used - dialog->out_sent);
    dialog->out_sent += count;
    if (dialog->out_sent == dialog->out_used) {
        dialog->out_sent = dialog->out_used = 0;
        (void)run(dialog); /* a send may have waited for the room */
    }
}

/* A step as written: a backslash in it is not doubled as one of a peer's would be. */
static void explain_step(const struct dialog_step *step, struct buffer *out)
{
    static const size_t text_max = 60;
    for (size_t i = 0; i < step->text_length && i < text_max; i++) {
        if (step->text[i] == '\\') {
            buffer_append_byte(out, '\\');
        } else {
            buffer_append_escaped(out, step->text + i, 1);
        }
    }
    if (step->text_length > text_max) {
        buffer_append_string(out, "...");
    }
}

void dialog_explain(const struct dialog *dialog, struct buffer *out)
{
    if (dialog->step < dialog->script->count) {
        buffer_printf(out, "step %u (", dialog->step + 1);
        explain_step(&dialog->script->steps[dialog->step], out);
        buffer_append_string(out, "): ");
    }
    buffer_append_string(out, dialog->why != NULL ? dialog->why : "still waiting");
    size_t from = 0; /* behind what is left of the end of a line that matched */
    while (from < dialog->seen_count &&
           (dialog->seen[from] == '\r' || dialog->seen[from] == '\n')) {
        from++;
    }
    if (from < dialog->seen_count) {
        buffer_append_string(out, "; received \"");
        buffer_append_escaped(out, dialog->seen + from, dialog->seen_count - from);
        buffer_append_string(out, "\"");
    } else {
        buffer_append_string(out, "; nothing was received");
    }
    (void)buffer_text(out);
}

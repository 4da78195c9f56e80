#include "dialog_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "value.h"

static const char *const op_names[] = {
    [DIALOG_SEND] = "send",
    [DIALOG_EXPECT] = "expect",
    [DIALOG_EXPECT_BYTES] = "expect_bytes",
    [DIALOG_REJECT] = "reject",
    [DIALOG_STARTTLS] = "starttls",
    [DIALOG_OP_COUNT] = NULL,
};

/* RFC 3207 section 4 and RFC 4217 section 4 answer with a code, RFC 2595 sections 3 and 4 with a
 * word. `250 …` lines that EHLO left unread are neither. */
static const char go_ahead[] =
    "^(?:220 |220$|234 |234$|\\+OK\\b|(?![*+] |[2345]\\d\\d[ -])\\S+ OK\\b)";
static const char refusal[] = "^(?:[45]\\d\\d[ -]|[45]\\d\\d$|-ERR\\b|"
                              "(?![*+] |[2345]\\d\\d[ -])\\S+ (?:NO|BAD)\\b)";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct pattern *compile(const char *text, size_t length, unsigned flags, char *why,
                               size_t why_size)
{
    char cause[160];
    struct pattern *pattern = pattern_new(text, length, flags, cause, sizeof cause);
    if (pattern == NULL) {
        snprintf(why, why_size, "regular expression: %s", cause);
    }
    return pattern;
}

static enum error read_pattern(struct dialog_step *step, const char *text, size_t length, char *why,
                               size_t why_size)
{
    const char *pattern;
    size_t pattern_length;
    unsigned flags;
    if (value_pattern(text, length, &pattern, &pattern_length, &flags) != ERROR_NONE) {
        snprintf(why, why_size, "%s takes a regular expression: /…/ or /…/i", op_names[step->op]);
        return ERROR_INVALID;
    }
    step->pattern = compile(pattern, pattern_length, flags, why, why_size);
    return step->pattern != NULL ? ERROR_NONE : ERROR_INVALID;
}

/* Decodes a part of a text that may be quoted as a whole, and appends it as one piece. */
static enum error add_literal(struct dialog_step *step, const char *text, size_t length,
                              bool quoted)
{
    char part[CAP_LINE_BYTES + 2];
    size_t used = 0, decoded;
    if (length == 0) {
        return ERROR_NONE;
    }
    if (length + 2 > sizeof part) {
        return ERROR_RANGE;
    }
    if (quoted) {
        part[used++] = '"';
    }
    memcpy(part + used, text, length);
    used += length;
    if (quoted) {
        part[used++] = '"';
    }
    char *out = (char *)step->bytes + step->length;
    enum error error = value_text(part, used, out, used + 1, &decoded);
    if (error == ERROR_NONE) {
        step->pieces[step->piece_count++] = (struct dialog_piece){-1, step->length, decoded};
        step->length += decoded;
    }
    return error;
}

/* The offset of the next ${0} … ${9} at or after `at`, or `length`. */
static size_t find_group(const char *text, size_t length, size_t at)
{
    for (; at + 4 <= length; at++) {
        if (text[at] == '$' && text[at + 1] == '{' && text[at + 2] >= '0' && text[at + 2] <= '9' &&
            text[at + 3] == '}') {
            return at;
        }
    }
    return length;
}

/* Splits at groups before escapes are decoded, so that an escaped byte is never a group's. */
static enum error read_pieces(struct dialog_step *step, const char *text, size_t length)
{
    bool quoted = length > 0 && text[0] == '"';
    if (quoted && (length < 2 || text[length - 1] != '"')) {
        return ERROR_INVALID;
    }
    size_t at = quoted ? 1 : 0, end = quoted ? length - 1 : length;
    while (at < end) {
        if (step->piece_count + 2 > DIALOG_PIECES_MAX) {
            return ERROR_FULL;
        }
        size_t group = step->op == DIALOG_SEND ? find_group(text, end, at) : end;
        enum error error = add_literal(step, text + at, group - at, quoted);
        if (error != ERROR_NONE) {
            return error;
        }
        if (group < end) {
            step->pieces[step->piece_count++].group = text[group + 2] - '0';
        }
        at = group < end ? group + 4 : end;
    }
    return ERROR_NONE;
}

static enum error read_bytes(struct dialog_step *step, const char *text, size_t length, char *why,
                             size_t why_size)
{
    step->bytes = malloc(length + 1);
    if (step->bytes == NULL) {
        snprintf(why, why_size, "out of memory");
        return ERROR_EXHAUSTED;
    }
    enum error error = read_pieces(step, text, length);
    if (error == ERROR_NONE && step->piece_count == 0) {
        error = ERROR_INVALID;
    }
    if (error == ERROR_FULL) {
        snprintf(why, why_size, "more than %d parts in one send", (int)DIALOG_PIECES_MAX / 2);
    } else if (error != ERROR_NONE) {
        snprintf(why, why_size, "%s takes bytes: \"…\" with C escapes (\\r \\n \\x05)",
                 op_names[step->op]);
    } else if (step->length > CAP_DIALOG_OUTPUT_BYTES) {
        snprintf(why, why_size, "more than %d bytes", (int)CAP_DIALOG_OUTPUT_BYTES);
        error = ERROR_RANGE;
    }
    return error;
}

/* A starttls right behind a send reads the go-ahead itself; behind an expect it was read. */
static enum error read_starttls(const struct dialog_script *script, struct dialog_step *step,
                                size_t rest, char *why, size_t why_size)
{
    if (rest != 0) {
        snprintf(why, why_size, "starttls takes nothing");
        return ERROR_INVALID;
    }
    unsigned before = script->count;
    while (before > 0 && script->steps[before - 1].op == DIALOG_REJECT) {
        before--;
    }
    if (before == 0 || script->steps[before - 1].op != DIALOG_SEND) {
        return ERROR_NONE;
    }
    step->pattern = compile(go_ahead, sizeof go_ahead - 1, PATTERN_CASELESS, why, why_size);
    step->refusal = compile(refusal, sizeof refusal - 1, PATTERN_CASELESS, why, why_size);
    return step->pattern != NULL && step->refusal != NULL ? ERROR_NONE : ERROR_EXHAUSTED;
}

static enum dialog_op find_op(const char *word, size_t length)
{
    for (unsigned i = 0; i < DIALOG_OP_COUNT; i++) {
        if (strlen(op_names[i]) == length && memcmp(op_names[i], word, length) == 0) {
            return (enum dialog_op)i;
        }
    }
    return DIALOG_OP_COUNT;
}

static void say_unknown(const char *word, size_t length, char *why, size_t why_size)
{
    const char *near = value_near_miss(word, length, op_names);
    if (near != NULL) {
        snprintf(why, why_size, "unknown step '%.*s', did you mean '%s'?", (int)length, word, near);
    } else {
        snprintf(why, why_size,
                 "a step is send \"…\", expect /…/, expect_bytes \"…\", reject /…/ or starttls");
    }
}

static void free_step(struct dialog_step *step)
{
    pattern_free(step->pattern);
    pattern_free(step->refusal);
    free(step->bytes);
    *step = (struct dialog_step){.op = DIALOG_OP_COUNT};
}

enum error dialog_script_add(struct dialog_script *script, const char *text, size_t length,
                             char *why, size_t why_size)
{
    if (script->count == DIALOG_STEPS_MAX) {
        snprintf(why, why_size, "more than %d steps", (int)DIALOG_STEPS_MAX);
        return ERROR_FULL;
    }
    size_t word = 0;
    while (word < length && !is_blank(text[word])) {
        word++;
    }
    size_t at = word;
    while (at < length && is_blank(text[at])) {
        at++;
    }
    const char *rest = text + at;
    size_t rest_length = length - at;
    struct dialog_step *step = &script->steps[script->count];
    *step = (struct dialog_step){.op = find_op(text, word)};
    enum error error = ERROR_INVALID;
    switch (step->op) {
    case DIALOG_SEND:
    case DIALOG_EXPECT_BYTES:
        error = read_bytes(step, rest, rest_length, why, why_size);
        break;
    case DIALOG_EXPECT:
    case DIALOG_REJECT:
        error = read_pattern(step, rest, rest_length, why, why_size);
        break;
    case DIALOG_STARTTLS:
        error = read_starttls(script, step, rest_length, why, why_size);
        break;
    case DIALOG_OP_COUNT:
        say_unknown(text, word, why, why_size);
        break;
    }
    if (error != ERROR_NONE) {
        free_step(step);
        return error;
    }
    bool secret = step->op == DIALOG_SEND;
    step->text = secret ? op_names[DIALOG_SEND] : text;
    step->text_length = secret ? strlen(step->text) : length;
    script->count++;
    return ERROR_NONE;
}

const char *dialog_script_fault(const struct dialog_script *script, unsigned *step)
{
    bool encrypted = false, matched = false;
    for (unsigned i = 0; i < script->count; i++) {
        const struct dialog_step *at = &script->steps[i];
        *step = i;
        unsigned next = i + 1;
        while (next < script->count && script->steps[next].op != DIALOG_EXPECT) {
            next++;
        }
        if (at->op == DIALOG_REJECT && next == script->count) {
            return "no expect follows, so no line would be looked at";
        }
        if (at->op == DIALOG_STARTTLS && encrypted) {
            return "TLS is on already";
        }
        for (unsigned p = 0; p < at->piece_count; p++) {
            if (at->pieces[p].group >= 0 && !matched) {
                return "a group of a match, but no expect stands before";
            }
        }
        encrypted = encrypted || at->op == DIALOG_STARTTLS;
        matched = matched || at->op == DIALOG_EXPECT;
    }
    return NULL;
}

bool dialog_script_has(const struct dialog_script *script, enum dialog_op op)
{
    for (unsigned i = 0; i < script->count; i++) {
        if (script->steps[i].op == op) {
            return true;
        }
    }
    return false;
}

void dialog_script_free(struct dialog_script *script)
{
    for (unsigned i = 0; i < script->count; i++) {
        free_step(&script->steps[i]);
    }
    script->count = 0;
}

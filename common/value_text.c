/* The values that are text: quoted texts, patterns, words, and hints for what was mistyped. */
#include "value.h"

#include <string.h>

#include "kind.h"

enum { NEAR_BYTES = 64 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to three octal digits, as C reads them; -1 when they pass a byte. */
static int octal_escape(const char *text, size_t length, size_t *at)
{
    int value = 0;
    size_t end = *at + 3;

    while (*at < length && *at < end && is_octal(text[*at])) {
        value = value * 8 + (text[*at] - '0');
        (*at)++;
    }
    return value > 0377 ? -1 : value;
}

/* The byte of the escape whose letter is text[*at], advanced past it; -1 when it is none of C's. */
static int read_escape(const char *text, size_t length, size_t *at)
{
    static const char letters[] = "abfnrtv\\\"'?";
    static const char bytes[] = "\a\b\f\n\r\t\v\\\"'?";
    const char *letter;
    int high, low;

    if (*at >= length || text[*at] == '\0') {
        return -1;
    }
    if (is_octal(text[*at])) {
        return octal_escape(text, length, at);
    }
    if (text[*at] == 'x') {
        high = *at + 1 < length ? hex_digit(text[*at + 1]) : -1;
        low = *at + 2 < length ? hex_digit(text[*at + 2]) : -1;
        *at += 3;
        return high < 0 || low < 0 ? -1 : high * 16 + low;
    }
    letter = strchr(letters, text[*at]);
    (*at)++;
    return letter == NULL ? -1 : (unsigned char)bytes[letter - letters];
}

/* Decodes a quoted text; `out` NULL only checks and counts. */
static enum error unquote(const char *text, size_t length, char *out, size_t *out_length)
{
    size_t at = 1, count = 0;

    while (at + 1 < length) {
        int byte = (unsigned char)text[at++];

        if (byte == '"' || (is_control((char)byte) && byte != '\t')) {
            return ERROR_INVALID;
        }
        if (byte == '\\') {
            byte = read_escape(text, length, &at);
        }
        if (byte < 0) {
            return ERROR_INVALID;
        }
        if (out != NULL) {
            out[count] = (char)(unsigned char)byte;
        }
        count++;
    }
    if (at + 1 != length || text[at] != '"') {
        return ERROR_INVALID;
    }
    *out_length = count;
    return ERROR_NONE;
}

enum error value_text(const char *text, size_t length, char *out, size_t size, size_t *out_length)
{
    bool quoted = length > 0 && text[0] == '"';
    size_t count = length;

    if (quoted && unquote(text, length, NULL, &count) != ERROR_NONE) {
        return ERROR_INVALID;
    }
    for (size_t i = 0; !quoted && i < length; i++) {
        if (is_control(text[i])) {
            return ERROR_INVALID;
        }
    }
    if (count >= size) {
        return ERROR_FULL;
    }
    if (!quoted) {
        memmove(out, text, count);
    } else if (unquote(text, length, out, &count) != ERROR_NONE) {
        return ERROR_INVALID;
    }
    out[count] = '\0';
    *out_length = count;
    return ERROR_NONE;
}

/* The index of the next `mark` at or after `at` that no backslash precedes; `length` when none. */
static size_t find_unescaped(const char *text, size_t length, size_t at, char mark)
{
    for (; at < length && text[at] != mark; at++) {
        if (text[at] == '\\') {
            at++;
        }
    }
    return at < length ? at : length;
}

enum error value_pattern(const char *text, size_t length, const char **pattern,
                         size_t *pattern_length, unsigned *flags)
{
    size_t end = length > 0 && text[0] == '/' ? find_unescaped(text, length, 1, '/') : length;
    bool caseless = end + 2 == length && text[end + 1] == 'i';

    if (end == length || (end + 1 != length && !caseless)) {
        return ERROR_INVALID;
    }
    *pattern = text + 1;
    *pattern_length = end - 1;
    *flags = caseless ? PATTERN_CASELESS : 0;
    return ERROR_NONE;
}

size_t value_skip_enclosed(const char *text, size_t length, size_t at, bool patterns)
{
    bool word_start = at == 0 || is_blank(text[at - 1]);
    size_t end;

    if (text[at] == '"' && (word_start || text[at - 1] == '=')) {
        end = find_unescaped(text, length, at + 1, '"');
    } else if (patterns && text[at] == '/' && word_start) {
        end = find_unescaped(text, length, at + 1, '/');
    } else {
        return at + 1;
    }
    /* What never closes is plain text: a path, or a quote that a later reader will refuse. */
    return end < length ? end + 1 : at + 1;
}

bool value_next_word(const char **text, size_t *length, const char **word, size_t *word_length)
{
    size_t start = 0, at;

    while (start < *length && is_blank((*text)[start])) {
        start++;
    }
    at = start;
    while (at < *length && !is_blank((*text)[at])) {
        at = value_skip_enclosed(*text, *length, at, true);
    }
    *word = *text + start;
    *word_length = at - start;
    *text += at;
    *length -= at;
    return at > start;
}

/* Edit distance with neighbours swapped counting as one: that is the commonest slip of the hand. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][NEAR_BYTES + 1];

    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *swapped = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);

            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                swapped[j - 2] + 1 < best) {
                best = swapped[j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

const char *value_near_miss(const char *text, size_t length, const char *const *names)
{
    const char *nearest = NULL;
    size_t least = 3;

    if (length == 0 || length > NEAR_BYTES) {
        return NULL;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t name_length = strlen(names[i]);
        size_t longer = name_length > length ? name_length : length;
        size_t distance;

        if (name_length > NEAR_BYTES) {
            continue;
        }
        distance = edit_distance(text, length, names[i], name_length);
        if (distance < least && distance <= longer / 3) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

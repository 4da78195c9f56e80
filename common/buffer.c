/* Method of buffer_append_number: the fewest digits are found by trying 1, 2, … 17 of them until
 * strtod() reads the same double back; 17 always do. The digits are taken from "%.*e" and read
 * back as "<digits>e<exponent>", both without looking at the decimal point, so that no locale can
 * change a series. */
#include "buffer.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* Doubles hold every integer up to here (2^53), so these print as integers. */
#define EXACT_INTEGER_MAX 9007199254740992.0
#define DIGITS_MAX        17

void buffer_init(struct buffer *buffer, void *bytes, size_t size)
{
    *buffer = (struct buffer){.bytes = bytes, .size = size};
}

static size_t room(const struct buffer *buffer)
{
    return buffer_overflowed(buffer) ? 0 : buffer->size - buffer->used;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t count)
{
    size_t free_bytes = room(buffer);
    size_t fits = count < free_bytes ? count : free_bytes;
    if (fits > 0) {
        memcpy(buffer->bytes + buffer->used, bytes, fits);
    }
    buffer->used += count;
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    buffer_append(buffer, &byte, 1);
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

/* vsnprintf() spends a byte on its NUL, so a text that fits without one to spare is formatted aside
 * first; one too long for that counts as not fitting. */
static void append_formatted(struct buffer *buffer, const char *format, va_list arguments)
{
    char aside[1024];
    va_list again;
    va_copy(again, arguments);
    size_t free_bytes = room(buffer);
    char *end = free_bytes > 0 ? (char *)buffer->bytes + buffer->used : NULL;
    int length = vsnprintf(end, free_bytes, format, arguments);
    size_t count = length > 0 ? (size_t)length : 0;
    if (count != free_bytes || count == 0) {
        buffer->used += count;
    } else if (count < sizeof aside) {
        (void)vsnprintf(aside, sizeof aside, format, again);
        buffer_append(buffer, aside, count);
    } else {
        buffer->used += count + 1;
    }
    va_end(again);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_formatted(buffer, format, arguments);
    va_end(arguments);
}

static void append_hex(struct buffer *buffer, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    buffer_append_byte(buffer, (uint8_t)digits[byte >> 4]);
    buffer_append_byte(buffer, (uint8_t)digits[byte & 15]);
}

static bool is_printable(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

/* The letter behind the backslash of a short escape, 0 when the byte has none. */
static uint8_t escape_letter(uint8_t byte)
{
    switch (byte) {
    case '\\':
        return '\\';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

void buffer_append_escaped(struct buffer *buffer, const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    for (size_t i = 0; i < count; i++) {
        uint8_t letter = escape_letter(next[i]);
        if (letter != 0) {
            buffer_append_byte(buffer, '\\');
            buffer_append_byte(buffer, letter);
        } else if (is_printable(next[i])) {
            buffer_append_byte(buffer, next[i]);
        } else {
            buffer_append_string(buffer, "\\x");
            append_hex(buffer, next[i]);
        }
    }
}

/* One ASCII character inside a JSON string. */
static void append_json_ascii(struct buffer *buffer, uint8_t byte)
{
    uint8_t letter = byte == '"' ? '"' : escape_letter(byte);
    if (letter != 0) {
        buffer_append_byte(buffer, '\\');
        buffer_append_byte(buffer, letter);
    } else if (byte < 0x20) {
        buffer_append_string(buffer, "\\u00");
        append_hex(buffer, byte);
    } else {
        buffer_append_byte(buffer, byte);
    }
}

void buffer_append_json_string(struct buffer *buffer, const char *string)
{
    buffer_append_byte(buffer, '"');
    while (*string != '\0') {
        size_t length = utf8_length(string);
        if (length == 0) {
            buffer_append_string(buffer, UTF8_REPLACEMENT);
            length = 1;
        } else if (length == 1) {
            append_json_ascii(buffer, (uint8_t)*string);
        } else {
            buffer_append(buffer, string, length);
        }
        string += length;
    }
    buffer_append_byte(buffer, '"');
}

/* A positive decimal number: 0.DIGITS * 10^point. */
struct decimal {
    char digits[DIGITS_MAX + 1];
    int count;
    int point;
};

static bool reads_back(const struct decimal *decimal, double value)
{
    char text[DIGITS_MAX + 16];
    (void)snprintf(text, sizeof text, "%.*se%d", decimal->count, decimal->digits,
                   decimal->point - decimal->count);
    double back = strtod(text, NULL);
    return back >= value && back <= value;
}

/* `value` correctly rounded to `count` digits. */
static struct decimal round_to_digits(double value, int count)
{
    struct decimal decimal = {.count = 0};
    char text[DIGITS_MAX + 16];
    (void)snprintf(text, sizeof text, "%.*e", count - 1, value);
    const char *next = text;
    for (; *next != '\0' && *next != 'e'; next++) {
        if (*next >= '0' && *next <= '9' && decimal.count < DIGITS_MAX) {
            decimal.digits[decimal.count++] = *next;
        }
    }
    decimal.point = (*next == 'e' ? (int)strtol(next + 1, NULL, 10) : 0) + 1;
    return decimal;
}

/* Below a power of two doubles lie twice as dense as above it, so the next decimal above may read
 * back where the nearest one, below, does not. One that ends in 9 has no such neighbour: it would
 * end in 0, and was tried with fewer digits. */
static bool step_up_reads_back(struct decimal *decimal, double value)
{
    char *last = &decimal->digits[decimal->count - 1];
    if (*last == '9') {
        return false;
    }
    ++*last;
    return reads_back(decimal, value);
}

static struct decimal shortest_decimal(double value)
{
    for (int count = 1; count < DIGITS_MAX; count++) {
        struct decimal decimal = round_to_digits(value, count);
        if (reads_back(&decimal, value) || step_up_reads_back(&decimal, value)) {
            return decimal;
        }
    }
    return round_to_digits(value, DIGITS_MAX);
}

static void append_zeros(struct buffer *buffer, int count)
{
    for (int i = 0; i < count; i++) {
        buffer_append_byte(buffer, '0');
    }
}

/* Like Go's 'g' with the shortest precision: an exponent below 1e-4 and from 1e6 on (Go
 * strconv/ftoa.go), which is what Prometheus shows and what a receiver makes of an `le`. */
static void append_decimal(struct buffer *buffer, const struct decimal *decimal)
{
    int exponent = decimal->point - 1;
    if (exponent < -4 || exponent >= 6) {
        buffer_append(buffer, decimal->digits, 1);
        if (decimal->count > 1) {
            buffer_append_byte(buffer, '.');
            buffer_append(buffer, decimal->digits + 1, (size_t)decimal->count - 1);
        }
        buffer_printf(buffer, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (decimal->point <= 0) {
        buffer_append_string(buffer, "0.");
        append_zeros(buffer, -decimal->point);
        buffer_append(buffer, decimal->digits, (size_t)decimal->count);
    } else {
        buffer_append(buffer, decimal->digits, (size_t)decimal->point);
        buffer_append_byte(buffer, '.');
        buffer_append(buffer, decimal->digits + decimal->point,
                      (size_t)(decimal->count - decimal->point));
    }
}

void buffer_append_number(struct buffer *buffer, double value)
{
    if (isnan(value)) {
        buffer_append_string(buffer, "NaN");
        return;
    }
    if (isinf(value)) {
        buffer_append_string(buffer, signbit(value) ? "-Inf" : "+Inf");
        return;
    }
    if (signbit(value)) {
        buffer_append_byte(buffer, '-');
        value = -value;
    }
    if (value <= EXACT_INTEGER_MAX && (double)(int64_t)value >= value) {
        buffer_printf(buffer, "%" PRId64, (int64_t)value);
        return;
    }
    struct decimal decimal = shortest_decimal(value);
    append_decimal(buffer, &decimal);
}

const char *buffer_text(struct buffer *buffer)
{
    size_t end = buffer->used < buffer->size ? buffer->used : buffer->size - 1;
    buffer->bytes[end] = '\0';
    return (const char *)buffer->bytes;
}

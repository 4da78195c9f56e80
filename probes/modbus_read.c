/* Four words by position, then options by name through one table of functions. Every option notes
 * that it was given, so that those a type cannot have, and doubles, are refused in one place. */
#include "modbus_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "modbus_sentinel.h"
#include "value.h"

const char *const modbus_table_names[] = {"coil", "discrete", "input", "holding", NULL};
const char *const modbus_order_names[] = {"ab",       "ba",       "abcd",     "dcba",
                                          "badc",     "cdab",     "abcdefgh", "hgfedcba",
                                          "badcfehg", "ghefcdab", NULL};

static const char *const type_names[] = {"bool", "u16", "i16", "u32", "i32",
                                         "u64",  "i64", "f32", "f64", NULL};
static const uint8_t type_bytes[] = {1, 2, 2, 4, 4, 8, 8, 4, 8};

enum option {
    OPTION_ORDER,
    OPTION_SCALE,
    OPTION_OFFSET,
    OPTION_RANGE,
    OPTION_SENTINEL,
    OPTION_STUCK,
    OPTION_BIT,
    OPTION_COUNT
};
static const char *const option_names[] = {"order",    "scale", "offset", "range",
                                           "sentinel", "stuck", "bit",    NULL};

#define OPTION_BIT_OF(option) (1U << (option))
enum {
    OPTIONS_OF_NUMBERS = OPTION_BIT_OF(OPTION_ORDER) | OPTION_BIT_OF(OPTION_SCALE) |
                         OPTION_BIT_OF(OPTION_OFFSET) | OPTION_BIT_OF(OPTION_RANGE) |
                         OPTION_BIT_OF(OPTION_SENTINEL) | OPTION_BIT_OF(OPTION_STUCK),
    OPTIONS_OF_BITS = OPTION_BIT_OF(OPTION_RANGE) | OPTION_BIT_OF(OPTION_STUCK),
    OPTIONS_OF_REGISTER_BITS =
        OPTIONS_OF_BITS | OPTION_BIT_OF(OPTION_BIT) | OPTION_BIT_OF(OPTION_ORDER),
    OPTIONS_OF_STRINGS = OPTION_BIT_OF(OPTION_ORDER) | OPTION_BIT_OF(OPTION_STUCK)
};

struct word {
    const char *text;
    size_t length;
};

struct parser {
    struct modbus_read *read;
    const char *rest;
    size_t rest_length;
    unsigned given; /* OPTION_BIT_OF each option seen */
    char *why;
    size_t why_size;
};

/* Longest piece of the line that a message quotes. */
enum { QUOTE_BYTES = 32 };
#define QUOTED(word) (int)((word).length < QUOTE_BYTES ? (word).length : QUOTE_BYTES), (word).text

PRINTF_LIKE(3, 4)
static enum error refuse(const struct parser *parser, enum error error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(parser->why, parser->why_size, format, arguments);
    va_end(arguments);
    return error;
}

/* The index of `word` in `names`, or -1. */
static int find(const char *const *names, struct word word)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strlen(names[i]) == word.length && memcmp(names[i], word.text, word.length) == 0) {
            return i;
        }
    }
    return -1;
}

static enum error refuse_unknown(const struct parser *parser, const char *what, struct word word,
                                 const char *const *names)
{
    const char *near = value_near_miss(word.text, word.length, names);

    if (near != NULL) {
        return refuse(parser, ERROR_INVALID, "unknown %s '%.*s', did you mean '%s'?", what,
                      QUOTED(word), near);
    }
    return refuse(parser, ERROR_INVALID, "unknown %s '%.*s'", what, QUOTED(word));
}

struct modbus_order modbus_order_at(unsigned index)
{
    /* As in modbus_order_names. */
    static const struct modbus_order orders[] = {
        {false, false}, {false, true},  {false, false}, {true, true},  {false, true},
        {true, false},  {false, false}, {true, true},   {false, true}, {true, false}};

    return index < ARRAY_LEN(orders) ? orders[index] : orders[0];
}

static bool is_name_byte(char byte, bool first)
{
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';

    return letter || (!first && byte >= '0' && byte <= '9');
}

static enum error parse_name(struct parser *parser, struct word word)
{
    if (word.length >= sizeof(parser->read->name)) {
        return refuse(parser, ERROR_RANGE, "name '%.*s…' is longer than %zu bytes", QUOTED(word),
                      sizeof(parser->read->name) - 1);
    }
    for (size_t i = 0; i < word.length; i++) {
        if (!is_name_byte(word.text[i], i == 0)) {
            return refuse(parser, ERROR_INVALID, "name '%.*s' must match [a-zA-Z_][a-zA-Z0-9_]*",
                          QUOTED(word));
        }
    }
    memcpy(parser->read->name, word.text, word.length);
    parser->read->name[word.length] = '\0';
    return ERROR_NONE;
}

static enum error parse_table(struct parser *parser, struct word word)
{
    int index = find(modbus_table_names, word);

    if (index < 0) {
        return refuse_unknown(parser, "table", word, modbus_table_names);
    }
    parser->read->table = (enum modbus_table)index;
    return ERROR_NONE;
}

static enum error parse_address(struct parser *parser, struct word word)
{
    int64_t address = -1;

    if (value_integer(word.text, word.length, &address) == ERROR_INVALID) {
        return refuse(parser, ERROR_INVALID,
                      "address '%.*s' is no number (the one on the wire, from 0)", QUOTED(word));
    }
    if (address < 0 || address > UINT16_MAX) {
        return refuse(parser, ERROR_RANGE, "address %.*s is outside 0..65535", QUOTED(word));
    }
    parser->read->address = (uint16_t)address;
    return ERROR_NONE;
}

static enum error parse_string_type(struct parser *parser, struct word word)
{
    static const size_t prefix = sizeof("string:") - 1;
    int64_t length = 0;
    struct word number = {word.text + prefix, word.length - prefix};

    if (value_integer(number.text, number.length, &length) != ERROR_NONE || length < 1 ||
        length > MODBUS_STRING_BYTES) {
        return refuse(parser, ERROR_RANGE, "string:%.*s, the length is 1 to %d bytes",
                      QUOTED(number), MODBUS_STRING_BYTES);
    }
    parser->read->type = MODBUS_TYPE_STRING;
    parser->read->length = (uint16_t)length;
    return ERROR_NONE;
}

static enum error parse_type(struct parser *parser, struct word word)
{
    struct modbus_read *read = parser->read;
    int index = find(type_names, word);

    if (word.length > 7 && memcmp(word.text, "string:", 7) == 0) {
        enum error error = parse_string_type(parser, word);
        if (error != ERROR_NONE) {
            return error;
        }
    } else if (word.length >= 6 && memcmp(word.text, "string", 6) == 0) {
        return refuse(parser, ERROR_INVALID, "a string needs its length in bytes, string:LEN");
    } else if (index < 0) {
        return refuse_unknown(parser, "type", word, type_names);
    } else {
        read->type = (enum modbus_type)index;
        read->length = type_bytes[index];
    }
    if (modbus_table_of_bits(read->table) && read->type != MODBUS_TYPE_BOOL) {
        return refuse(parser, ERROR_INVALID, "a %s is one bit, its type is bool",
                      modbus_table_names[read->table]);
    }
    if (!modbus_table_of_bits(read->table) && read->type == MODBUS_TYPE_BOOL) {
        read->length = 2;
    }
    read->count = (uint16_t)(modbus_table_of_bits(read->table) ? 1 : (read->length + 1) / 2);
    if (read->address + read->count - 1 > UINT16_MAX) {
        return refuse(parser, ERROR_RANGE, "%u registers from %u go past 65535", read->count,
                      read->address);
    }
    return ERROR_NONE;
}

static enum error parse_order(struct parser *parser, struct word value)
{
    struct modbus_read *read = parser->read;
    int index = find(modbus_order_names, value);
    size_t width = read->type == MODBUS_TYPE_STRING ? 2 : read->length;

    if (index < 0) {
        return refuse_unknown(parser, "order", value, modbus_order_names);
    }
    if (value.length != width) {
        return refuse(parser, ERROR_INVALID, "order=%.*s does not fit, this type takes %s",
                      QUOTED(value),
                      width == 2   ? "ab or ba"
                      : width == 4 ? "abcd, dcba, badc or cdab"
                                   : "abcdefgh, hgfedcba, badcfehg or ghefcdab");
    }
    read->order = modbus_order_at((unsigned)index);
    return ERROR_NONE;
}

static enum error parse_real(struct parser *parser, const char *name, struct word value,
                             double *out)
{
    enum error error = value_real(value.text, value.length, out);

    if (error != ERROR_NONE) {
        return refuse(parser, error, "%s '%.*s' is no number", name, QUOTED(value));
    }
    return ERROR_NONE;
}

static enum error parse_scale(struct parser *parser, struct word value)
{
    enum error error = parse_real(parser, "scale", value, &parser->read->scale);

    if (error == ERROR_NONE && parser->read->scale == 0) {
        return refuse(parser, ERROR_RANGE, "scale=0 makes every value the same");
    }
    return error;
}

static enum error parse_offset(struct parser *parser, struct word value)
{
    return parse_real(parser, "offset", value, &parser->read->offset);
}

static enum error parse_range(struct parser *parser, struct word value)
{
    struct modbus_read *read = parser->read;
    const char *dots = memmem(value.text, value.length, "..", 2);
    enum error error = ERROR_NONE;

    if (dots == NULL || value.length == 2) {
        return refuse(parser, ERROR_INVALID, "range '%.*s' must be LOW..HIGH, LOW.. or ..HIGH",
                      QUOTED(value));
    }
    struct word low = {value.text, (size_t)(dots - value.text)};
    struct word high = {dots + 2, value.length - low.length - 2};
    read->has_low = low.length > 0;
    read->has_high = high.length > 0;
    if (read->has_low) {
        error = parse_real(parser, "low end of range", low, &read->low);
    }
    if (error == ERROR_NONE && read->has_high) {
        error = parse_real(parser, "high end of range", high, &read->high);
    }
    if (error == ERROR_NONE && read->has_low && read->has_high && read->low > read->high) {
        error = refuse(parser, ERROR_RANGE, "range %.*s holds nothing, its low end is the higher",
                       QUOTED(value));
    }
    return error;
}

static enum error parse_one_sentinel(struct parser *parser, struct word text)
{
    struct modbus_read *read = parser->read;
    uint64_t pattern = 0;
    enum error error;

    if (read->sentinel_count == MODBUS_SENTINELS) {
        return refuse(parser, ERROR_RANGE, "more than %d sentinels", MODBUS_SENTINELS);
    }
    error = modbus_sentinel_parse(read->type, read->length, text.text, text.length, &pattern);
    if (error == ERROR_RANGE) {
        return refuse(parser, error, "sentinel %.*s does not fit the type", QUOTED(text));
    }
    if (error != ERROR_NONE) {
        return refuse(parser, error, "sentinel '%.*s' is neither decimal nor 0x…", QUOTED(text));
    }
    read->sentinels[read->sentinel_count++] = pattern;
    return ERROR_NONE;
}

static enum error parse_sentinel(struct parser *parser, struct word value)
{
    enum error error = ERROR_NONE;

    for (bool more = true; error == ERROR_NONE && more;) {
        const char *comma = memchr(value.text, ',', value.length);
        size_t length = comma != NULL ? (size_t)(comma - value.text) : value.length;
        struct word one = {value.text, length};

        error = parse_one_sentinel(parser, one);
        more = comma != NULL;
        value.text += length + (more ? 1 : 0);
        value.length -= length + (more ? 1 : 0);
    }
    return error;
}

static enum error parse_stuck(struct parser *parser, struct word value)
{
    enum error error = value_duration(value.text, value.length, &parser->read->stuck_us);

    if (error != ERROR_NONE || parser->read->stuck_us <= 0) {
        return refuse(parser, ERROR_INVALID, "stuck '%.*s' is no duration such as 5m",
                      QUOTED(value));
    }
    return ERROR_NONE;
}

static enum error parse_bit(struct parser *parser, struct word value)
{
    int64_t bit = -1;

    if (value_integer(value.text, value.length, &bit) != ERROR_NONE || bit < 0 || bit > 15) {
        return refuse(parser, ERROR_RANGE, "bit '%.*s' is outside 0..15 (0 is the lowest)",
                      QUOTED(value));
    }
    parser->read->bit = (int8_t)bit;
    return ERROR_NONE;
}

/* The options a value of this table and type may have. */
static unsigned options_allowed(const struct modbus_read *read)
{
    if (read->type == MODBUS_TYPE_STRING) {
        return OPTIONS_OF_STRINGS;
    }
    if (read->type == MODBUS_TYPE_BOOL) {
        return modbus_table_of_bits(read->table) ? OPTIONS_OF_BITS : OPTIONS_OF_REGISTER_BITS;
    }
    return OPTIONS_OF_NUMBERS;
}

static enum error parse_option(struct parser *parser, struct word word)
{
    static enum error (*const parse[OPTION_COUNT])(struct parser *, struct word) = {
        parse_order,    parse_scale, parse_offset, parse_range,
        parse_sentinel, parse_stuck, parse_bit};
    const char *equals = memchr(word.text, '=', word.length);
    struct word name = {word.text, equals ? (size_t)(equals - word.text) : word.length};
    struct word value = {word.text + name.length + 1, 0};
    int index = find(option_names, name);

    if (index < 0) {
        return refuse_unknown(parser, "option", name, option_names);
    }
    if (equals == NULL || word.length == name.length + 1) {
        return refuse(parser, ERROR_INVALID, "option '%s' needs a value, %s=…", option_names[index],
                      option_names[index]);
    }
    value.length = word.length - name.length - 1;
    if ((options_allowed(parser->read) & OPTION_BIT_OF(index)) == 0) {
        return refuse(parser, ERROR_INVALID, "option '%s' does not apply to this type",
                      option_names[index]);
    }
    if ((parser->given & OPTION_BIT_OF(index)) != 0) {
        return refuse(parser, ERROR_INVALID, "option '%s' stands twice", option_names[index]);
    }
    parser->given |= OPTION_BIT_OF(index);
    return parse[index](parser, value);
}

static bool next(struct parser *parser, struct word *word)
{
    return value_next_word(&parser->rest, &parser->rest_length, &word->text, &word->length);
}

enum error modbus_read_parse(const char *text, size_t length, struct modbus_order fallback,
                             struct modbus_read *out, char *why, size_t why_size)
{
    static enum error (*const by_position[])(struct parser *, struct word) = {
        parse_name, parse_table, parse_address, parse_type};
    struct parser parser = {
        .read = out, .rest = text, .rest_length = length, .why = why, .why_size = why_size};
    struct word word;
    enum error error = ERROR_NONE;

    memset(out, 0, sizeof(*out));
    out->order = fallback;
    out->scale = 1;
    out->bit = -1;
    why[0] = '\0';
    for (unsigned i = 0; i < ARRAY_LEN(by_position) && error == ERROR_NONE; i++) {
        error =
            next(&parser, &word)
                ? by_position[i](&parser, word)
                : refuse(&parser, ERROR_INVALID,
                         "a read is NAME TABLE ADDRESS TYPE [option=value…], this one is short");
    }
    while (error == ERROR_NONE && next(&parser, &word)) {
        error = parse_option(&parser, word);
    }
    if (error == ERROR_NONE && out->type == MODBUS_TYPE_BOOL && out->bit < 0 &&
        !modbus_table_of_bits(out->table)) {
        error = refuse(&parser, ERROR_INVALID, "a bool in a register needs its bit, bit=0..15");
    }
    return error;
}

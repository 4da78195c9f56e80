/* A value is read as a row of characters, each with the UTF-8 bytes it would be shown as; BMPString
 * is UTF-16, everything else is taken for UTF-8 (which ASCII is). A character is written whole or
 * not at all, and after the first that does not fit nothing is. */
#include "certtext.h"

#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#include "base.h"
#include "utf8.h"

struct text {
    char *out;
    size_t used;
    bool full;
};

struct character {
    unsigned char utf8[4];
    size_t utf8_length;
    size_t taken; /* bytes of the value it stands for */
    bool valid;   /* false: `utf8` are the value's own bytes, which are no character */
};

static void put(struct text *text, const char *bytes, size_t count)
{
    if (text->full || count > CAP_CERT_TEXT_BYTES - 1 - text->used) {
        text->full = true;
        return;
    }
    memcpy(text->out + text->used, bytes, count);
    text->used += count;
}

static void put_string(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

static void put_hex_byte(struct text *text, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char pair[2] = {digits[byte >> 4], digits[byte & 15]};
    put(text, pair, sizeof(pair));
}

static void text_end(struct text *text)
{
    text->out[text->used] = '\0';
}

static struct character utf8_of(uint32_t code, size_t taken)
{
    struct character c = {.taken = taken, .valid = true};
    if (code < 0x80) {
        c.utf8[0] = (unsigned char)code;
        c.utf8_length = 1;
    } else if (code < 0x800) {
        c.utf8[0] = (unsigned char)(0xC0 | code >> 6);
        c.utf8[1] = (unsigned char)(0x80 | (code & 0x3F));
        c.utf8_length = 2;
    } else if (code < 0x10000) {
        c.utf8[0] = (unsigned char)(0xE0 | code >> 12);
        c.utf8[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
        c.utf8[2] = (unsigned char)(0x80 | (code & 0x3F));
        c.utf8_length = 3;
    } else {
        c.utf8[0] = (unsigned char)(0xF0 | code >> 18);
        c.utf8[1] = (unsigned char)(0x80 | (code >> 12 & 0x3F));
        c.utf8[2] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
        c.utf8[3] = (unsigned char)(0x80 | (code & 0x3F));
        c.utf8_length = 4;
    }
    return c;
}

static struct character bad_byte(unsigned char byte)
{
    return (struct character){.utf8 = {byte}, .utf8_length = 1, .taken = 1};
}

static struct character next_utf16(const unsigned char *bytes, size_t count)
{
    if (count < 2) {
        return bad_byte(bytes[0]);
    }
    uint32_t unit = (uint32_t)bytes[0] << 8 | bytes[1];
    if (unit < 0xD800 || unit > 0xDFFF) {
        return utf8_of(unit, 2);
    }
    const struct character half_pair = {.utf8 = {bytes[0], bytes[1]}, .utf8_length = 2, .taken = 2};
    if (unit > 0xDBFF || count < 4) {
        return half_pair;
    }
    uint32_t low = (uint32_t)bytes[2] << 8 | bytes[3];
    if (low < 0xDC00 || low > 0xDFFF) {
        return half_pair;
    }
    return utf8_of(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 4);
}

/* The character at `offset`, which must be inside the value. */
static struct character character_at(const mbedtls_asn1_buf *value, size_t offset)
{
    const unsigned char *bytes = value->p + offset;
    size_t count = value->len - offset;
    if (value->tag == MBEDTLS_ASN1_BMP_STRING) {
        return next_utf16(bytes, count);
    }
    char window[5] = {0}; /* utf8_length() reads up to a NUL */
    memcpy(window, bytes, count < 4 ? count : 4);
    size_t length = utf8_length(window);
    if (length == 0) {
        return bad_byte(bytes[0]);
    }
    struct character c = {.utf8_length = length, .taken = length, .valid = true};
    memcpy(c.utf8, bytes, length);
    return c;
}

static bool is_control(const struct character *c)
{
    return (c->utf8_length == 1 && (c->utf8[0] < 0x20 || c->utf8[0] == 0x7F)) ||
           (c->utf8_length == 2 && c->utf8[0] == 0xC2 && c->utf8[1] < 0xA0);
}

static void put_character(struct text *text, const struct character *c)
{
    if (c->valid && !is_control(c)) {
        put(text, (const char *)c->utf8, c->utf8_length);
        return;
    }
    for (size_t i = 0; i < c->utf8_length; i++) {
        char escaped[5];
        snprintf(escaped, sizeof(escaped), "\\x%02x", c->utf8[i]);
        put(text, escaped, 4);
    }
}

/* RFC 4514 section 2.4, as Go does it. */
static void put_name_value(struct text *text, const mbedtls_asn1_buf *value)
{
    for (size_t at = 0; at < value->len && !text->full;) {
        struct character c = character_at(value, at);
        bool first = at == 0, last = at + c.taken == value->len;
        unsigned char byte = c.utf8_length == 1 && c.valid ? c.utf8[0] : 0;
        if ((byte != 0 && strchr(",+\"\\<>;", byte) != NULL) || (byte == ' ' && (first || last)) ||
            (byte == '#' && first)) {
            const char escaped[2] = {'\\', (char)byte};
            put(text, escaped, sizeof(escaped));
        } else {
            put_character(text, &c);
        }
        at += c.taken;
    }
}

/* What encoding/asn1 writes for a string: PrintableString where that is possible (but for * and &),
 * else UTF8String. False: the value is no text. */
static bool measure_value(const mbedtls_asn1_buf *value, size_t *length, unsigned char *tag)
{
    *length = 0;
    *tag = MBEDTLS_ASN1_PRINTABLE_STRING;
    for (size_t at = 0; at < value->len;) {
        struct character c = character_at(value, at);
        if (!c.valid) {
            return false;
        }
        unsigned char byte = c.utf8_length == 1 ? c.utf8[0] : 0;
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        if (!letter && !digit && (byte == 0 || strchr(" '()+,-./:=?", byte) == NULL)) {
            *tag = MBEDTLS_ASN1_UTF8_STRING;
        }
        *length += c.utf8_length;
        at += c.taken;
    }
    return true;
}

static void put_der(struct text *text, const mbedtls_asn1_buf *value, size_t length,
                    unsigned char tag)
{
    put_string(text, "=#");
    put_hex_byte(text, tag);
    if (length > 0xFF) {
        put_hex_byte(text, 0x82);
        put_hex_byte(text, (unsigned char)(length >> 8));
    } else if (length > 0x7F) {
        put_hex_byte(text, 0x81);
    }
    put_hex_byte(text, (unsigned char)length);
    for (size_t at = 0; at < value->len && !text->full;) {
        struct character c = character_at(value, at);
        for (size_t i = 0; i < c.utf8_length; i++) {
            put_hex_byte(text, c.utf8[i]);
        }
        at += c.taken;
    }
}

static void put_unknown_attribute(struct text *text, const mbedtls_x509_name *name)
{
    char oid[96];
    size_t length;
    unsigned char tag;
    int digits = mbedtls_oid_get_numeric_string(oid, sizeof(oid), &name->oid);
    put_string(text, digits > 0 && (size_t)digits < sizeof(oid) ? oid : "?");
    if (measure_value(&name->val, &length, &tag) && length <= UINT16_MAX) {
        put_der(text, &name->val, length, tag);
    } else {
        put(text, "=", 1);
        put_name_value(text, &name->val);
    }
}

/* The attributes 2.5.4.x that Go knows, in the order they are shown. */
static const struct attribute {
    unsigned char number;
    bool single; /* Go keeps one value, the last, and none when that is empty */
    const char *label;
} attributes[] = {
    {5, true, "SERIALNUMBER="}, {3, true, "CN="},  {17, false, "POSTALCODE="},
    {9, false, "STREET="},      {8, false, "ST="}, {7, false, "L="},
    {11, false, "OU="},         {10, false, "O="}, {6, false, "C="},
};

static bool has_number(const mbedtls_x509_name *name, unsigned char number)
{
    const unsigned char *oid = name->oid.p;
    return name->oid.len == 3 && oid[0] == 0x55 && oid[1] == 0x04 && oid[2] == number;
}

static bool is_known(const mbedtls_x509_name *name)
{
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        if (has_number(name, attributes[i].number)) {
            return true;
        }
    }
    return false;
}

static void put_attribute(struct text *text, const mbedtls_x509_name *names,
                          const struct attribute *attribute)
{
    const mbedtls_x509_name *last = NULL;
    bool first = true;
    for (const mbedtls_x509_name *name = names; name != NULL; name = name->next) {
        if (!has_number(name, attribute->number)) {
            continue;
        }
        last = name;
        if (!attribute->single) {
            put_string(text, !first ? "+" : text->used > 0 ? "," : "");
            put_string(text, attribute->label);
            put_name_value(text, &name->val);
            first = false;
        }
    }
    if (attribute->single && last != NULL && last->val.len > 0) {
        put_string(text, text->used > 0 ? "," : "");
        put_string(text, attribute->label);
        put_name_value(text, &last->val);
    }
}

/* Last one first. The list has one direction, so each is searched from the start; a full text ends
 * that after a few dozen at most. */
static void put_unknown_attributes(struct text *text, const mbedtls_x509_name *names)
{
    const mbedtls_x509_name *end = NULL;
    while (!text->full) {
        const mbedtls_x509_name *last = NULL;
        for (const mbedtls_x509_name *name = names; name != end; name = name->next) {
            if (name->oid.p != NULL && !is_known(name)) {
                last = name;
            }
        }
        if (last == NULL) {
            return;
        }
        put_string(text, text->used > 0 ? "," : "");
        put_unknown_attribute(text, last);
        end = last;
    }
}

void certtext_name(const mbedtls_x509_name *name, char *out)
{
    struct text text = {.out = out};
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        put_attribute(&text, name, &attributes[i]);
    }
    put_unknown_attributes(&text, name);
    text_end(&text);
}

void certtext_dns_names(const mbedtls_x509_sequence *names, char *out)
{
    struct text text = {.out = out};
    bool first = true;
    for (; names != NULL && !text.full; names = names->next) {
        if (names->buf.p == NULL ||
            (names->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) != MBEDTLS_X509_SAN_DNS_NAME) {
            continue;
        }
        put_string(&text, first ? "" : ",");
        first = false;
        for (size_t at = 0; at < names->buf.len && !text.full;) {
            struct character c = character_at(&names->buf, at);
            put_character(&text, &c);
            at += c.taken;
        }
    }
    text_end(&text);
}

void certtext_serial(const mbedtls_x509_buf *serial, char *out)
{
    struct text text = {.out = out};
    size_t at = 0;
    while (at < serial->len && serial->p[at] == 0) {
        at++;
    }
    for (; at < serial->len && !text.full; at++) {
        put_hex_byte(&text, serial->p[at]);
    }
    text_end(&text);
}

void certtext_hex(const unsigned char *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* Days of the proleptic Gregorian calendar, the year begun in March so that the leap day is its
 * last. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
int64_t certtext_unix(const mbedtls_x509_time *time)
{
    int64_t year = time->mon <= 2 ? time->year - 1 : time->year;
    int64_t month = time->mon > 2 ? time->mon - 3 : time->mon + 9;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * month + 2) / 5 + time->day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * 146097 + day_of_era - 719468;
    return ((days * 24 + time->hour) * 60 + time->min) * 60 + time->sec;
}

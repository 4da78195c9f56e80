/* An independent reader of delimited MetricFamily messages, and one of the text format, for tests
 * only. Both give the same flat list of samples, so that two encodings of one walk can be compared.
 * Written from prometheus/client_model and the exposition format, not from the encoders; anything
 * malformed (a wrong length, an overlong varint, an unknown field, bytes left over) is an error. */
#ifndef PICKET_PROTO_READER_H
#define PICKET_PROTO_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READER_KEY_BYTES = 8192, READER_SAMPLES_MAX = 4096, READER_FAMILIES_MAX = 512 };

struct reader_sample {
    char *key; /* name{label="value",...}; owned */
    double value;
};

struct reader_family {
    char name[128], type[16], help[256];
    unsigned samples;
};

struct reader {
    unsigned sample_count, family_count;
    struct reader_sample samples[READER_SAMPLES_MAX];
    struct reader_family families[READER_FAMILIES_MAX];
    const char *error; /* NULL: none */
};

static inline void reader_free(struct reader *reader)
{
    for (unsigned i = 0; i < reader->sample_count; i++) {
        free(reader->samples[i].key);
    }
    memset(reader, 0, sizeof *reader);
}

static inline void reader_fail(struct reader *reader, const char *error)
{
    reader->error = reader->error != NULL ? reader->error : error;
}

static inline char *reader_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, text, size);
    return copy;
}

static inline void reader_add(struct reader *reader, const char *key, double value)
{
    if (reader->sample_count == READER_SAMPLES_MAX || reader->family_count == 0) {
        reader_fail(reader, "too many samples, or one before its family");
        return;
    }
    reader->samples[reader->sample_count++] =
        (struct reader_sample){.key = reader_copy(key), .value = value};
    reader->families[reader->family_count - 1].samples++;
}

static inline struct reader_family *reader_family(struct reader *reader)
{
    if (reader->family_count == READER_FAMILIES_MAX) {
        reader_fail(reader, "too many families");
        return &reader->families[0];
    }
    return &reader->families[reader->family_count++];
}

/* Bytes not yet read of one message. */
struct reader_span {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t reader_varint(struct reader *reader, struct reader_span *span)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (span->left == 0) {
            reader_fail(reader, "varint cut off");
            return 0;
        }
        uint8_t byte = *span->at++;
        span->left--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            if (byte == 0 && shift > 0) {
                reader_fail(reader, "varint longer than it must be");
            }
            return value;
        }
    }
    reader_fail(reader, "varint too long");
    return 0;
}

static inline struct reader_span reader_message(struct reader *reader, struct reader_span *span)
{
    uint64_t length = reader_varint(reader, span);
    struct reader_span inside = {.at = span->at, .left = (size_t)length};
    if (length > span->left) {
        reader_fail(reader, "length past the end");
        span->left = 0;
        return (struct reader_span){.at = span->at, .left = 0};
    }
    span->at += length;
    span->left -= (size_t)length;
    return inside;
}

static inline double reader_double(struct reader *reader, struct reader_span *span)
{
    uint64_t bits = 0;
    double value = 0;
    if (span->left < 8) {
        reader_fail(reader, "double cut off");
        span->left = 0;
        return 0;
    }
    for (unsigned i = 0; i < 8; i++) {
        bits |= (uint64_t)span->at[i] << (8 * i);
    }
    span->at += 8;
    span->left -= 8;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void reader_string(struct reader *reader, struct reader_span *span, char *out,
                                 size_t size)
{
    struct reader_span text = reader_message(reader, span);
    if (text.left >= size) {
        reader_fail(reader, "string too long for the test");
        text.left = 0;
    }
    memcpy(out, text.at, text.left);
    out[text.left] = '\0';
}

/* Appends name="value" with the three escapes of the text format. */
static inline void reader_append_label(struct reader *reader, char *key, const char *name,
                                       const char *value)
{
    size_t used = strlen(key);
    size_t need = strlen(name) + 2 * strlen(value) + 8;
    if (used + need >= READER_KEY_BYTES) {
        reader_fail(reader, "labels too long for the test");
        return;
    }
    used += (size_t)sprintf(key + used, "%s%s=\"", key[used - 1] == '{' ? "" : ",", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            key[used++] = '\\';
            key[used++] = 'n';
        } else {
            if (*value == '"' || *value == '\\') {
                key[used++] = '\\';
            }
            key[used++] = *value;
        }
    }
    key[used++] = '"';
    key[used] = '\0';
}

static inline void reader_label(struct reader *reader, struct reader_span span, char *key)
{
    static char name[256], value[READER_KEY_BYTES];
    name[0] = value[0] = '\0';
    while (span.left > 0 && reader->error == NULL) {
        switch (reader_varint(reader, &span)) {
        case 1 << 3 | 2:
            reader_string(reader, &span, name, sizeof name);
            break;
        case 2 << 3 | 2:
            reader_string(reader, &span, value, sizeof value);
            break;
        default:
            reader_fail(reader, "unknown field in LabelPair");
        }
    }
    reader_append_label(reader, key, name, value);
}

/* name + suffix + labels + le, as the text format would have it. */
static inline void reader_add_as(struct reader *reader, const char *labels, const char *suffix,
                                 const double *le, double value)
{
    static char key[READER_KEY_BYTES + 512];
    char number[40];
    const char *name = reader->families[reader->family_count - 1].name;
    (void)snprintf(key, sizeof key, "%s%s%s", name, suffix, labels);
    if (le != NULL) {
        (void)snprintf(number, sizeof number, "%.17g", *le);
        reader_append_label(reader, key, "le", number);
    }
    strcat(key, "}");
    reader_add(reader, key, value);
}

static inline double reader_simple(struct reader *reader, struct reader_span span)
{
    if (span.left != 9 || reader_varint(reader, &span) != (1 << 3 | 1)) {
        reader_fail(reader, "Gauge or Counter is not one double");
        return 0;
    }
    return reader_double(reader, &span);
}

static inline void reader_bucket(struct reader *reader, struct reader_span span, const char *labels)
{
    uint64_t count = 0;
    double bound = 0;
    while (span.left > 0 && reader->error == NULL) {
        switch (reader_varint(reader, &span)) {
        case 1 << 3 | 0:
            count = reader_varint(reader, &span);
            break;
        case 2 << 3 | 1:
            bound = reader_double(reader, &span);
            break;
        default:
            reader_fail(reader, "unknown field in Bucket");
        }
    }
    reader_add_as(reader, labels, "_bucket", &bound, (double)count);
}

static inline void reader_histogram(struct reader *reader, struct reader_span span,
                                    const char *labels)
{
    uint64_t count = 0;
    double sum = 0;
    while (span.left > 0 && reader->error == NULL) {
        switch (reader_varint(reader, &span)) {
        case 1 << 3 | 0:
            count = reader_varint(reader, &span);
            break;
        case 2 << 3 | 1:
            sum = reader_double(reader, &span);
            break;
        case 3 << 3 | 2:
            reader_bucket(reader, reader_message(reader, &span), labels);
            break;
        default:
            reader_fail(reader, "unknown field in Histogram");
        }
    }
    reader_add_as(reader, labels, "_sum", NULL, sum);
    reader_add_as(reader, labels, "_count", NULL, (double)count);
}

static inline void reader_metric(struct reader *reader, struct reader_span span, const char *type)
{
    static char labels[READER_KEY_BYTES];
    (void)strcpy(labels, "{");
    while (span.left > 0 && reader->error == NULL) {
        uint64_t tag = reader_varint(reader, &span);
        struct reader_span inside = reader_message(reader, &span);
        if (tag == (1 << 3 | 2)) {
            reader_label(reader, inside, labels);
        } else if (tag == (2 << 3 | 2) && strcmp(type, "gauge") == 0) {
            reader_add_as(reader, labels, "", NULL, reader_simple(reader, inside));
        } else if (tag == (3 << 3 | 2) && strcmp(type, "counter") == 0) {
            reader_add_as(reader, labels, "", NULL, reader_simple(reader, inside));
        } else if (tag == (7 << 3 | 2) && strcmp(type, "histogram") == 0) {
            reader_histogram(reader, inside, labels);
        } else {
            reader_fail(reader, "a value that does not fit the family's type");
        }
    }
}

static inline const char *reader_type(uint64_t number)
{
    switch (number) {
    case 0:
        return "counter";
    case 1:
        return "gauge";
    case 4:
        return "histogram";
    default:
        return "?";
    }
}

static inline void reader_proto_family(struct reader *reader, struct reader_span span)
{
    struct reader_family *family = reader_family(reader);
    while (span.left > 0 && reader->error == NULL) {
        switch (reader_varint(reader, &span)) {
        case 1 << 3 | 2:
            reader_string(reader, &span, family->name, sizeof family->name);
            break;
        case 2 << 3 | 2:
            reader_string(reader, &span, family->help, sizeof family->help);
            break;
        case 3 << 3 | 0:
            (void)strcpy(family->type, reader_type(reader_varint(reader, &span)));
            break;
        case 4 << 3 | 2:
            reader_metric(reader, reader_message(reader, &span), family->type);
            break;
        default:
            reader_fail(reader, "unknown field in MetricFamily");
        }
    }
}

/* Reads a whole body. False with reader->error set when it is not one. */
static inline bool reader_read_proto(struct reader *reader, const uint8_t *bytes, size_t count)
{
    struct reader_span span = {.at = bytes, .left = count};
    while (span.left > 0 && reader->error == NULL) {
        reader_proto_family(reader, reader_message(reader, &span));
    }
    return reader->error == NULL;
}

/* A sample line; `le` is brought into the same form as above. */
static inline void reader_text_sample(struct reader *reader, char *line)
{
    static char key[READER_KEY_BYTES + 512];
    char *value = strrchr(line, ' ');
    if (value == NULL) {
        reader_fail(reader, "no value");
        return;
    }
    *value++ = '\0';
    (void)snprintf(key, sizeof key, "%s%s", line, strchr(line, '{') == NULL ? "{}" : "");
    char *le = strrchr(key, '=');
    le = le != NULL ? le - 2 : key;
    if (strstr(line, "_bucket{") != NULL && strncmp(le, "le=\"", 4) == 0) {
        (void)sprintf(le, "le=\"%.17g\"}", strtod(le + 4, NULL));
    }
    char *end = NULL;
    double number = strtod(value, &end);
    if (end == value || *end != '\0') {
        reader_fail(reader, "no number");
    }
    reader_add(reader, key, number);
}

/* "# HELP name text" opens a family, "# TYPE name type" must be the next line. */
static inline void reader_text_comment(struct reader *reader, const char *line)
{
    char name[128], type[16];
    if (strncmp(line, "# HELP ", 7) == 0) {
        struct reader_family *family = reader_family(reader);
        (void)sscanf(line, "# HELP %127s %255[^\n]", family->name, family->help);
    } else if (sscanf(line, "# TYPE %127s %15s", name, type) == 2 && reader->family_count > 0 &&
               strcmp(name, reader->families[reader->family_count - 1].name) == 0) {
        (void)strcpy(reader->families[reader->family_count - 1].type, type);
    } else {
        reader_fail(reader, "a comment that is neither");
    }
}

/* Reads a whole body; overwrites it. */
static inline bool reader_read_text(struct reader *reader, char *text)
{
    while (*text != '\0' && reader->error == NULL) {
        char *end = strchr(text, '\n');
        if (end == NULL) {
            reader_fail(reader, "last line has no end");
            return false;
        }
        *end = '\0';
        if (*text == '#') {
            reader_text_comment(reader, text);
        } else {
            reader_text_sample(reader, text);
        }
        text = end + 1;
    }
    return reader->error == NULL;
}

#endif

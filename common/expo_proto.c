/* Method. A protobuf message stands behind its own length, so the length has to be known first.
 * For everything below a family (label, bucket, histogram, metric) it is computed from the content
 * by the *_bytes() functions, then the message is written; an assert holds the two together. Only
 * a family's end is unknown while it is written: its body is written where its length will stand,
 * and when it closes the body is moved up by the bytes of that length. So every length is a minimal
 * varint and a body that just fits the buffer is never refused. */
#include "expo_proto.h"

#include <assert.h>
#include <string.h>

#include "utf8.h"

/* Field numbers: prometheus/client_model, io/prometheus/client/metrics.proto. */
enum {
    FAMILY_NAME = 1,
    FAMILY_HELP = 2,
    FAMILY_TYPE = 3,
    FAMILY_METRIC = 4,
    METRIC_LABEL = 1,
    METRIC_GAUGE_VALUE = 2,
    METRIC_COUNTER_VALUE = 3,
    METRIC_HISTOGRAM_VALUE = 7,
    LABEL_NAME = 1,
    LABEL_VALUE = 2,
    SIMPLE_VALUE = 1, /* of both Counter and Gauge */
    HISTOGRAM_COUNT = 1,
    HISTOGRAM_SUM = 2,
    HISTOGRAM_BUCKET = 3,
    BUCKET_COUNT = 1,
    BUCKET_BOUND = 2,
};

/* enum MetricType of the same file. */
enum { TYPE_COUNTER = 0, TYPE_GAUGE = 1, TYPE_HISTOGRAM = 4 };

/* How a field's content is laid out (protobuf encoding, "wire types"). */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2 };

enum { TAG_BYTES = 1, FIXED64_FIELD_BYTES = TAG_BYTES + 8 };

static size_t varint_bytes(uint64_t value)
{
    size_t count = 1;
    while (value >= 0x80) {
        value >>= 7;
        count++;
    }
    return count;
}

static void append_varint(struct buffer *out, uint64_t value)
{
    while (value >= 0x80) {
        buffer_append_byte(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    buffer_append_byte(out, (uint8_t)value);
}

/* Every field number here is below 16, so a tag is one byte. */
static void append_tag(struct buffer *out, unsigned field, unsigned wire)
{
    buffer_append_byte(out, (uint8_t)(field << 3 | wire));
}

static void append_varint_field(struct buffer *out, unsigned field, uint64_t value)
{
    append_tag(out, field, WIRE_VARINT);
    append_varint(out, value);
}

static void append_double_field(struct buffer *out, unsigned field, double value)
{
    uint64_t bits;
    static_assert(sizeof bits == sizeof value, "a double is 64 bits");
    memcpy(&bits, &value, sizeof bits);
    append_tag(out, field, WIRE_FIXED64);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        buffer_append_byte(out, (uint8_t)(bits >> shift));
    }
}

static void append_length(struct buffer *out, unsigned field, size_t length_bytes)
{
    append_tag(out, field, WIRE_LENGTH);
    append_varint(out, length_bytes);
}

/* The size of a length-delimited field around `length_bytes` of content. */
static size_t length_field_bytes(size_t length_bytes)
{
    return TAG_BYTES + varint_bytes(length_bytes) + length_bytes;
}

/* Most texts are ASCII from end to end, and then go in one piece. */
static size_t ascii_bytes(const char *text)
{
    size_t count = 0;
    while (text[count] > 0 && text[count] < 0x7f) {
        count++;
    }
    return count;
}

/* A receiver refuses the whole body over one string that is no UTF-8, so each such byte becomes
 * U+FFFD. */
static size_t text_bytes(const char *text)
{
    size_t count = ascii_bytes(text), length;
    for (const char *next = text + count; *next != '\0'; next += length) {
        length = utf8_length(next);
        count += length == 0 ? UTF8_REPLACEMENT_BYTES : length;
        length = length == 0 ? 1 : length;
    }
    return count;
}

static void append_text_field(struct buffer *out, unsigned field, const char *text)
{
    size_t length = ascii_bytes(text);
    append_length(out, field, text_bytes(text));
    buffer_append(out, text, length);
    for (const char *next = text + length; *next != '\0'; next += length) {
        length = utf8_length(next);
        if (length == 0) {
            buffer_append_string(out, UTF8_REPLACEMENT);
            length = 1;
        } else {
            buffer_append(out, next, length);
        }
    }
}

static size_t label_bytes(const struct metric_label *label)
{
    return length_field_bytes(text_bytes(label->name)) +
           length_field_bytes(text_bytes(label->value));
}

static size_t labels_bytes(const struct metric_labels *labels)
{
    size_t count = 0;
    for (unsigned i = 0; i < labels->count; i++) {
        count += length_field_bytes(label_bytes(&labels->at[i]));
    }
    return count;
}

static void append_labels(struct buffer *out, const struct metric_labels *labels)
{
    for (unsigned i = 0; i < labels->count; i++) {
        append_length(out, METRIC_LABEL, label_bytes(&labels->at[i]));
        append_text_field(out, LABEL_NAME, labels->at[i].name);
        append_text_field(out, LABEL_VALUE, labels->at[i].value);
    }
}

static size_t bucket_bytes(uint64_t cumulative)
{
    return TAG_BYTES + varint_bytes(cumulative) + FIXED64_FIELD_BYTES;
}

static size_t histogram_bytes(const struct histogram *histogram)
{
    size_t count = TAG_BYTES + varint_bytes(histogram->count) + FIXED64_FIELD_BYTES;
    uint64_t cumulative = 0;
    for (unsigned i = 0; i <= histogram->bound_count; i++) {
        cumulative += histogram->buckets[i];
        count += length_field_bytes(bucket_bytes(cumulative));
    }
    return count;
}

/* The +Inf bucket is written too: a receiver has nothing to make up. */
static void append_histogram(struct buffer *out, const struct histogram *histogram)
{
    uint64_t cumulative = 0;
    append_varint_field(out, HISTOGRAM_COUNT, histogram->count);
    append_double_field(out, HISTOGRAM_SUM, metrics_seconds_total(histogram->sum_us));
    for (unsigned i = 0; i <= histogram->bound_count; i++) {
        cumulative += histogram->buckets[i];
        append_length(out, HISTOGRAM_BUCKET, bucket_bytes(cumulative));
        append_varint_field(out, BUCKET_COUNT, cumulative);
        append_double_field(out, BUCKET_BOUND, metrics_bucket_bound(histogram, i));
    }
}

static void open_metric(struct expo_proto *encoder, const struct metric_labels *labels,
                        size_t value_bytes)
{
    append_length(encoder->out, FAMILY_METRIC,
                  labels_bytes(labels) + length_field_bytes(value_bytes));
    append_labels(encoder->out, labels);
}

/* Puts the length of the family before its body, see above. */
static void close_family(struct expo_proto *encoder)
{
    struct buffer *out = encoder->out;
    if (!encoder->open) {
        return;
    }
    encoder->open = false;
    size_t body_bytes = out->used - encoder->family_start;
    size_t length_bytes = varint_bytes(body_bytes);
    out->used += length_bytes;
    if (buffer_overflowed(out)) {
        return;
    }
    memmove(out->bytes + encoder->family_start + length_bytes, out->bytes + encoder->family_start,
            body_bytes);
    struct buffer length;
    buffer_init(&length, out->bytes + encoder->family_start, length_bytes);
    append_varint(&length, body_bytes);
}

static unsigned type_number(enum metric_type type)
{
    switch (type) {
    case METRIC_COUNTER:
        return TYPE_COUNTER;
    case METRIC_GAUGE:
        return TYPE_GAUGE;
    case METRIC_HISTOGRAM:
        return TYPE_HISTOGRAM;
    }
    return TYPE_GAUGE;
}

static void open_family(void *context, const char *name, enum metric_type type, const char *help)
{
    struct expo_proto *encoder = context;
    close_family(encoder);
    encoder->family_start = encoder->out->used;
    encoder->open = true;
    encoder->type = type;
    append_text_field(encoder->out, FAMILY_NAME, name);
    append_text_field(encoder->out, FAMILY_HELP, help);
    append_varint_field(encoder->out, FAMILY_TYPE, type_number(type));
}

static void add_sample(void *context, const struct metric_labels *labels, double value)
{
    struct expo_proto *encoder = context;
    unsigned field = encoder->type == METRIC_COUNTER ? METRIC_COUNTER_VALUE : METRIC_GAUGE_VALUE;
    open_metric(encoder, labels, FIXED64_FIELD_BYTES);
    append_length(encoder->out, field, FIXED64_FIELD_BYTES);
    append_double_field(encoder->out, SIMPLE_VALUE, value);
}

static void add_histogram(void *context, const struct metric_labels *labels,
                          const struct histogram *histogram)
{
    struct expo_proto *encoder = context;
    size_t body_bytes = histogram_bytes(histogram);
    open_metric(encoder, labels, body_bytes);
    append_length(encoder->out, METRIC_HISTOGRAM_VALUE, body_bytes);
    size_t start = encoder->out->used;
    append_histogram(encoder->out, histogram);
    assert(encoder->out->used - start == body_bytes);
}

static void end(void *context)
{
    close_family(context);
}

struct metric_visitor expo_proto_visitor(struct expo_proto *encoder, struct buffer *out)
{
    *encoder = (struct expo_proto){.out = out};
    return (struct metric_visitor){.context = encoder,
                                   .family = open_family,
                                   .sample = add_sample,
                                   .histogram = add_histogram,
                                   .end = end};
}

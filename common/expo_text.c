#include "expo_text.h"

#include "utf8.h"

/* HELP text: only a backslash and a line feed are escaped, quotes are not. */
static void append_help(struct buffer *out, const char *help)
{
    for (const char *next = help; *next != '\0'; next++) {
        if (*next == '\\') {
            buffer_append_string(out, "\\\\");
        } else if (*next == '\n') {
            buffer_append_string(out, "\\n");
        } else {
            buffer_append_byte(out, (uint8_t)*next);
        }
    }
}

/* A receiver refuses the whole body over any escape but these three, and over one byte that is no
 * UTF-8. */
static void append_label_value(struct buffer *out, const char *value)
{
    size_t length;
    for (const char *next = value; *next != '\0'; next += length) {
        length = utf8_length(next);
        if (length == 0) {
            buffer_append_string(out, UTF8_REPLACEMENT);
            length = 1;
        } else if (*next == '\\') {
            buffer_append_string(out, "\\\\");
        } else if (*next == '"') {
            buffer_append_string(out, "\\\"");
        } else if (*next == '\n') {
            buffer_append_string(out, "\\n");
        } else {
            buffer_append(out, next, length);
        }
    }
}

static void append_label(struct buffer *out, const struct metric_label *label, bool first)
{
    buffer_append_byte(out, first ? '{' : ',');
    buffer_append_string(out, label->name);
    buffer_append_string(out, "=\"");
    append_label_value(out, label->value);
    buffer_append_byte(out, '"');
}

/* NAME SUFFIX {labels,le="bound"} VALUE; `bound` NULL: no label le. */
static void append_line(struct expo_text *encoder, const char *suffix,
                        const struct metric_labels *labels, const double *bound, double value)
{
    struct buffer *out = encoder->out;
    buffer_append_string(out, encoder->name);
    buffer_append_string(out, suffix);
    for (unsigned i = 0; i < labels->count; i++) {
        append_label(out, &labels->at[i], i == 0);
    }
    if (bound != NULL) {
        buffer_append_string(out, labels->count == 0 ? "{le=\"" : ",le=\"");
        buffer_append_number(out, *bound);
        buffer_append_byte(out, '"');
    }
    if (labels->count > 0 || bound != NULL) {
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ' ');
    buffer_append_number(out, value);
    buffer_append_byte(out, '\n');
}

static const char *type_name(enum metric_type type)
{
    switch (type) {
    case METRIC_COUNTER:
        return "counter";
    case METRIC_GAUGE:
        return "gauge";
    case METRIC_HISTOGRAM:
        return "histogram";
    }
    return "untyped";
}

static void open_family(void *context, const char *name, enum metric_type type, const char *help)
{
    struct expo_text *encoder = context;
    encoder->name = name;
    buffer_append_string(encoder->out, "# HELP ");
    buffer_append_string(encoder->out, name);
    buffer_append_byte(encoder->out, ' ');
    append_help(encoder->out, help);
    buffer_append_string(encoder->out, "\n# TYPE ");
    buffer_append_string(encoder->out, name);
    buffer_append_byte(encoder->out, ' ');
    buffer_append_string(encoder->out, type_name(type));
    buffer_append_byte(encoder->out, '\n');
}

static void add_sample(void *context, const struct metric_labels *labels, double value)
{
    append_line(context, "", labels, NULL, value);
}

static void add_histogram(void *context, const struct metric_labels *labels,
                          const struct histogram *histogram)
{
    uint64_t cumulative = 0;
    for (unsigned i = 0; i <= histogram->bound_count; i++) {
        double bound = metrics_bucket_bound(histogram, i);
        cumulative += histogram->buckets[i];
        append_line(context, "_bucket", labels, &bound, (double)cumulative);
    }
    append_line(context, "_sum", labels, NULL, metrics_seconds_total(histogram->sum_us));
    append_line(context, "_count", labels, NULL, (double)histogram->count);
}

/* Every line ends where it was begun, so nothing is left to close. */
static void end(void *context)
{
    struct expo_text *encoder = context;
    encoder->name = NULL;
}

struct metric_visitor expo_text_visitor(struct expo_text *encoder, struct buffer *out)
{
    *encoder = (struct expo_text){.out = out};
    return (struct metric_visitor){.context = encoder,
                                   .family = open_family,
                                   .sample = add_sample,
                                   .histogram = add_histogram,
                                   .end = end};
}

#include "metric_family.h"

#include <math.h>
#include <string.h>

/* What is left of a message. */
struct cursor {
    const uint8_t *at, *end;
};

struct field {
    uint32_t number;
    uint64_t value;      /* wire types 0 and 1 */
    struct cursor bytes; /* wire type 2 */
};

static bool read_varint(struct cursor *cursor, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct cursor *cursor, struct cursor *bytes)
{
    uint64_t size;
    if (!read_varint(cursor, &size) || size > (uint64_t)(cursor->end - cursor->at)) {
        return false;
    }
    *bytes = (struct cursor){cursor->at, cursor->at + size};
    cursor->at += size;
    return true;
}

/* Reads the next field; false at the end (at == end) or when malformed (at != end). */
static bool read_field(struct cursor *cursor, struct field *field)
{
    struct cursor start = *cursor;
    uint64_t tag;
    if (!read_varint(cursor, &tag)) {
        *cursor = start;
        return false;
    }
    field->number = (uint32_t)(tag >> 3);
    bool good = false;
    if ((tag & 7) == 0) {
        good = read_varint(cursor, &field->value);
    } else if ((tag & 7) == 1 && cursor->end - cursor->at >= 8) {
        field->value = 0;
        for (int i = 7; i >= 0; i--) {
            field->value = field->value << 8 | cursor->at[i];
        }
        cursor->at += 8;
        good = true;
    } else if ((tag & 7) == 2) {
        good = read_bytes(cursor, &field->bytes);
    }
    if (!good) {
        *cursor = start;
    }
    return good;
}

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The first field with this number, or NULL-like (at == NULL). */
static struct field find(struct cursor message, uint32_t number)
{
    struct field field = {0};
    while (read_field(&message, &field)) {
        if (field.number == number) {
            return field;
        }
    }
    return (struct field){0};
}

static bool well_formed(struct cursor message)
{
    struct field field;
    while (read_field(&message, &field)) {
    }
    return message.at == message.end;
}

static void print_text(FILE *out, struct cursor text)
{
    for (const uint8_t *at = text.at; at < text.end; at++) {
        if (*at == '\n') {
            fputs("\\n", out);
        } else if (*at == '\\' || *at == '"') {
            fprintf(out, "\\%c", *at);
        } else {
            fputc(*at, out);
        }
    }
}

static void print_number(FILE *out, double value)
{
    if (isinf(value)) {
        fputs(value > 0 ? "+Inf" : "-Inf", out);
    } else if (isnan(value)) {
        fputs("NaN", out);
    } else {
        fprintf(out, "%.17g", value);
    }
}

struct printer {
    FILE *out;
    const char *labels;
    struct cursor name;
    struct metric_family_totals *totals;
};

static void print_sample(const struct printer *printer, struct cursor metric, const char *suffix,
                         const char *extra, double value)
{
    struct field field;
    printer->totals->series++;
    if (!printer->out) {
        return;
    }
    print_text(printer->out, printer->name);
    fprintf(printer->out, "%s{%s", suffix, printer->labels);
    while (read_field(&metric, &field)) {
        if (field.number == 1) {
            fputc(',', printer->out);
            print_text(printer->out, find(field.bytes, 1).bytes);
            fputs("=\"", printer->out);
            print_text(printer->out, find(field.bytes, 2).bytes);
            fputc('"', printer->out);
        }
    }
    fprintf(printer->out, "%s} ", extra);
    print_number(printer->out, value);
    fputc('\n', printer->out);
}

static void print_histogram(const struct printer *printer, struct cursor metric,
                            struct cursor histogram)
{
    struct cursor rest = histogram;
    struct field field;
    char extra[64];
    while (read_field(&rest, &field)) {
        if (field.number == 3) {
            double bound = as_double(find(field.bytes, 2).value);
            snprintf(extra, sizeof extra, isinf(bound) ? ",le=\"+Inf\"" : ",le=\"%g\"", bound);
            print_sample(printer, metric, "_bucket", extra, (double)find(field.bytes, 1).value);
        }
    }
    print_sample(printer, metric, "_sum", "", as_double(find(histogram, 2).value));
    print_sample(printer, metric, "_count", "", (double)find(histogram, 1).value);
}

static bool name_is(struct cursor name, const char *wanted)
{
    size_t length = strlen(wanted);
    return (size_t)(name.end - name.at) == length && memcmp(name.at, wanted, length) == 0;
}

static bool print_metric(const struct printer *printer, struct cursor metric)
{
    struct field field;
    struct cursor rest = metric;
    if (!well_formed(metric)) {
        return false;
    }
    while (read_field(&rest, &field)) {
        if (field.number == 2 || field.number == 3) { /* gauge, counter */
            double value = as_double(find(field.bytes, 1).value);
            print_sample(printer, metric, "", "", value);
            if (name_is(printer->name, "picket_probe_results_total")) {
                printer->totals->results_total += value;
            }
        } else if (field.number == 7) {
            print_histogram(printer, metric, field.bytes);
        } else if (field.number == 6) { /* timestamp_ms: a Pushgateway refuses it */
            return false;
        }
    }
    return true;
}

static bool print_family(struct printer *printer, struct cursor family)
{
    static const char *const types[] = {"counter", "gauge", "summary", "untyped", "histogram"};
    struct field field;
    uint64_t type = find(family, 3).value;
    printer->name = find(family, 1).bytes;
    if (!well_formed(family) || printer->name.at == printer->name.end || type > 4) {
        return false;
    }
    printer->totals->families++;
    if (printer->out) {
        struct cursor help = find(family, 2).bytes;
        fputs("# HELP ", printer->out);
        print_text(printer->out, printer->name);
        fprintf(printer->out, " %.*s\n# TYPE ", (int)(help.end - help.at), (const char *)help.at);
        print_text(printer->out, printer->name);
        fprintf(printer->out, " %s\n", types[type]);
    }
    while (read_field(&family, &field)) {
        if (field.number == 4 && !print_metric(printer, field.bytes)) {
            return false;
        }
    }
    return true;
}

bool metric_families_print(const uint8_t *bytes, size_t size, const char *labels, FILE *out,
                           struct metric_family_totals *totals)
{
    struct cursor body = {bytes, bytes + size}, family;
    struct printer printer = {.out = out, .labels = labels, .totals = totals};
    *totals = (struct metric_family_totals){0};
    while (body.at < body.end) {
        if (!read_bytes(&body, &family) || !print_family(&printer, family)) {
            return false;
        }
    }
    return true;
}

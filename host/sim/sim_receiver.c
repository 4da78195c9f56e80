/* Reads delimited MetricFamily messages (prometheus/client_model, metrics.proto) as they come, and
 * keeps the counters in them. Written for speed: a simulated month has some 40,000 bodies. */
#include <string.h>

#include "sim.h"

enum { TYPE_COUNTER = 0, TYPE_HISTOGRAM = 4 };

struct span {
    const uint8_t *at, *end;
};

struct field {
    uint32_t number;
    uint64_t value;
    struct span bytes;
};

static void malformed(struct sim *sim)
{
    sim_fail(sim, "body_well_formed", "the receiver cannot read the body");
}

static bool read_varint(struct span *span, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && span->at < span->end; shift += 7) {
        uint8_t byte = *span->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct span *span, struct span *bytes)
{
    uint64_t size;
    if (!read_varint(span, &size) || size > (uint64_t)(span->end - span->at)) {
        return false;
    }
    *bytes = (struct span){span->at, span->at + size};
    span->at += size;
    return true;
}

/* False at the end, and when malformed; then nothing that follows is believed. */
static bool next_field(struct sim *sim, struct span *span, struct field *field)
{
    uint64_t tag;
    if (span->at == span->end) {
        return false;
    }
    bool good = read_varint(span, &tag);
    field->number = (uint32_t)(tag >> 3);
    if (good && (tag & 7) == 0) {
        good = read_varint(span, &field->value);
    } else if (good && (tag & 7) == 1 && span->end - span->at >= 8) {
        memcpy(&field->value, span->at, 8);
        span->at += 8;
    } else {
        good = good && (tag & 7) == 2 && read_bytes(span, &field->bytes);
    }
    if (!good) {
        malformed(sim);
    }
    return good;
}

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t mix(uint64_t hash, struct span bytes)
{
    for (const uint8_t *at = bytes.at; at < bytes.end; at++) {
        hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* The series of a key; NULL: there is no room for another. */
static struct sim_series *find_series(struct sim_push *push, uint64_t key)
{
    key = key != 0 ? key : 1;
    for (uint64_t i = key;; i++) {
        struct sim_series *series = &push->series[i % SIM_SERIES];
        if (series->key == key) {
            return series;
        }
        if (series->key == 0) {
            push->full = push->full || push->series_count >= SIM_SERIES / 2;
            if (push->full) {
                return NULL;
            }
            push->series_count++;
            *series = (struct sim_series){.key = key};
            return series;
        }
    }
}

/* Promise 3. Returns how much was told that had not been told before. */
static double note(struct sim *sim, struct span name, uint64_t key, double value)
{
    struct sim_series *series = find_series(&sim->push, key);
    if (series == NULL) {
        return 0;
    }
    double more = value - series->value;
    if (more < 0) {
        sim_fail(sim, "counter_never_goes_back", "%.*s went from %.0f to %.0f in one epoch",
                 (int)(name.end - name.at), (const char *)name.at, series->value, value);
    }
    series->value = value;
    return more;
}

/* Labels. */

struct labels {
    uint64_t hash;
    int target, outcome; /* -1: none */
};

static bool is(struct span text, const char *wanted)
{
    size_t length = strlen(wanted);
    return (size_t)(text.end - text.at) == length && memcmp(text.at, wanted, length) == 0;
}

static void read_label(struct sim *sim, struct span label, struct labels *labels)
{
    struct field field;
    struct span name = {NULL, NULL}, value = {NULL, NULL};
    labels->hash = mix(labels->hash, label);
    while (next_field(sim, &label, &field)) {
        if (field.number == 1) {
            name = field.bytes;
        } else if (field.number == 2) {
            value = field.bytes;
        }
    }
    if (name.at == NULL || value.at == NULL) {
        return;
    }
    if (is(name, "instance")) {
        labels->target =
            sim_site_target(sim, (const char *)value.at, (size_t)(value.end - value.at));
    } else if (is(name, "result")) {
        for (int i = 0; i < OUTCOME_COUNT; i++) {
            labels->outcome = is(value, outcome_name((enum outcome)i)) ? i : labels->outcome;
        }
    }
}

/* Families. */

static void read_histogram(struct sim *sim, struct span name, uint64_t hash, struct span histogram)
{
    struct field field, part;
    while (next_field(sim, &histogram, &field)) {
        if (field.number == 1) {
            (void)note(sim, name, hash, (double)field.value);
        } else if (field.number == 3) {
            uint64_t count = 0, bound = 0;
            while (next_field(sim, &field.bytes, &part)) {
                count = part.number == 1 ? part.value : count;
                bound = part.number == 2 ? part.value : bound;
            }
            (void)note(sim, name, hash ^ (bound * UINT64_C(0x9e3779b97f4a7c15)), (double)count);
        }
    }
}

static void read_metric(struct sim *sim, struct span name, struct span metric)
{
    struct labels labels = {mix(UINT64_C(0xcbf29ce484222325), name), -1, -1};
    struct field field, value;
    while (next_field(sim, &metric, &field)) {
        if (field.number == 1) {
            read_label(sim, field.bytes, &labels);
        } else if (field.number == 3 && next_field(sim, &field.bytes, &value)) {
            double more = note(sim, name, labels.hash, as_double(value.value));
            if (labels.target >= 0 && labels.outcome >= 0 &&
                is(name, "picket_probe_results_total")) {
                sim->push.told[labels.target][labels.outcome] += more;
            }
        } else if (field.number == 7) {
            read_histogram(sim, name, labels.hash, field.bytes);
        }
    }
}

static void read_family(struct sim *sim, struct span family)
{
    struct field field;
    struct span name = {NULL, NULL};
    uint64_t type = TYPE_COUNTER;
    while (next_field(sim, &family, &field)) {
        if (field.number == 1) {
            name = field.bytes;
        } else if (field.number == 3) {
            type = field.value;
            if (type != TYPE_COUNTER && type != TYPE_HISTOGRAM) {
                return;
            }
        } else if (field.number == 4) {
            read_metric(sim, name, field.bytes);
        }
    }
}

void sim_push_receive(struct sim *sim, const void *body, size_t size)
{
    struct span rest = {body, (const uint8_t *)body + size}, family;
    while (rest.at < rest.end) {
        if (!read_bytes(&rest, &family)) {
            malformed(sim);
            return;
        }
        read_family(sim, family);
    }
}

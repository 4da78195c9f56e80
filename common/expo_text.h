/* Encoder: Prometheus text exposition format 0.0.4
 * (prometheus/docs, instrumenting/exposition_formats). */
#ifndef PICKET_EXPO_TEXT_H
#define PICKET_EXPO_TEXT_H

#include "buffer.h"
#include "metrics.h"

struct expo_text {
    struct buffer *out; /* borrowed; check buffer_overflowed() after the walk */
    const char *name;   /* of the open family; borrowed until the next */
};

/* A visitor that appends to `out`. Both must outlive the walk. */
struct metric_visitor expo_text_visitor(struct expo_text *encoder, struct buffer *out);

#endif

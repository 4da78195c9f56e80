/* Encoder: varint-length-delimited io.prometheus.client.MetricFamily messages
 * (prometheus/client_model, metrics.proto; content type in EXPO_PROTO_CONTENT_TYPE). A truncated
 * body can never be taken for a whole one, which is why the push uses it. */
#ifndef PICKET_EXPO_PROTO_H
#define PICKET_EXPO_PROTO_H

#include "buffer.h"
#include "metrics.h"

#define EXPO_PROTO_CONTENT_TYPE                                                                    \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

struct expo_proto {
    struct buffer *out;  /* borrowed; check buffer_overflowed() after the walk */
    size_t family_start; /* offset of the open family's body */
    bool open;
    enum metric_type type;
};

struct metric_visitor expo_proto_visitor(struct expo_proto *encoder, struct buffer *out);

#endif

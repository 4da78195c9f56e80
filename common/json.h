/* JSON members (RFC 8259) into a bounded buffer, each with its leading comma: for objects whose
 * first member the caller writes. `null` stands for what is not known or does not apply, so that
 * each field is always there. */
#ifndef PICKET_JSON_H
#define PICKET_JSON_H

#include "buffer.h"

/* ,"name": */
void json_name(struct buffer *out, const char *name);
void json_null(struct buffer *out, const char *name);
/* Empty text is null. */
void json_text(struct buffer *out, const char *name, const char *text);
void json_flag(struct buffer *out, const char *name, bool flag);
void json_count(struct buffer *out, const char *name, uint64_t count);
/* A duration in seconds. */
void json_seconds(struct buffer *out, const char *name, usec_t duration_us);
/* A Unix time in seconds that is 0 while it is not known. */
void json_date(struct buffer *out, const char *name, int64_t unix_seconds);
/* The number alone, without a name; null for NaN and infinity, which JSON does not know. */
void json_number(struct buffer *out, double value);

#endif

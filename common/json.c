#include "json.h"

#include <inttypes.h>
#include <math.h>

void json_name(struct buffer *out, const char *name)
{
    buffer_printf(out, ",\"%s\":", name);
}

void json_null(struct buffer *out, const char *name)
{
    json_name(out, name);
    buffer_append_string(out, "null");
}

void json_text(struct buffer *out, const char *name, const char *text)
{
    json_name(out, name);
    if (text[0] == '\0') {
        buffer_append_string(out, "null");
    } else {
        buffer_append_json_string(out, text);
    }
}

void json_flag(struct buffer *out, const char *name, bool flag)
{
    json_name(out, name);
    buffer_append_string(out, flag ? "true" : "false");
}

void json_count(struct buffer *out, const char *name, uint64_t count)
{
    json_name(out, name);
    buffer_printf(out, "%" PRIu64, count);
}

void json_number(struct buffer *out, double value)
{
    if (isfinite(value)) {
        buffer_append_number(out, value);
    } else {
        buffer_append_string(out, "null");
    }
}

void json_seconds(struct buffer *out, const char *name, usec_t duration_us)
{
    json_name(out, name);
    json_number(out, (double)duration_us / (double)USEC_PER_SEC);
}

void json_date(struct buffer *out, const char *name, int64_t unix_seconds)
{
    if (unix_seconds == 0) {
        json_null(out, name);
    } else {
        json_name(out, name);
        buffer_printf(out, "%" PRId64, unix_seconds);
    }
}

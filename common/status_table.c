#include "status_table.h"

#include <inttypes.h>
#include <string.h>

#include "caps.h"

struct buffer row_cell(struct row *row, unsigned column)
{
    struct buffer out;
    buffer_init(&out, row->cells[column], TABLE_CELL_BYTES);
    return out;
}

void row_count(struct row *row, unsigned column, uint64_t count)
{
    struct buffer out = row_cell(row, column);
    buffer_printf(&out, "%" PRIu64, count);
    (void)buffer_text(&out);
}

void row_text(struct row *row, unsigned column, const char *text, unsigned columns)
{
    char whole[4 * CAP_INSTANCE_BYTES + 1];
    struct buffer escaped, out = row_cell(row, column);
    buffer_init(&escaped, whole, sizeof whole);
    buffer_append_escaped(&escaped, text, strlen(text));
    size_t length = strlen(buffer_text(&escaped));
    if (length <= columns) {
        buffer_append(&out, whole, length);
    } else {
        size_t head = (columns - 3) / 2, tail = columns - 3 - head;
        buffer_append(&out, whole, head);
        buffer_append_string(&out, "...");
        buffer_append(&out, whole + length - tail, tail);
    }
    (void)buffer_text(&out);
}

void status_append_spaces(struct buffer *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        buffer_append_byte(out, ' ');
    }
}

void status_append_coloured(struct buffer *out, const char *colour, const char *text)
{
    buffer_append_string(out, colour != NULL ? colour : "");
    buffer_append_string(out, text);
    buffer_append_string(out, colour != NULL ? "\033[0m" : "");
}

void status_append_age(struct buffer *out, usec_t duration_us)
{
    int64_t s = usec_max(duration_us, 0) / USEC_PER_SEC;
    if (s < 60) {
        buffer_printf(out, "%" PRId64 "s", s);
    } else if (s < 3600) {
        buffer_printf(out, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    } else if (s < 86400) {
        buffer_printf(out, "%" PRId64 "h%02" PRId64 "m", s / 3600, s % 3600 / 60);
    } else {
        buffer_printf(out, "%" PRId64 "d%02" PRId64 "h", s / 86400, s % 86400 / 3600);
    }
}

void status_append_milliseconds(struct buffer *out, usec_t duration_us)
{
    usec_t tenths = (usec_max(duration_us, 0) + 50) / 100;
    buffer_printf(out, "%" PRId64 ".%" PRId64, tenths / 10, tenths % 10);
}

void table_begin(struct table *table, const struct column *columns, unsigned count)
{
    *table = (struct table){.columns = columns, .count = count};
    for (unsigned i = 0; i < count; i++) {
        table->widths[i] = (unsigned)strlen(columns[i].title);
    }
}

void table_measure(struct table *table, const struct row *row)
{
    for (unsigned i = 0; i < table->count; i++) {
        unsigned width = (unsigned)strlen(row->cells[i]);
        table->widths[i] = width > table->widths[i] ? width : table->widths[i];
    }
}

unsigned table_width(const struct table *table)
{
    unsigned columns = 0;
    for (unsigned i = 0; i < table->count; i++) {
        columns += table->widths[i] + (i > 0 ? TABLE_GAP : 0);
    }
    return columns;
}

/* Nothing pads the end of a line. */
void table_line(const struct table *table, const struct row *row, const char *tail,
                struct buffer *out)
{
    for (unsigned i = 0; i < table->count; i++) {
        unsigned length = (unsigned)strlen(row->cells[i]);
        unsigned pad = table->widths[i] > length ? table->widths[i] - length : 0;
        bool right = table->columns[i].numeric;
        status_append_spaces(out, (i > 0 ? TABLE_GAP : 0) + (right ? pad : 0));
        status_append_coloured(out, i == row->coloured ? row->colour : NULL, row->cells[i]);
        if (!right && (i + 1 < table->count || tail[0] != '\0')) {
            status_append_spaces(out, pad);
        }
    }
    if (tail[0] != '\0') {
        status_append_spaces(out, TABLE_GAP);
        buffer_append_string(out, tail);
    }
}

void table_title(const struct table *table, const char *tail, struct buffer *out)
{
    struct row row = {.colour = NULL};
    for (unsigned i = 0; i < table->count; i++) {
        struct buffer title = row_cell(&row, i);
        buffer_append_string(&title, table->columns[i].title);
        (void)buffer_text(&title);
    }
    table_line(table, &row, tail, out);
    buffer_append_byte(out, '\n');
}

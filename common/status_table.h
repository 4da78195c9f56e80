/* Tables of the status page: cells in fixed memory, columns as wide as their widest cell. A cell is
 * printable ASCII (what is not is escaped), so bytes are columns of the screen. */
#ifndef PICKET_STATUS_TABLE_H
#define PICKET_STATUS_TABLE_H

#include "buffer.h"

enum { TABLE_COLUMNS_MAX = 11, TABLE_CELL_BYTES = 128, TABLE_GAP = 2 };

struct column {
    const char *title;
    bool numeric; /* aligned right */
};

struct table {
    const struct column *columns; /* borrowed */
    unsigned count;               /* at most TABLE_COLUMNS_MAX */
    unsigned widths[TABLE_COLUMNS_MAX];
};

struct row {
    char cells[TABLE_COLUMNS_MAX][TABLE_CELL_BYTES]; /* NUL-terminated */
    const char *colour; /* of the cell `coloured`, an escape sequence; NULL: none */
    unsigned coloured;
};

/* The widths begin with the titles'. Then each row is measured, then each is printed. */
void table_begin(struct table *table, const struct column *columns, unsigned count);
void table_measure(struct table *table, const struct row *row);
/* Width of a line. */
unsigned table_width(const struct table *table);
/* A line but for its end, with `tail` ("": none) behind the last column. */
void table_line(const struct table *table, const struct row *row, const char *tail,
                struct buffer *out);
/* The line of titles, with its end. */
void table_title(const struct table *table, const char *tail, struct buffer *out);

/* A buffer over one cell; buffer_text() when it is filled. */
struct buffer row_cell(struct row *row, unsigned column);
void row_count(struct row *row, unsigned column, uint64_t count);
/* What is longer than `columns` (4 to TABLE_CELL_BYTES - 1) loses its middle: the ends tell targets
 * apart. */
void row_text(struct row *row, unsigned column, const char *text, unsigned columns);

/* `colour` NULL: the text alone. */
void status_append_coloured(struct buffer *out, const char *colour, const char *text);
void status_append_spaces(struct buffer *out, unsigned count);
/* "8s" "3m05s" "3h12m" "2d04h" */
void status_append_age(struct buffer *out, usec_t duration_us);
/* "45.2" */
void status_append_milliseconds(struct buffer *out, usec_t duration_us);

#endif

/* Grafana dashboards: what they show is tables of panels (dashboard_NAME.c), how Grafana wants it
 * is in dashboard_write.c and dashboard_panel.c. Panels flow from left to right into rows of 24
 * columns, so a table names their sizes and no places.
 *
 * In expressions @ stands for the seconds after which a site counts as silent. Variables of Grafana
 * are compared with `=` where one value is chosen and with `=~` where there may be more, because
 * Grafana escapes them so. */
#ifndef PICKET_DASHBOARD_H
#define PICKET_DASHBOARD_H

#include "buffer.h"
#include "fleet.h"

enum panel_type {
    PANEL_ROW,    /* a title over what follows */
    PANEL_STAT,   /* one number now */
    PANEL_TEXT,   /* the legend of the query's series, for a label that is the message */
    PANEL_LINES,  /* over time */
    PANEL_STACK,  /* over time, one on the other */
    PANEL_STATES, /* over time, a bar in colours for each series */
    PANEL_BARS,   /* now, a bar for each series */
    PANEL_HEAT,   /* over time, the buckets of a histogram */
    PANEL_TABLE,  /* now, a column for each query */
};

/* Where colours change. */
enum steps {
    STEPS_NONE,
    STEPS_OBJECTIVE, /* a share of good events, by the objectives of the fleet */
    STEPS_BUDGET,    /* a share of an error budget */
    STEPS_BURN,      /* a burn rate, by the factors of the alerts */
    STEPS_NO_MORE,   /* good is 0 */
    STEPS_ALL,       /* good is 1 */
    STEPS_SILENT,    /* seconds since a push */
    STEPS_EXPIRY,    /* seconds until a certificate expires, by the days of the alerts */
    STEPS_SLOTS,     /* runs in flight, by the slots of the fleet */
    STEPS_LAG,       /* seconds that a loop is late */
    STEPS_STATUS,    /* a status code of HTTP */
    STEPS_COUNT
};

/* What 0 and 1 are shown as. */
enum words { WORDS_NONE, WORDS_OUTCOME, WORDS_YES, WORDS_COUNT };

/* Left out when no configuration asks for what they show. */
enum need { NEED_NOTHING, NEED_HTTP, NEED_TLS, NEED_MODBUS };

struct panel_query {
    const char *expression; /* NULL: no more */
    const char *legend;     /* for each series; in a table the title of the column */
    const char *unit;       /* of the column; NULL: none */
    enum steps steps;       /* of the column */
    enum words words;       /* of the column */
};

enum { PANEL_QUERIES = 7 };

struct panel {
    enum panel_type type;
    uint8_t width, height; /* of 24 columns; a row has neither */
    enum need need;
    enum steps steps;
    enum words words;
    bool latency_objectives; /* adds a line at each threshold of a latency SLO of the probe */
    const char *title, *description, *unit;
    struct panel_query queries[PANEL_QUERIES];
};

struct dashboard_variable {
    const char *name, *title, *query;
    bool many; /* several values, or all */
};

enum { DASHBOARD_VARIABLES = 3 };

struct dashboard {
    const char *name; /* "fleet"; the uid is picket-NAME */
    const char *title, *description;
    const char *site;  /* the selector of its sites */
    const char *alert; /* the selector of alerts to mark in graphs */
    bool mark_restarts;
    struct dashboard_variable variables[DASHBOARD_VARIABLES];
    const struct panel *panels;
    size_t panel_count;
};

extern const struct dashboard dashboard_fleet, dashboard_site, dashboard_probe, dashboard_agent;

/* Writes one as JSON that Grafana 10.3 and later imports, with thresholds, intervals and kinds of
 * the fleet; an empty fleet stands for one that has everything. */
void dashboard_write(struct buffer *out, const struct dashboard *dashboard,
                     const struct fleet *fleet);

#endif

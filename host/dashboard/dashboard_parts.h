/* Parts of a dashboard's JSON, for dashboard_write(). */
#ifndef PICKET_DASHBOARD_PARTS_H
#define PICKET_DASHBOARD_PARTS_H

#include "dashboard.h"

/* The members of a panel that its place and number do not depend on, each with its leading comma.
 */
void dashboard_panel_write(struct buffer *out, const struct dashboard *dashboard,
                           const struct panel *panel, const struct fleet *fleet);

/* The object `thresholds` of Grafana. */
void dashboard_steps_write(struct buffer *out, enum steps steps, const struct fleet *fleet);
/* The array `mappings`; not for WORDS_NONE. */
void dashboard_words_write(struct buffer *out, enum words words);

/* Members, each with its leading comma. */
void dashboard_datasource_write(struct buffer *out);
void dashboard_expression_write(struct buffer *out, const char *name, const char *expression,
                                const struct fleet *fleet);

#endif

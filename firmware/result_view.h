/* One result for people and programs: text with a waterfall of the phases, and JSON. */
#ifndef PICKET_RESULT_VIEW_H
#define PICKET_RESULT_VIEW_H

#include "buffer.h"
#include "clock.h"
#include "config.h"

/* Several lines; `colour` marks the verdict. `wall` turns certificate dates into days left. */
void result_view_text(const struct config *config, const struct result *result,
                      struct wall_time wall, bool colour, struct buffer *out);
/* One JSON object on one line: probe kind instance outcome reason phase note duration_seconds
 * phases facts values tls. */
void result_view_json(const struct config *config, const struct result *result, struct buffer *out);

#endif

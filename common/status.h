/* What a running agent knows, as text for people or JSON for programs. Pure: reads the agent,
 * writes a buffer. Used by the status socket and by the live view of `demo`. */
#ifndef PICKET_STATUS_H
#define PICKET_STATUS_H

#include "agent.h"

enum status_format { STATUS_TEXT, STATUS_TEXT_COLOUR, STATUS_JSON };

void status_render(const struct agent *agent, usec_t now_us, enum status_format format,
                   struct buffer *out);
/* An upper bound of what it writes for a configuration, in any format. */
size_t status_bound(const struct config *config);
/* True when the last result of any enabled target was a failure, or the store that is configured
 * cannot keep what is measured (exit code 1 of `status`). A push that fails is neither: nothing is
 * lost by it. */
bool status_failing(const struct agent *agent);

#endif

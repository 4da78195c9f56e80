/* Maintenance: times in which the runs of some probes are measured and shown, but judged by nobody:
 * they enter no indicator and no objective, and are counted apart. All times are UTC. Pure. */
#ifndef PICKET_MAINTENANCE_H
#define PICKET_MAINTENANCE_H

#include "config.h"

/* Whether any maintenance of the probe holds at this moment. */
bool maintenance_holds(const struct config *config, unsigned probe, int64_t unix_ms);

/* Reads "2026-12-01T22:00:00Z 2026-12-02T02:00:00Z", "daily 02:00-04:00" or "sun,mon 22:00-02:00"
 * (an end that is not after its start is on the next day). NULL when it is good, else what would
 * be. */
const char *maintenance_read(const char *text, struct config_times *times);

#endif

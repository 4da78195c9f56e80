/* Every kind of probe that is compiled in. A profile leaves one out with -DPICKET_WITHOUT_<KIND>.
 */
#ifndef PICKET_REGISTRY_H
#define PICKET_REGISTRY_H

#include "probe.h"

extern const struct probe_ops http_probe;
extern const struct probe_ops tcp_probe;
extern const struct probe_ops tls_probe;
extern const struct probe_ops modbus_probe;

/* The table, and the same as kinds for the configuration. */
const struct probe_ops *const *registry_ops(unsigned *count);
const struct probe_kind *const *registry_kinds(unsigned *count);

#endif

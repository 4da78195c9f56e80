#include "registry.h"

static const struct probe_ops *const ops[] = {
#ifndef PICKET_WITHOUT_HTTP
    &http_probe,
#endif
#ifndef PICKET_WITHOUT_MODBUS
    &modbus_probe,
#endif
#ifndef PICKET_WITHOUT_TCP
    &tcp_probe,
#endif
#ifndef PICKET_WITHOUT_TLS
    &tls_probe,
#endif
    NULL, /* a board profile may leave every kind out */
};

static const struct probe_kind *const kinds[] = {
#ifndef PICKET_WITHOUT_HTTP
    &http_probe.kind,
#endif
#ifndef PICKET_WITHOUT_MODBUS
    &modbus_probe.kind,
#endif
#ifndef PICKET_WITHOUT_TCP
    &tcp_probe.kind,
#endif
#ifndef PICKET_WITHOUT_TLS
    &tls_probe.kind,
#endif
    NULL,
};

const struct probe_ops *const *registry_ops(unsigned *count)
{
    *count = ARRAY_LEN(ops) - 1;
    return ops;
}

const struct probe_kind *const *registry_kinds(unsigned *count)
{
    *count = ARRAY_LEN(kinds) - 1;
    return kinds;
}

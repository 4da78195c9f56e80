/* The configuration keys of a [modbus …] section, and their check. Pure. */
#ifndef PICKET_MODBUS_KEYS_H
#define PICKET_MODBUS_KEYS_H

#include "config.h"
#include "modbus_read.h"

enum modbus_key {
    MODBUS_KEY_ADDRESS = KIND_KEY_FIRST,
    MODBUS_KEY_UNIT,
    MODBUS_KEY_READ,
    MODBUS_KEY_ORDER,
    MODBUS_KEY_MAX_REGISTERS,
    MODBUS_KEY_MAX_BITS,
    MODBUS_KEY_PAUSE,
    MODBUS_KEY_BUSY_RETRIES,
    MODBUS_KEY_KEEP_OPEN,
    MODBUS_KEY_END
};

extern const struct config_key modbus_keys[MODBUS_KEY_END - KIND_KEY_FIRST];

/* kind.h's check and value_name. */
void modbus_check(const struct config *config, const struct config_section *section,
                  struct config_errors *errors);
bool modbus_value_name(const struct config *config, const struct config_section *section,
                       unsigned index, char *name, size_t size);

/* Parses `read` number `index` with the section's default order; ERROR_MISSING: there is none. */
MUST_CHECK enum error modbus_read_at(const struct config *config,
                                     const struct config_section *section, unsigned index,
                                     struct modbus_read *out, char *why, size_t why_size);

#endif

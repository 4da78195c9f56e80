#include "modbus_keys.h"

#include <stdio.h>
#include <string.h>

#include "modbus_target.h"
#include "value.h"

enum { WHY_BYTES = 192 };

const struct config_key modbus_keys[] = {
    {.name = "address",
     .type = SETTING_TEXT,
     .flags = KEY_TARGET | KEY_REPEATS,
     .help = "tcp://HOST[:502], rtutcp://HOST:PORT or rtu:///dev/tty…?baud=19200&parity=even"},
    {.name = "unit",
     .type = SETTING_INTEGER,
     .max = 255,
     .fallback = "1",
     .help = "unit id of the device (on a serial line its slave address)"},
    {.name = "read",
     .type = SETTING_RAW,
     .flags = KEY_REPEATS | KEY_REQUIRED,
     .help = "NAME TABLE ADDRESS TYPE [order= scale= offset= range= sentinel= stuck= bit=]"},
    {.name = "order",
     .type = SETTING_CHOICE,
     .fallback = "abcd",
     .choices = modbus_order_names,
     .help = "byte order of reads that name none; holds for every width"},
    {.name = "max_registers",
     .type = SETTING_INTEGER,
     .min = 1,
     .max = 125,
     .fallback = "125",
     .help = "most registers the device gives in one answer"},
    {.name = "max_bits",
     .type = SETTING_INTEGER,
     .min = 1,
     .max = 2000,
     .fallback = "2000",
     .help = "most coils or discrete inputs the device gives in one answer"},
    {.name = "pause",
     .type = SETTING_DURATION,
     .max = 10 * USEC_PER_SEC,
     .fallback = "0",
     .help = "silence after connecting and between requests"},
    {.name = "busy_retries",
     .type = SETTING_INTEGER,
     .max = 10,
     .fallback = "3",
     .help = "how often a device that says it is busy (exception 5 or 6) is asked again"},
    {.name = "keep_open",
     .type = SETTING_SWITCH,
     .fallback = "off",
     .help = "leave the connection open between runs"},
};

enum error modbus_read_at(const struct config *config, const struct config_section *section,
                          unsigned index, struct modbus_read *out, char *why, size_t why_size)
{
    const struct setting *setting = config_setting(config, section, MODBUS_KEY_READ, index);
    struct modbus_order order =
        modbus_order_at((unsigned)config_number(config, section, MODBUS_KEY_ORDER));

    if (setting == NULL) {
        return ERROR_MISSING;
    }
    return modbus_read_parse(config_setting_text(config, setting), setting->length, order, out, why,
                             why_size);
}

static void check_addresses(const struct config *config, const struct config_section *section,
                            struct config_errors *errors)
{
    const struct setting *setting;

    for (unsigned i = 0; (setting = config_setting(config, section, MODBUS_KEY_ADDRESS, i)) != NULL;
         i++) {
        struct modbus_target target;
        char why[WHY_BYTES];

        if (modbus_target_parse(config_setting_text(config, setting), &target, why, sizeof(why)) !=
            ERROR_NONE) {
            config_error_at(config, section, setting, errors, "address: %s", why);
        } else if (target.transport != MODBUS_TCP &&
                   config_number(config, section, MODBUS_KEY_UNIT) == 0) {
            config_error_at(config, section, setting, errors,
                            "unit 0 is everybody on a serial line, and nobody answers to it");
        }
    }
}

/* True when an earlier `read` has the same name. */
static bool name_taken(const struct config *config, const struct config_section *section,
                       unsigned index, const char *name)
{
    char other[CAP_NAME_BYTES];

    for (unsigned i = 0; i < index; i++) {
        if (modbus_value_name(config, section, i, other, sizeof(other)) &&
            strcmp(name, other) == 0) {
            return true;
        }
    }
    return false;
}

static void check_read(const struct config *config, const struct config_section *section,
                       unsigned index, const struct modbus_read *read, struct config_errors *errors)
{
    const struct setting *setting = config_setting(config, section, MODBUS_KEY_READ, index);
    bool bits = modbus_table_of_bits(read->table);
    int64_t limit =
        config_number(config, section, bits ? MODBUS_KEY_MAX_BITS : MODBUS_KEY_MAX_REGISTERS);
    usec_t interval = config_number(config, section, PROBE_INTERVAL);

    if (name_taken(config, section, index, read->name)) {
        config_error_at(config, section, setting, errors, "read: name '%s' stands twice",
                        read->name);
    }
    if (read->count > limit) {
        config_error_at(config, section, setting, errors,
                        "read: %s takes %u registers, max_registers is %d", read->name, read->count,
                        (int)limit);
    }
    if (read->stuck_us != 0 && read->stuck_us < 2 * interval) {
        config_error_at(config, section, setting, errors,
                        "read: stuck of %s is shorter than two intervals, nothing could show it",
                        read->name);
    }
}

void modbus_check(const struct config *config, const struct config_section *section,
                  struct config_errors *errors)
{
    unsigned count = config_count(config, section, MODBUS_KEY_READ);

    check_addresses(config, section, errors);
    for (unsigned i = 0; i < count && i < CAP_VALUES; i++) {
        struct modbus_read read;
        char why[WHY_BYTES];

        if (modbus_read_at(config, section, i, &read, why, sizeof(why)) != ERROR_NONE) {
            config_error_at(config, section, config_setting(config, section, MODBUS_KEY_READ, i),
                            errors, "read: %s", why);
        } else {
            check_read(config, section, i, &read, errors);
        }
    }
    if (count > CAP_VALUES) {
        config_error_at(config, section,
                        config_setting(config, section, MODBUS_KEY_READ, CAP_VALUES), errors,
                        "more than %d reads in one probe", CAP_VALUES);
    }
}

bool modbus_value_name(const struct config *config, const struct config_section *section,
                       unsigned index, char *name, size_t size)
{
    const struct setting *setting = config_setting(config, section, MODBUS_KEY_READ, index);
    const char *text, *word;
    size_t length, word_length;

    if (setting == NULL) {
        return false;
    }
    text = config_setting_text(config, setting);
    length = setting->length;
    if (!value_next_word(&text, &length, &word, &word_length) || word_length >= size) {
        return false;
    }
    memcpy(name, word, word_length);
    name[word_length] = '\0';
    return true;
}

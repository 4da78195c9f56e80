/* Guards against a `read` line or an address that is accepted and yet breaks what the planner and
 * the decoder rely on: each accepted line is planned and its value decoded from the same bytes.
 *
 * A libFuzzer entry. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modbus_decode.h"
#include "modbus_plan.h"
#include "modbus_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_target(const uint8_t *bytes, size_t size)
{
    char text[512], why[192];
    struct modbus_target target;

    if (size >= sizeof(text)) {
        return;
    }
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (modbus_target_parse(text, &target, why, sizeof(why)) != ERROR_NONE) {
        must(why[0] != '\0');
    } else {
        must((target.transport == MODBUS_RTU) == (target.endpoint.host[0] == '\0'));
        must(target.transport != MODBUS_RTU || (target.device[0] == '/' && target.baud > 0));
    }
}

static void use(const struct modbus_read *read, const uint8_t *bytes, size_t size)
{
    struct modbus_span span = {
        .table = (uint8_t)read->table, .address = read->address, .count = read->count};
    uint8_t raw[MODBUS_STRING_BYTES + 2] = {0};
    struct modbus_request request;
    struct value_reading value;
    struct modbus_plan plan;

    must(read->count >= 1 && read->address + read->count <= 65536);
    must(read->name[0] != '\0' && strlen(read->name) < sizeof(read->name));
    must(read->type != MODBUS_TYPE_BOOL || modbus_table_of_bits(read->table) || read->bit >= 0);
    modbus_plan_init(&plan, &span, 1, 125, 2000);
    must(modbus_plan_next(&plan, &request) && request.count == read->count);
    must(!modbus_plan_next(&plan, &request));
    memcpy(raw, bytes, size < sizeof(raw) ? size : sizeof(raw));
    modbus_decode(read, raw, &value);
    must(value.number == value.number && value.number - value.number == 0);
    must(memchr(value.text, '\0', sizeof(value.text)) != NULL);
    (void)modbus_in_range(read, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct modbus_read read;
    char why[192];

    if (modbus_read_parse((const char *)bytes, size, modbus_order_at((unsigned)(size % 10)), &read,
                          why, sizeof(why)) == ERROR_NONE) {
        use(&read, bytes, size);
    } else {
        must(why[0] != '\0' && memchr(why, '\0', sizeof(why)) != NULL);
    }
    try_target(bytes, size);
    return 0;
}

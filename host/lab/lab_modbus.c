/* The Modbus target: libmodbus' own server over a register map that moves a little.
 *
 *   holding 100      flow temperature, i16, 0.1 degrees: 60.0 to 69.9, from the clock
 *   input   200-201  power, f32 with order cdab: 1500.25
 *   coil    0        pump: on */
#include <modbus/modbus.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lab.h"

#define REGISTERS 1000

static void fill(modbus_mapping_t *map)
{
    map->tab_registers[100] = (uint16_t)(600 + time(NULL) % 100);
    modbus_set_float_cdab(1500.25f, &map->tab_input_registers[200]);
    map->tab_bits[0] = 1;
}

/* One request and its answer in the server's mode of the moment. */
static bool serve_one(struct lab_server *server, modbus_t *modbus, modbus_mapping_t *map, int fd)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    int length = modbus_receive(modbus, request);
    enum lab_mode mode = (enum lab_mode)atomic_load(&server->mode);
    if (length <= 0) {
        return length == 0;
    }
    if (lab_misbehave(server, fd, mode)) {
        return false;
    }
    atomic_fetch_add(mode == LAB_OK ? &server->served : &server->misbehaved, 1);
    fill(map);
    switch (mode) {
    case LAB_ERROR:
    case LAB_REDIRECT:
        return modbus_reply_exception(modbus, request, MODBUS_EXCEPTION_SLAVE_OR_SERVER_FAILURE) >
               0;
    case LAB_BUSY:
        return modbus_reply_exception(modbus, request, MODBUS_EXCEPTION_SLAVE_OR_SERVER_BUSY) > 0;
    case LAB_DRIP: {
        /* The right header and the first data bytes, then nothing for longer than anybody waits. */
        unsigned char start[] = {request[0], request[1], 0, 0, 0, 5,
                                 request[6], request[7], 2, 0, 0};
        return lab_send_in_mode(fd, LAB_DRIP, start, sizeof start);
    }
    case LAB_SLOW:
        lab_sleep_ms(800);
        return modbus_reply(modbus, request, length, map) > 0;
    default:
        return modbus_reply(modbus, request, length, map) > 0;
    }
}

void lab_modbus_serve(struct lab_server *server, int fd)
{
    modbus_t *modbus = modbus_new_tcp("127.0.0.1", 502);
    modbus_mapping_t *map = modbus_mapping_new(REGISTERS, REGISTERS, REGISTERS, REGISTERS);
    if (modbus && map) {
        modbus_set_socket(modbus, fd);
        modbus_set_indication_timeout(modbus, 30, 0);
        while (serve_one(server, modbus, map, fd)) {
        }
    }
    if (map) {
        modbus_mapping_free(map);
    }
    if (modbus) {
        modbus_free(modbus); /* does not close the socket: that is the caller's */
    }
}

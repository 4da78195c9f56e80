#include "respawn.h"

usec_t respawn_delay(struct respawn *respawn, usec_t ran_us)
{
    if (respawn->last_us <= 0 || ran_us >= RESPAWN_WELL_US) {
        respawn->last_us = RESPAWN_FIRST_US;
    } else {
        respawn->last_us = usec_min(respawn->last_us * 2, RESPAWN_CAP_US);
    }
    return respawn->last_us;
}

void respawn_reset(struct respawn *respawn)
{
    respawn->last_us = 0;
}

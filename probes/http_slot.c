#include "http_slot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "curl_once.h"
#include "http_transfer.h"

/* Shared by all targets, since a slot serves any of them. */
static struct {
    unsigned users;
    struct http_slot *slots; /* CAP_RUNS */
    uint8_t *bodies;         /* CAP_RUNS times body_bytes */
    size_t body_bytes;
} shared;

/* The first byte of an answer in the clear, seen next to the poll that reported it: libcurl calls
 * back only when a line is whole. */
static void mark_first_byte(void *context, int fd)
{
    struct http_slot *slot = context;
    char byte;
    if (slot->phases.open == PHASE_PROCESSING && slot->handshakes == 0 &&
        recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
        http_phases_next(&slot->phases, slot->run->result, PHASE_TRANSFER,
                         clock_monotonic_us(slot->run->clock));
}

/* ---- life of the slots ---- */

static void drop_handles(struct http_slot *slot)
{
    slot->run = NULL; /* the library may set its timer once more */
    curl_waits_free(slot->multi, slot->easy);
    slot->easy = NULL;
    slot->multi = NULL;
    slot->waits.count = 0;
    slot->socket_count = 0;
}

static bool make_handles(struct http_slot *slot, const struct clock *clock)
{
    slot->waits.clock = clock;
    if (slot->multi)
        return true;
    slot->multi = curl_multi_init();
    slot->easy = curl_easy_init();
    if (slot->multi && slot->easy && curl_waits_attach(&slot->waits, slot->multi, clock) &&
        http_transfer_prepare(slot)) {
        slot->waits.readable = mark_first_byte;
        slot->waits.context = slot;
        return true;
    }
    drop_handles(slot);
    return false;
}

static enum error grow_bodies(size_t body_bytes)
{
    if (body_bytes <= shared.body_bytes)
        return ERROR_NONE;
    uint8_t *bodies = calloc(CAP_RUNS, body_bytes);
    if (!bodies)
        return ERROR_EXHAUSTED;
    free(shared.bodies);
    shared.bodies = bodies;
    shared.body_bytes = body_bytes;
    return ERROR_NONE;
}

static void free_shared(void)
{
    for (unsigned i = 0; shared.slots && i < CAP_RUNS; i++)
        drop_handles(&shared.slots[i]);
    free(shared.slots);
    free(shared.bodies);
    memset(&shared, 0, sizeof(shared));
}

enum error http_slots_acquire(size_t body_bytes)
{
    enum error error = curl_once_acquire();
    if (error != ERROR_NONE)
        return error;
    if (!shared.slots)
        shared.slots = calloc(CAP_RUNS, sizeof(*shared.slots));
    error = shared.slots ? grow_bodies(body_bytes) : ERROR_EXHAUSTED;
    if (error == ERROR_NONE) {
        shared.users++;
        return ERROR_NONE;
    }
    if (shared.users == 0)
        free_shared();
    curl_once_release();
    return error;
}

void http_slots_release(void)
{
    assert(shared.users > 0);
    if (--shared.users == 0)
        free_shared();
    curl_once_release();
}

struct http_slot *http_slot_of(const struct run *run, uint8_t **body)
{
    assert(shared.slots && run->slot < CAP_RUNS);
    struct http_slot *slot = &shared.slots[run->slot];
    if (!make_handles(slot, run->clock))
        return NULL;
    *body = shared.bodies ? shared.bodies + run->slot * shared.body_bytes : NULL;
    return slot;
}

/* ---- sockets ---- */

bool http_slot_add_socket(struct http_slot *slot, int fd, const struct sockaddr *peer,
                          socklen_t length)
{
    if (slot->socket_count == HTTP_SLOT_SOCKETS || length > sizeof(slot->sockets[0].peer))
        return false;
    struct http_socket *socket = &slot->sockets[slot->socket_count++];
    socket->fd = fd;
    memcpy(&socket->peer, peer, length);
    return true;
}

void http_slot_drop_socket(struct http_slot *slot, int fd)
{
    for (unsigned i = 0; i < slot->socket_count; i++)
        if (slot->sockets[i].fd == fd) {
            slot->sockets[i] = slot->sockets[--slot->socket_count];
            return;
        }
}

/* ---- a transfer ---- */

bool http_slot_begin(struct http_slot *slot)
{
    slot->transferring = curl_multi_add_handle(slot->multi, slot->easy) == CURLM_OK;
    return slot->transferring;
}

/* After an orderly end libcurl keeps a TLS connection, up to two seconds, for the peer's
 * close_notify. Ours is sent by then; shutting the socket down makes libcurl see the end now. */
static void end_leftovers(struct http_slot *slot)
{
    for (unsigned tries = slot->socket_count; tries > 0 && slot->socket_count > 0; tries--) {
        int fd = slot->sockets[0].fd;
        shutdown(fd, SHUT_RDWR);
        curl_waits_act(&slot->waits, fd, CURL_CSELECT_IN);
    }
    if (slot->socket_count > 0)
        drop_handles(slot); /* closes everything; the next run makes them anew */
}

void http_slot_end(struct http_slot *slot)
{
    if (!slot->multi)
        return;
    if (slot->transferring)
        curl_waits_take_out(&slot->waits, slot->easy);
    slot->transferring = false;
    if (slot->socket_count > 0)
        end_leftovers(slot);
    slot->waits.wake_us = USEC_NEVER;
}

bool http_slot_turn(struct http_slot *slot, const struct waits *ready, CURLcode *code)
{
    return curl_waits_turn(&slot->waits, ready, code);
}

void http_slot_waits(const struct http_slot *slot, struct waits *waits)
{
    curl_waits_tell(&slot->waits, waits);
}

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

/* ---- what libcurl waits for ---- */

static int watch(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct http_slot *slot = context;
    (void)easy;
    (void)unused;
    unsigned i = 0;
    while (i < slot->watched_count && slot->watched[i].fd != fd)
        i++;
    if (what == CURL_POLL_REMOVE) {
        if (i < slot->watched_count)
            slot->watched[i] = slot->watched[--slot->watched_count];
        return 0;
    }
    if (i == HTTP_SLOT_SOCKETS)
        return 0; /* not watched: the run ends by its deadline */
    short events = 0;
    if (what & CURL_POLL_IN)
        events = (short)(events | POLLIN);
    if (what & CURL_POLL_OUT)
        events = (short)(events | POLLOUT);
    slot->watched[i].fd = fd;
    slot->watched[i].events = events;
    if (i == slot->watched_count)
        slot->watched_count++;
    return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct http_slot *slot = context;
    (void)multi;
    if (timeout_ms < 0 || !slot->run)
        slot->wake_us = timeout_ms < 0 ? USEC_NEVER : 0;
    else
        slot->wake_us = clock_monotonic_us(slot->run->clock) + timeout_ms * USEC_PER_MSEC;
    return 0;
}

/* ---- life of the slots ---- */

static void drop_handles(struct http_slot *slot)
{
    slot->run = NULL; /* the library may set its timer once more */
    curl_easy_cleanup(slot->easy);
    curl_multi_cleanup(slot->multi);
    slot->easy = NULL;
    slot->multi = NULL;
    slot->watched_count = 0;
    slot->socket_count = 0;
}

static bool make_handles(struct http_slot *slot)
{
    if (slot->multi)
        return true;
    slot->multi = curl_multi_init();
    slot->easy = curl_easy_init();
    slot->wake_us = USEC_NEVER;
    if (slot->multi && slot->easy &&
        curl_multi_setopt(slot->multi, CURLMOPT_SOCKETFUNCTION, watch) == CURLM_OK &&
        curl_multi_setopt(slot->multi, CURLMOPT_SOCKETDATA, slot) == CURLM_OK &&
        curl_multi_setopt(slot->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
        curl_multi_setopt(slot->multi, CURLMOPT_TIMERDATA, slot) == CURLM_OK &&
        http_transfer_prepare(slot))
        return true;
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
    if (!make_handles(slot))
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

static void act(struct http_slot *slot, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(slot->multi, fd, events, &running);
}

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
        act(slot, fd, CURL_CSELECT_IN);
    }
    if (slot->socket_count > 0)
        drop_handles(slot); /* closes everything; the next run makes them anew */
}

void http_slot_end(struct http_slot *slot)
{
    if (!slot->multi)
        return;
    if (slot->transferring)
        (void)curl_multi_remove_handle(slot->multi, slot->easy);
    slot->transferring = false;
    if (slot->socket_count > 0)
        end_leftovers(slot);
    slot->wake_us = USEC_NEVER;
}

/* The first byte of an answer in the clear, seen next to the poll that reported it: libcurl calls
 * back only when a line is whole. */
static void mark_first_byte(struct http_slot *slot, int fd)
{
    char byte;
    if (slot->phases.open == PHASE_PROCESSING && slot->handshakes == 0 &&
        recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
        http_phases_next(&slot->phases, slot->run->result, PHASE_TRANSFER,
                         clock_monotonic_us(slot->run->clock));
}

static void act_on_ready(struct http_slot *slot, const struct waits *ready)
{
    /* A copy, since acting changes the list. */
    struct pollfd watched[HTTP_SLOT_SOCKETS];
    unsigned count = slot->watched_count;
    memcpy(watched, slot->watched, count * sizeof(*watched));
    for (unsigned i = 0; i < count; i++) {
        short came = waits_ready(ready, watched[i].fd);
        if (came == 0)
            continue;
        if (came & POLLIN)
            mark_first_byte(slot, watched[i].fd);
        act(slot, watched[i].fd,
            ((came & (POLLIN | POLLHUP)) ? CURL_CSELECT_IN : 0) |
                ((came & POLLOUT) ? CURL_CSELECT_OUT : 0) |
                ((came & (POLLERR | POLLNVAL)) ? CURL_CSELECT_ERR : 0));
    }
}

bool http_slot_turn(struct http_slot *slot, const struct waits *ready, CURLcode *code)
{
    int left;
    if (ready)
        act_on_ready(slot, ready);
    if (clock_monotonic_us(slot->run->clock) >= slot->wake_us) {
        slot->wake_us = USEC_NEVER; /* before: the call may set the next one */
        act(slot, CURL_SOCKET_TIMEOUT, 0);
    }
    const CURLMsg *message = curl_multi_info_read(slot->multi, &left);
    if (!message || message->msg != CURLMSG_DONE)
        return false;
    *code = message->data.result;
    return true;
}

void http_slot_waits(const struct http_slot *slot, struct waits *waits)
{
    for (unsigned i = 0; i < slot->watched_count; i++)
        waits_add(waits, slot->watched[i].fd, slot->watched[i].events);
    waits_until(waits, slot->wake_us);
}

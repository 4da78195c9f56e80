/* A Modbus device in a thread, for tests: over TCP, RTU over TCP, or RTU on a pseudo terminal. It
 * keeps to the protocol by hand, not through libmodbus, and misbehaves on request. */
#ifndef PICKET_TEST_MODBUS_PEER_H
#define PICKET_TEST_MODBUS_PEER_H

#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum peer_wire { PEER_TCP, PEER_RTU_TCP, PEER_RTU };

enum peer_habit {
    PEER_GOOD,
    PEER_SILENT,
    PEER_DRIP, /* one byte in 100 ms */
    PEER_WRONG_TRANSACTION,
    PEER_WRONG_PROTOCOL,
    PEER_LENGTH_SHORT,
    PEER_LENGTH_LONG,
    PEER_WRONG_UNIT,
    PEER_WRONG_FUNCTION,
    PEER_COUNT_LONG,     /* 250 bytes, announced and sent */
    PEER_COUNT_PROMISED, /* 250 bytes announced, the right number sent */
    PEER_COUNT_SHORT,    /* one byte less, announced and sent */
    PEER_GARBAGE,
    PEER_CLOSE,
    PEER_CLOSE_MIDWAY,
    PEER_EXCEPTION,      /* `code` to everything */
    PEER_EXCEPTION_ZERO, /* code 0 */
    PEER_EXCEPTION_OTHER_FUNCTION,
    PEER_BUSY,      /* `code` while `busy` lasts, then good */
    PEER_STRANGER,  /* a whole frame of another unit first */
    PEER_STRANGERS, /* nothing else */
    PEER_NOISE,     /* two bytes of noise before the frame */
    PEER_WRONG_CRC,
    PEER_FLOOD, /* 64 KiB after connecting, unasked */
};

enum { PEER_LOG = 256 };

struct peer {
    enum peer_wire wire;
    _Atomic enum peer_habit habit;
    _Atomic uint8_t code;
    atomic_int busy;
    atomic_int hole;   /* a register that does not exist; -1: none */
    atomic_int border; /* no request may cross it; 0: none */
    atomic_int connections;
    atomic_bool stop;
    int listener, master, slave; /* -1: not of this wire */
    char address[96];            /* for `address =` */
    pthread_t thread;
    pthread_mutex_t lock;
    unsigned request_count; /* under lock */
    struct peer_request {
        uint8_t unit, function;
        unsigned address, count;
    } requests[PEER_LOG];
};

static inline void peer_pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static inline uint16_t peer_crc(const uint8_t *bytes, size_t count)
{
    unsigned crc = 0xffff;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xa001 : crc >> 1;
        }
    }
    return (uint16_t)crc;
}

/* A register holds its address times 3; a coil is on where its address divides by 3. */
static inline unsigned peer_register(unsigned address)
{
    return address * 3 & 0xffff;
}

static inline void peer_send(int fd, const uint8_t *bytes, size_t count)
{
    struct pollfd at = {.fd = fd, .events = POLLOUT};
    while (count > 0 && poll(&at, 1, 1000) == 1) {
        ssize_t sent = write(fd, bytes, count);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
}

static inline bool peer_receive(struct peer *peer, int fd, uint8_t *bytes, size_t count)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    for (size_t have = 0; have < count;) {
        if (atomic_load(&peer->stop)) {
            return false;
        }
        if (poll(&at, 1, 20) == 1) {
            ssize_t got = read(fd, bytes + have, count - have);
            if (got <= 0) {
                return false;
            }
            have += (size_t)got;
        }
    }
    return true;
}

/* Function, byte count and data, or an exception. Returns its length. */
static inline size_t peer_pdu(struct peer *peer, const struct peer_request *request, uint8_t *pdu)
{
    unsigned first = request->address, last = request->address + request->count - 1;
    enum peer_habit habit = atomic_load(&peer->habit);
    uint8_t code = 0;
    int hole = atomic_load(&peer->hole), border = atomic_load(&peer->border);
    if (habit == PEER_EXCEPTION || (habit == PEER_BUSY && atomic_fetch_sub(&peer->busy, 1) > 0)) {
        code = atomic_load(&peer->code);
    } else if (hole >= 0 && (unsigned)hole >= first && (unsigned)hole <= last) {
        code = 2;
    } else if (border > 0 && first < (unsigned)border && last >= (unsigned)border) {
        code = 2;
    }
    pdu[0] = request->function;
    if (code != 0 || habit == PEER_EXCEPTION_ZERO) {
        pdu[0] |= 0x80;
        pdu[1] = code;
        return 2;
    }
    if (request->function <= 2) {
        pdu[1] = (uint8_t)((request->count + 7) / 8);
        memset(pdu + 2, 0, pdu[1]);
        for (unsigned i = 0; i < request->count; i++) {
            if ((first + i) % 3 == 0) {
                pdu[2 + i / 8] |= (uint8_t)(1U << i % 8);
            }
        }
    } else {
        pdu[1] = (uint8_t)(request->count * 2);
        for (unsigned i = 0; i < request->count; i++) {
            pdu[2 + 2 * i] = (uint8_t)(peer_register(first + i) >> 8);
            pdu[3 + 2 * i] = (uint8_t)peer_register(first + i);
        }
    }
    return 2U + pdu[1];
}

/* Breaks what can be broken inside the PDU. */
static inline size_t peer_break_pdu(enum peer_habit habit, uint8_t *pdu, size_t length)
{
    switch (habit) {
    case PEER_WRONG_FUNCTION:
        pdu[0] = pdu[0] == 3 ? 4 : 3;
        return length;
    case PEER_COUNT_LONG:
        memset(pdu + 2, 0x55, 250);
        pdu[1] = 250;
        return 252;
    case PEER_COUNT_PROMISED:
        pdu[1] = 250;
        return length;
    case PEER_COUNT_SHORT:
        pdu[1]--;
        return length - 1;
    case PEER_EXCEPTION_OTHER_FUNCTION:
        pdu[0] = 0x90;
        pdu[1] = 2;
        return 2;
    default:
        return length;
    }
}

/* Puts unit and PDU into a frame of the wire. Returns its length. */
static inline size_t peer_frame(const struct peer *peer, const uint8_t *head, uint8_t unit,
                                const uint8_t *pdu, size_t pdu_length, uint8_t *frame)
{
    enum peer_habit habit = atomic_load(&((struct peer *)(uintptr_t)peer)->habit);
    if (peer->wire == PEER_TCP) {
        size_t length = pdu_length + 1 + (habit == PEER_LENGTH_LONG ? 2U : 0U) -
                        (habit == PEER_LENGTH_SHORT ? 1U : 0U);
        memcpy(frame, head, 4);
        frame[0] ^= habit == PEER_WRONG_TRANSACTION ? 0x40 : 0;
        frame[3] ^= habit == PEER_WRONG_PROTOCOL ? 1 : 0;
        frame[4] = (uint8_t)(length >> 8);
        frame[5] = (uint8_t)length;
        frame[6] = unit;
        memcpy(frame + 7, pdu, pdu_length);
        return pdu_length + 7;
    }
    frame[0] = unit;
    memcpy(frame + 1, pdu, pdu_length);
    uint16_t crc = peer_crc(frame, pdu_length + 1);
    frame[pdu_length + 1] = (uint8_t)crc;
    frame[pdu_length + 2] = (uint8_t)(crc >> 8) ^ (habit == PEER_WRONG_CRC ? 1 : 0);
    return pdu_length + 3;
}

static inline void peer_drip(struct peer *peer, int fd, const uint8_t *frame, size_t length)
{
    for (size_t i = 0; i < length && !atomic_load(&peer->stop); i++) {
        peer_send(fd, frame + i, 1);
        peer_pause_ms(100);
    }
}

/* Answers one request; false: the connection is to be closed. */
static inline bool peer_answer(struct peer *peer, int fd, const uint8_t *head,
                               const struct peer_request *request)
{
    static const uint8_t noise[64] = {0xff, 0x00, 0xa5, 0x13, 0x37, 0x01, 0x02};
    enum peer_habit habit = atomic_load(&peer->habit);
    uint8_t pdu[260], frame[270];
    uint8_t unit = habit == PEER_WRONG_UNIT ? request->unit + 1 : request->unit;
    if (habit == PEER_SILENT || habit == PEER_CLOSE) {
        return habit == PEER_SILENT;
    }
    if (habit == PEER_GARBAGE) {
        peer_send(fd, noise, sizeof noise);
        return true;
    }
    size_t length = peer_break_pdu(habit, pdu, peer_pdu(peer, request, pdu));
    for (int i = 0; (habit == PEER_STRANGER && i < 1) || (habit == PEER_STRANGERS && i < 3); i++) {
        size_t strange = peer_frame(peer, head, 99, pdu, length, frame);
        peer_send(fd, frame, strange);
    }
    if (habit == PEER_STRANGERS) {
        return true;
    }
    if (habit == PEER_NOISE) {
        peer_send(fd, noise, 2);
    }
    length = peer_frame(peer, head, unit, pdu, length, frame);
    if (habit == PEER_DRIP) {
        peer_drip(peer, fd, frame, length);
    } else {
        peer_send(fd, frame, habit == PEER_CLOSE_MIDWAY ? length / 2 : length);
    }
    return habit != PEER_CLOSE_MIDWAY;
}

static inline void peer_serve(struct peer *peer, int fd)
{
    uint8_t head[12];
    size_t head_length = peer->wire == PEER_TCP ? 12 : 8, at = peer->wire == PEER_TCP ? 6 : 0;
    if (atomic_load(&peer->habit) == PEER_FLOOD) {
        static const uint8_t flood[65536];
        peer_send(fd, flood, sizeof flood);
    }
    while (peer_receive(peer, fd, head, head_length)) {
        const uint8_t *adu = head + at;
        struct peer_request request = {.unit = adu[0],
                                       .function = adu[1],
                                       .address = (unsigned)adu[2] << 8 | adu[3],
                                       .count = (unsigned)adu[4] << 8 | adu[5]};
        pthread_mutex_lock(&peer->lock);
        if (peer->request_count < PEER_LOG) {
            peer->requests[peer->request_count++] = request;
        }
        pthread_mutex_unlock(&peer->lock);
        if (!peer_answer(peer, fd, head, &request)) {
            return;
        }
    }
}

static inline void *peer_main(void *context)
{
    struct peer *peer = context;
    while (!atomic_load(&peer->stop)) {
        if (peer->wire == PEER_RTU) {
            peer_serve(peer, peer->master);
            continue;
        }
        int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            atomic_fetch_add(&peer->connections, 1);
            peer_serve(peer, fd);
            close(fd);
        }
    }
    return NULL;
}

static inline void peer_listen(struct peer *peer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int failed = bind(peer->listener, (struct sockaddr *)&at, sizeof at) |
                 listen(peer->listener, 16) |
                 getsockname(peer->listener, (struct sockaddr *)&at, &size);
    assert(failed == 0);
    (void)failed;
    snprintf(peer->address, sizeof peer->address, "%s://127.0.0.1:%u",
             peer->wire == PEER_TCP ? "tcp" : "rtutcp", ntohs(at.sin_port));
}

/* No parity: a pseudo terminal has none, and the C library reports it as an error when the driver
 * does not take it. The slave's end stays open here too, so that the line does not hang up between
 * two runs. */
static inline void peer_open_line(struct peer *peer)
{
    char name[40];
    struct termios settings;
    peer->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int failed =
        grantpt(peer->master) | unlockpt(peer->master) | ptsname_r(peer->master, name, sizeof name);
    peer->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    failed |= tcgetattr(peer->slave, &settings);
    cfmakeraw(&settings);
    failed |= tcsetattr(peer->slave, TCSANOW, &settings);
    assert(failed == 0);
    (void)failed;
    snprintf(peer->address, sizeof peer->address, "rtu://%s?baud=115200&parity=none", name);
}

static inline struct peer *peer_new(enum peer_wire wire, enum peer_habit habit)
{
    struct peer *peer = calloc(1, sizeof *peer);
    assert(peer != NULL);
    peer->wire = wire;
    atomic_store(&peer->habit, habit);
    peer->hole = -1;
    peer->listener = peer->master = peer->slave = -1;
    pthread_mutex_init(&peer->lock, NULL);
    if (wire == PEER_RTU) {
        peer_open_line(peer);
    } else {
        peer_listen(peer);
    }
    int failed = pthread_create(&peer->thread, NULL, peer_main, peer);
    assert(failed == 0);
    (void)failed;
    return peer;
}

static inline void peer_free(struct peer *peer)
{
    atomic_store(&peer->stop, true);
    if (peer->listener >= 0) {
        shutdown(peer->listener, SHUT_RDWR);
    }
    pthread_join(peer->thread, NULL);
    int fds[] = {peer->listener, peer->master, peer->slave};
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

/* The requests so far as "function:address+count " each, and forgets them. */
static inline const char *peer_requests(struct peer *peer, char *text, size_t size)
{
    text[0] = '\0';
    pthread_mutex_lock(&peer->lock);
    for (unsigned i = 0; i < peer->request_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%u:%u+%u ", peer->requests[i].function,
                 peer->requests[i].address, peer->requests[i].count);
    }
    peer->request_count = 0;
    pthread_mutex_unlock(&peer->lock);
    return text;
}

#endif

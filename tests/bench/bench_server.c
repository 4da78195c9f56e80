#include "bench_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 4096

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

struct peer {
    usec_t accepted_us;
    int timer_of; /* the connection a timer belongs to; -1: this is a connection */
    int timer;    /* its timer; -1: none */
    size_t sent;  /* of a dripped answer */
    bool drips;
    char request[1024];
    size_t used;
};

static struct peer peers[FDS_MAX];

usec_t bench_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void end_peer(int fd)
{
    if (peers[fd].timer >= 0) {
        close(peers[fd].timer);
    }
    close(fd);
}

static void accept_peer(struct bench_server *server, int epoll)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (fd >= FDS_MAX) {
        close(fd);
        return;
    }
    peers[fd] = (struct peer){.accepted_us = bench_now_us(), .timer_of = -1, .timer = -1};
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(epoll, fd);
}

static void start_timer(int epoll, int fd, usec_t first_us, usec_t every_us)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0 || timer >= FDS_MAX) {
        return;
    }
    struct itimerspec spec = {
        .it_value = {first_us / USEC_PER_SEC, (long)(first_us % USEC_PER_SEC * 1000)},
        .it_interval = {every_us / USEC_PER_SEC, (long)(every_us % USEC_PER_SEC * 1000)}};
    timerfd_settime(timer, 0, &spec, NULL);
    peers[timer] = (struct peer){.timer_of = fd, .timer = -1};
    peers[fd].timer = timer;
    watch(epoll, timer);
}

static void answer_request(struct bench_server *server, int epoll, int fd)
{
    struct peer *peer = &peers[fd];
    unsigned number;
    if (strncmp(peer->request, "GET /hang", 9) == 0) {
        return;
    } else if (strncmp(peer->request, "GET /drip", 9) == 0) {
        peer->drips = true;
        start_timer(epoll, fd, 1000, USEC_PER_SEC);
    } else if (sscanf(peer->request, "GET /delay/%u ", &number) == 1) {
        start_timer(epoll, fd, (usec_t)number * USEC_PER_MSEC, 0);
    } else {
        if (sscanf(peer->request, "GET /%u ", &number) == 1 &&
            server->arrival_count < BENCH_ARRIVALS_MAX) {
            server->arrivals[server->arrival_count] =
                (struct bench_arrival){.target = number, .accepted_us = peer->accepted_us};
            server->arrival_count++;
        }
        (void)!write(fd, answer, sizeof answer - 1);
    }
}

static void read_request(struct bench_server *server, int epoll, int fd)
{
    struct peer *peer = &peers[fd];
    ssize_t count = read(fd, peer->request + peer->used, sizeof peer->request - 1 - peer->used);
    if (count <= 0) {
        end_peer(fd);
        return;
    }
    peer->used += (size_t)count;
    peer->request[peer->used] = '\0';
    if (strstr(peer->request, "\r\n\r\n")) {
        answer_request(server, epoll, fd);
        peer->used = 0;
    }
}

static void timer_fired(int timer)
{
    uint64_t times;
    int fd = peers[timer].timer_of;
    struct peer *peer = &peers[fd];
    (void)!read(timer, &times, sizeof times);
    if (!peer->drips) {
        (void)!write(fd, answer, sizeof answer - 1);
    } else if (peer->sent < sizeof answer - 1) {
        (void)!write(fd, answer + peer->sent++, 1);
    }
}

static void *serve(void *argument)
{
    struct bench_server *server = argument;
    struct epoll_event events[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, server->listener);
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == server->listener) {
                accept_peer(server, epoll);
            } else if (peers[fd].timer_of >= 0) {
                timer_fired(fd);
            } else {
                read_request(server, epoll, fd);
            }
        }
    }
    return NULL;
}

bool bench_server_start(struct bench_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t thread;
    server->arrival_count = 0;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, 512) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0) {
        return false;
    }
    server->port = ntohs(address.sin_port);
    return pthread_create(&thread, NULL, serve, server) == 0;
}

/* One c-ares channel serves all runs. A query cannot be cancelled on its own in c-ares, so each has
 * a record of its own that outlives the run: a cancelled record has no receiver any more and is
 * free again when c-ares is done with it, at the latest after its own timeouts.
 *
 * c-ares has had holes (boards/deps/ADVISORIES.md) that these rules keep out of reach: lookups
 * never go over TCP, and nothing of c-ares is called from its callbacks, which only note what came.
 */
#include "cares_resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define QUERIES_MAX      (4 * CAP_RUNS)
#define SOCKETS_MAX      64
#define RESOLV_CONF      "/etc/resolv.conf"
#define QUERY_TIMEOUT_MS 2000
#define QUERY_TRIES      3

struct query {
    bool busy;
    unsigned slot;
    enum ip_choice choice;
    struct resolution *out; /* NULL: cancelled */
};

struct watched {
    ares_socket_t fd;
    short events;
};

struct cares_resolver {
    ares_channel_t *channel;
    struct query queries[QUERIES_MAX];
    struct query *by_slot[CARES_RESOLVER_SLOTS];
    struct watched sockets[SOCKETS_MAX];
    unsigned socket_count;
    struct timespec conf_changed;
};

static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct cares_resolver *resolver = data;
    unsigned i = 0;
    while (i < resolver->socket_count && resolver->sockets[i].fd != fd) {
        i++;
    }
    if (!readable && !writable) {
        if (i < resolver->socket_count) {
            resolver->sockets[i] = resolver->sockets[--resolver->socket_count];
        }
        return;
    }
    if (i == SOCKETS_MAX) {
        return; /* not watched: its query ends by timeout */
    }
    short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
    resolver->sockets[i] = (struct watched){.fd = fd, .events = events};
    if (i == resolver->socket_count) {
        resolver->socket_count++;
    }
}

static struct timespec conf_change_time(void)
{
    struct stat status;
    return stat(RESOLV_CONF, &status) == 0 ? status.st_mtim : (struct timespec){0};
}

struct cares_resolver *cares_resolver_new(void)
{
    struct cares_resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver) {
        return NULL;
    }
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS | ARES_FLAG_IGNTC, /* a cut answer is taken as it is */
        .timeout = QUERY_TIMEOUT_MS,
        .tries = QUERY_TRIES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
        .qcache_max_ttl = 0,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_QUERY_CACHE;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
        free(resolver);
        return NULL;
    }
    resolver->conf_changed = conf_change_time();
    return resolver;
}

void cares_resolver_free(struct cares_resolver *resolver)
{
    if (resolver) {
        ares_destroy(resolver->channel);
        ares_library_cleanup();
        free(resolver);
    }
}

static bool is_wanted(int family, enum ip_choice choice)
{
    return !(choice == IP_ONLY4 && family == AF_INET6) &&
           !(choice == IP_ONLY6 && family == AF_INET);
}

static void add_address(struct resolution *out, const struct sockaddr *address, socklen_t length)
{
    if (out->count < CAP_ADDRESSES && length <= sizeof out->addresses[0].socket) {
        struct address *entry = &out->addresses[out->count++];
        memcpy(&entry->socket, address, length);
        entry->length = length;
    }
}

/* The preferred family first, the order within a family as it came (RFC 6724, by c-ares). */
static void add_addresses(struct resolution *out, const struct ares_addrinfo *info,
                          enum ip_choice choice)
{
    int first = choice == IP_PREFER4 ? AF_INET : choice == IP_PREFER6 ? AF_INET6 : AF_UNSPEC;
    for (int pass = 0; pass < 2; pass++) {
        for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
            bool preferred = first == AF_UNSPEC || node->ai_family == first;
            if (preferred == (pass == 0) && is_wanted(node->ai_family, choice)) {
                add_address(out, node->ai_addr, node->ai_addrlen);
            }
        }
    }
}

static void on_answer(void *argument, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *query = argument;
    struct resolution *out = query->out;
    (void)timeouts;
    if (out) {
        if (status == ARES_SUCCESS) {
            add_addresses(out, info, query->choice);
        }
        out->state = out->count > 0 ? RESOLVE_DONE : RESOLVE_FAILED;
        if (out->state == RESOLVE_FAILED) {
            snprintf(out->note, sizeof out->note, "%s",
                     status == ARES_SUCCESS ? "no address of the wanted family"
                                            : ares_strerror(status));
        }
    }
    ares_freeaddrinfo(info);
    query->out = NULL;
    query->busy = false;
}

/* True when `host` is a literal: then *out is final. */
static bool resolve_literal(const char *host, enum ip_choice choice, struct resolution *out)
{
    char bare[64];
    size_t length = strlen(host);
    bool bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';
    if (length >= sizeof bare) {
        return false;
    }
    memcpy(bare, host + bracketed, length + 1 - bracketed);
    if (bracketed) {
        bare[length - 2] = '\0';
    }
    struct address *address = &out->addresses[0];
    if (!bracketed && inet_pton(AF_INET, bare, &address->socket.v4.sin_addr) == 1) {
        address->socket.v4.sin_family = AF_INET;
        address->length = sizeof address->socket.v4;
    } else if (inet_pton(AF_INET6, bare, &address->socket.v6.sin6_addr) == 1) {
        address->socket.v6.sin6_family = AF_INET6;
        address->length = sizeof address->socket.v6;
    } else {
        return false;
    }
    bool wanted = is_wanted(address->socket.any.sa_family, choice);
    out->count = wanted;
    out->state = wanted ? RESOLVE_DONE : RESOLVE_FAILED;
    snprintf(out->note, sizeof out->note, "%s", wanted ? "" : "the address is of the other family");
    return true;
}

static struct query *free_query(struct cares_resolver *resolver)
{
    for (unsigned i = 0; i < QUERIES_MAX; i++) {
        if (!resolver->queries[i].busy) {
            return &resolver->queries[i];
        }
    }
    return NULL;
}

/* Not ares_reinit(): that reads the file in a thread of its own, and our socket table is written by
 * the callbacks of whoever changes the servers. On an error the old ones stay in use. */
static void read_servers_again(struct cares_resolver *resolver)
{
    ares_channel_t *fresh;
    if (ares_init_options(&fresh, NULL, 0) != ARES_SUCCESS) {
        return;
    }
    char *servers = ares_get_servers_csv(fresh);
    if (servers) {
        (void)ares_set_servers_csv(resolver->channel, servers);
        ares_free_string(servers);
    }
    ares_destroy(fresh);
}

static void follow_conf_changes(struct cares_resolver *resolver)
{
    struct timespec changed = conf_change_time();
    if (changed.tv_sec != resolver->conf_changed.tv_sec ||
        changed.tv_nsec != resolver->conf_changed.tv_nsec) {
        resolver->conf_changed = changed;
        read_servers_again(resolver);
    }
}

static void cancel(void *context, unsigned slot)
{
    struct cares_resolver *resolver = context;
    struct query *query = resolver->by_slot[slot];
    if (query && query->busy && query->slot == slot) {
        query->out = NULL;
    }
    resolver->by_slot[slot] = NULL;
}

static void start(void *context, unsigned slot, const char *host, enum ip_choice choice,
                  usec_t now_us, usec_t deadline_us, struct resolution *out)
{
    struct cares_resolver *resolver = context;
    (void)now_us;
    (void)deadline_us; /* the runner gives up then; c-ares has its own, longer, timeouts */
    cancel(resolver, slot);
    memset(out, 0, sizeof *out);
    if (resolve_literal(host, choice, out)) {
        return;
    }
    struct query *query = free_query(resolver);
    if (!query) {
        out->state = RESOLVE_FAILED;
        snprintf(out->note, sizeof out->note, "%d name queries wait for answers", QUERIES_MAX);
        return;
    }
    follow_conf_changes(resolver);
    *query = (struct query){.busy = true, .slot = slot, .choice = choice, .out = out};
    resolver->by_slot[slot] = query;
    struct ares_addrinfo_hints hints = {
        .ai_family = choice == IP_ONLY4   ? AF_INET
                     : choice == IP_ONLY6 ? AF_INET6
                                          : AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_answer, query);
}

struct resolver cares_resolver_port(struct cares_resolver *resolver)
{
    return (struct resolver){.context = resolver, .start = start, .cancel = cancel};
}

void cares_resolver_waits(struct cares_resolver *resolver, struct waits *waits, usec_t now_us)
{
    for (unsigned i = 0; i < resolver->socket_count; i++) {
        waits_add(waits, resolver->sockets[i].fd, resolver->sockets[i].events);
    }
    struct timeval left;
    if (ares_timeout(resolver->channel, NULL, &left)) {
        waits_until(waits, now_us + (usec_t)left.tv_sec * USEC_PER_SEC + left.tv_usec);
    }
}

void cares_resolver_step(struct cares_resolver *resolver, const struct waits *ready)
{
    /* c-ares may change its sockets while it works: walk a copy. */
    struct watched sockets[SOCKETS_MAX];
    unsigned count = resolver->socket_count;
    memcpy(sockets, resolver->sockets, sizeof sockets);
    for (unsigned i = 0; i < count; i++) {
        short events = waits_ready(ready, sockets[i].fd);
        if (events) {
            bool readable = (events & ~POLLOUT) != 0;
            ares_process_fd(resolver->channel, readable ? sockets[i].fd : ARES_SOCKET_BAD,
                            events & POLLOUT ? sockets[i].fd : ARES_SOCKET_BAD);
        }
    }
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its timeouts */
}

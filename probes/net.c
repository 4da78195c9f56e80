#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"
#include "value.h"

enum { HOST_BYTES_MAX = 255, LABEL_BYTES_MAX = 63 };

/* No locale: what is a letter in a host name does not depend on the machine. */
static bool is_letter_or_digit(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool host_name_valid(const char *host, size_t length)
{
    size_t label = 0;
    for (size_t i = 0; i < length; i++) {
        if (host[i] == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
        } else if (is_letter_or_digit(host[i]) || host[i] == '-' || host[i] == '_') {
            label++;
        } else {
            return false;
        }
        if (label > LABEL_BYTES_MAX) {
            return false;
        }
    }
    return length > 0 && host[0] != '-';
}

/* The text between brackets: an IPv6 address, perhaps with %zone (RFC 4007). */
static bool v6_literal_valid(const char *host, size_t length)
{
    char text[INET6_ADDRSTRLEN];
    const char *zone = memchr(host, '%', length);
    size_t address = zone == NULL ? length : (size_t)(zone - host);
    if (address >= sizeof text) {
        return false;
    }
    memcpy(text, host, address);
    text[address] = '\0';
    struct in6_addr parsed;
    if (inet_pton(AF_INET6, text, &parsed) != 1) {
        return false;
    }
    return zone == NULL ||
           (length - address <= IF_NAMESIZE && host_name_valid(zone + 1, length - address - 1));
}

static enum error parse_port(const char *text, uint16_t *out)
{
    int64_t port;
    enum error error = value_integer(text, strlen(text), &port);
    if (error != ERROR_NONE) {
        return error;
    }
    if (port < 1 || port > UINT16_MAX) {
        return ERROR_RANGE;
    }
    *out = (uint16_t)port;
    return ERROR_NONE;
}

enum error net_parse_host_port(const char *text, uint16_t default_port, struct endpoint *out)
{
    const char *host = text;
    const char *end = strchr(text, ':');
    bool bracketed = text[0] == '[';
    if (bracketed) {
        host++;
        end = strchr(host, ']');
        if (end == NULL) {
            return ERROR_INVALID;
        }
    }
    size_t length = end == NULL ? strlen(host) : (size_t)(end - host);
    if (length > HOST_BYTES_MAX ||
        !(bracketed ? v6_literal_valid(host, length) : host_name_valid(host, length))) {
        return ERROR_INVALID;
    }
    const char *rest = host + length + (bracketed ? 1 : 0); /* "" or ":PORT" */
    uint16_t port = default_port;
    if (rest[0] == ':') {
        enum error error = parse_port(rest + 1, &port);
        if (error != ERROR_NONE) {
            return error;
        }
    } else if (rest[0] != '\0' || default_port == 0) {
        return ERROR_INVALID;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->host, host, length);
    out->port = port;
    return ERROR_NONE;
}

/* An address literal into *out, with port 0. */
static bool parse_source_address(const char *source, struct address *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, source, &out->socket.v4.sin_addr) == 1) {
        out->socket.v4.sin_family = AF_INET;
        out->length = sizeof out->socket.v4;
        return true;
    }
    if (inet_pton(AF_INET6, source, &out->socket.v6.sin6_addr) == 1) {
        out->socket.v6.sin6_family = AF_INET6;
        out->length = sizeof out->socket.v6;
        return true;
    }
    return false;
}

bool net_source_valid(const char *source)
{
    struct address address;
    if (parse_source_address(source, &address)) {
        return true;
    }
    /* What dev_valid_name() of Linux refuses. */
    size_t length = strlen(source);
    return length > 0 && length < IF_NAMESIZE && strcmp(source, ".") != 0 &&
           strcmp(source, "..") != 0 && strpbrk(source, "/: \t\n\v\f\r") == NULL;
}

bool net_exhausted(int system_errno)
{
    return system_errno == EMFILE || system_errno == ENFILE || system_errno == ENOBUFS ||
           system_errno == ENOMEM;
}

enum reason net_reason(int system_errno)
{
    switch (system_errno) {
    case ECONNREFUSED:
        return REASON_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EADDRNOTAVAIL: /* no address of our own to reach this family from */
    case EAFNOSUPPORT:
        return REASON_UNREACHABLE;
    case ETIMEDOUT:
        return REASON_TIMEOUT;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return REASON_RESET;
    default:
        return REASON_CONNECT;
    }
}

void net_address_facts(struct result *result, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        result_fact_set(result, FACT_IP_PROTOCOL, 6);
        result_fact_set(result, FACT_IP_ADDR_HASH, hash32(&v6->sin6_addr, sizeof v6->sin6_addr));
    } else {
        const struct sockaddr_in *v4 = (const void *)address;
        result_fact_set(result, FACT_IP_PROTOCOL, 4);
        result_fact_set(result, FACT_IP_ADDR_HASH, hash32(&v4->sin_addr, sizeof v4->sin_addr));
    }
}

const char *net_address_text(const struct sockaddr *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%u", host, ntohs(v4->sin_port));
    }
    return text;
}

void net_connect_close(struct net_connect *attempt)
{
    if (attempt->fd >= 0) {
        close(attempt->fd);
        attempt->fd = -1;
    }
}

/* Binds to the source. False: the run is decided, or the address at hand cannot be reached from
 * this source and is to be skipped. */
static bool bind_source(int fd, struct run *run, const char *source, int family)
{
    struct address address;
    int failed;
    if (parse_source_address(source, &address)) {
        if (address.socket.any.sa_family != family) {
            return false;
        }
        failed = bind(fd, &address.socket.any, address.length);
    } else {
        failed = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, source, (socklen_t)strlen(source));
    }
    if (failed != 0) {
        result_unknown(run->result, PHASE_CONNECT, "source %s: %s", source, strerror(errno));
    }
    return failed == 0;
}

/* Keeps the most telling errno: a missing route says least, since a site without IPv6 has none for
 * every name with an IPv6 address. Of the others the first stands. */
static void blame(struct net_connect *attempt, int system_errno)
{
    if (attempt->blamed_errno == 0 || (net_reason(attempt->blamed_errno) == REASON_UNREACHABLE &&
                                       net_reason(system_errno) != REASON_UNREACHABLE)) {
        attempt->blamed_errno = system_errno;
        attempt->blamed = attempt->next - 1;
    }
}

/* Begins one address. True: connected or under way (attempt->fd). */
static bool try_address(struct net_connect *attempt, struct run *run, const char *source)
{
    unsigned left = run->address_count - attempt->next;
    const struct address *address = &run->addresses[attempt->next++];
    int family = address->socket.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        if (net_exhausted(errno)) {
            result_unknown(run->result, PHASE_CONNECT, "socket: %s", strerror(errno));
        }
        blame(attempt, errno);
        return false;
    }
    attempt->fd = fd;
    int on = 1;
    /* Best effort: without it a dialog is slower, not wrong. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (source != NULL && !bind_source(fd, run, source, family)) {
        net_connect_close(attempt);
        return false;
    }
    net_address_facts(run->result, &address->socket.any);
    if (connect(fd, &address->socket.any, address->length) != 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        int failed_errno = errno;
        net_connect_close(attempt);
        /* On IPv4 this one says that no local port is left. */
        if (net_exhausted(failed_errno) || (failed_errno == EADDRNOTAVAIL && family == AF_INET)) {
            result_unknown(run->result, PHASE_CONNECT, "connect: %s", strerror(failed_errno));
        }
        blame(attempt, failed_errno);
        return false;
    }
    usec_t share_us = usec_max(run->deadline_us - run->now_us, 0) / left;
    attempt->share_until_us = usec_add(run->now_us, share_us);
    return true;
}

static enum net_state failed(struct net_connect *attempt, struct run *run)
{
    net_connect_close(attempt);
    if (attempt->blamed_errno != 0) {
        char text[64];
        net_address_text(&run->addresses[attempt->blamed].socket.any, text, sizeof text);
        result_fail(run->result, net_reason(attempt->blamed_errno), PHASE_CONNECT, "%s: %s", text,
                    strerror(attempt->blamed_errno));
    }
    result_unknown(run->result, PHASE_CONNECT, "the source has no address of the target's family");
    return NET_FAILED;
}

/* Where the connect under way stands: 0 connected, EINPROGRESS, or the errno it ended with. */
static int connect_errno(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLOUT};
    if (poll(&at, 1, 0) <= 0) {
        return EINPROGRESS;
    }
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

enum net_state net_connect_step(struct net_connect *attempt, struct run *run, const char *source)
{
    /* Each pass ends one address, so this is at most CAP_ADDRESSES long. */
    for (;;) {
        if (attempt->fd >= 0) {
            int state = connect_errno(attempt->fd);
            if (state == 0) {
                return NET_CONNECTED;
            }
            if (state == EINPROGRESS && run->now_us < attempt->share_until_us) {
                return NET_WAIT;
            }
            blame(attempt, state == EINPROGRESS ? ETIMEDOUT : state);
            net_connect_close(attempt);
        }
        while (attempt->fd < 0) {
            if (result_decided(run->result) || attempt->next >= run->address_count) {
                return failed(attempt, run);
            }
            (void)try_address(attempt, run, source);
        }
    }
}

enum net_state net_connect_start(struct net_connect *attempt, struct run *run, const char *source)
{
    *attempt = (struct net_connect){.fd = -1};
    return net_connect_step(attempt, run, source);
}

void net_connect_waits(const struct net_connect *attempt, struct waits *waits)
{
    waits_add(waits, attempt->fd, POLLOUT);
    waits_until(waits, attempt->share_until_us);
}

/* Options that never change are set once per slot; the others, all of them, for each run or hop, so
 * that nothing of one target can reach another. */
#include "http_transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "version.h"

static usec_t now_of(const struct http_slot *slot)
{
    return clock_monotonic_us(slot->run->clock);
}

static void enter(struct http_slot *slot, enum phase phase)
{
    http_phases_next(&slot->phases, slot->run->result, phase, now_of(slot));
}

/* ---- sockets ---- */

/* The run's own form of an address the library is about to use: its port is where to dial, and it
 * knows its zone. NULL when the address is not the run's. */
static const struct address *find_address(const struct http_slot *slot, const struct sockaddr *peer)
{
    for (unsigned i = 0; i < slot->run->address_count; i++) {
        const struct address *address = &slot->run->addresses[i];
        if (address->socket.any.sa_family != peer->sa_family)
            continue;
        if (peer->sa_family == AF_INET &&
            memcmp(&address->socket.v4.sin_addr,
                   &((const struct sockaddr_in *)(const void *)peer)->sin_addr,
                   sizeof(struct in_addr)) == 0)
            return address;
        if (peer->sa_family == AF_INET6 &&
            memcmp(&address->socket.v6.sin6_addr,
                   &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr,
                   sizeof(struct in6_addr)) == 0)
            return address;
    }
    return NULL;
}

static void redirect_address(const struct http_slot *slot, struct curl_sockaddr *to)
{
    const struct address *address = slot->dial_port ? find_address(slot, &to->addr) : NULL;
    if (!address || address->socket.any.sa_family != to->family)
        return;
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } whole;
    memcpy(&whole, &address->socket, sizeof(whole));
    if (to->family == AF_INET)
        whole.v4.sin_port = htons(slot->dial_port);
    else
        whole.v6.sin6_port = htons(slot->dial_port);
    /* The library's struct ends in room for any address (curl.h, struct curl_sockaddr). */
    memcpy(&to->addr, &whole, to->addrlen);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_slot *slot = context;
    (void)purpose;
    enter(slot, PHASE_CONNECT);
    redirect_address(slot, address);
    int type = address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK; /* as libcurl would set it */
    int fd = socket(address->family, type, address->protocol);
    if (fd < 0) {
        slot->exhausted = slot->exhausted || net_exhausted(errno);
        return CURL_SOCKET_BAD;
    }
    if (!http_slot_add_socket(slot, fd, &address->addr, address->addrlen)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int close_socket(void *context, curl_socket_t fd)
{
    http_slot_drop_socket(context, fd);
    return close(fd);
}

/* ---- the connection stands ---- */

static void keep_stale_errno(struct http_slot *slot)
{
    (void)curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &slot->stale_errno);
}

static mbedtls_ssl_context *session_of(struct http_slot *slot)
{
    struct curl_tlssessioninfo *info = NULL;
    if (curl_easy_getinfo(slot->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info)
        return NULL;
    return info->internals;
}

static bool is_literal(const char *host)
{
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

/* The name the certificate must be for. An address literal is no name for SNI (RFC 6066 section 3),
 * so certinfo checks it instead of mbedTLS. */
static CURLcode set_name(struct http_slot *slot, mbedtls_ssl_context *session, const char *name)
{
    bool literal = is_literal(name);
    if (literal)
        slot->cert.address = name;
    return mbedtls_ssl_set_hostname(session, literal ? NULL : name) == 0 ? CURLE_OK
                                                                         : CURLE_OUT_OF_MEMORY;
}

/* Called when a handshake is about to begin. */
static CURLcode set_up_tls(CURL *easy, void *ssl_config, void *context)
{
    struct http_slot *slot = context;
    const struct http_target *target = slot->target;
    bool is_proxy = target->proxy[0] && target->proxy_origin.tls && slot->handshakes == 0;
    struct trust trust = target->trust;
    const char *name = is_proxy                              ? target->proxy_origin.host
                       : slot->own && target->server_name[0] ? target->server_name
                                                             : slot->origin.host;
    (void)easy;
    enter(slot, PHASE_TLS);
    keep_stale_errno(slot);
    mbedtls_ssl_context *session = session_of(slot);
    if (!session)
        return CURLE_SSL_CONNECT_ERROR;
    slot->handshakes++;
    if (is_proxy || !slot->own) {
        trust.client_chain = NULL;
        trust.client_key = NULL;
    }
    trust_apply(&trust, ssl_config);
    memset(&slot->run->result->tls, 0, sizeof(slot->run->result->tls));
    certinfo_init(&slot->cert, &slot->run->result->tls, clock_wall(slot->run->clock), trust.verify,
                  true);
    mbedtls_ssl_conf_verify(ssl_config, certinfo_verify, &slot->cert);
    return set_name(slot, session, name);
}

/* Notes what was negotiated. False when min_tls asks for more. */
static bool session_is_allowed(struct http_slot *slot)
{
    mbedtls_ssl_context *session = session_of(slot);
    if (!session)
        return true;
    certinfo_session(&slot->run->result->tls, session);
    return !slot->target->trust.min_tls13 ||
           mbedtls_ssl_get_version_number(session) >= MBEDTLS_SSL_VERSION_TLS1_3;
}

/* Called when the connection stands and the request is about to be sent. */
static int before_request(void *context, char *peer, char *own, int peer_port, int own_port)
{
    struct http_slot *slot = context;
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    usec_t connected_us = now_of(slot);
    keep_stale_errno(slot);
    slot->connected = true;
    /* The losers of the race between addresses are closed by now. */
    if (slot->hops == 0 && slot->socket_count == 1)
        net_address_facts(slot->run->result,
                          (const struct sockaddr *)(const void *)&slot->sockets[0].peer);
    if (slot->origin.tls && !session_is_allowed(slot)) {
        slot->stop = HTTP_STOP_POLICY;
        return CURL_PREREQFUNC_ABORT;
    }
    http_phases_next(&slot->phases, slot->run->result, PHASE_PROCESSING, connected_us);
    return CURL_PREREQFUNC_OK;
}

/* ---- the answer ---- */

/* True when the head leads on to another hop. What is wrong with it is found out later. */
static bool leads_on(const struct http_slot *slot)
{
    unsigned cursor = 0;
    return slot->target->redirects > 0 && http_redirect_status(slot->answer.status) &&
           http_answer_header(&slot->answer, "location", 8, &cursor) != NULL;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    struct http_slot *slot = context;
    bool was_done = slot->answer.head_done;
    enter(slot, PHASE_TRANSFER);
    if (!http_answer_line(&slot->answer, line, size * count)) {
        slot->stop = HTTP_STOP_LIMIT;
        return CURL_WRITEFUNC_ERROR;
    }
    if (!was_done && slot->answer.head_done && leads_on(slot)) {
        slot->stop = HTTP_STOP_REDIRECT;
        return CURL_WRITEFUNC_ERROR;
    }
    return size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_slot *slot = context;
    if (http_answer_body(&slot->answer, bytes, size * count))
        return size * count;
    slot->stop = HTTP_STOP_LIMIT;
    return CURL_WRITEFUNC_ERROR;
}

/* ---- options ---- */

#define SET(option, value) (curl_easy_setopt(slot->easy, option, value) == CURLE_OK)

static bool prepare_callbacks(struct http_slot *slot)
{
    return SET(CURLOPT_OPENSOCKETFUNCTION, open_socket) && SET(CURLOPT_OPENSOCKETDATA, slot) &&
           SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket) && SET(CURLOPT_CLOSESOCKETDATA, slot) &&
           SET(CURLOPT_SSL_CTX_FUNCTION, set_up_tls) && SET(CURLOPT_SSL_CTX_DATA, slot) &&
           SET(CURLOPT_PREREQFUNCTION, before_request) && SET(CURLOPT_PREREQDATA, slot) &&
           SET(CURLOPT_HEADERFUNCTION, take_header) && SET(CURLOPT_HEADERDATA, slot) &&
           SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, slot);
}

bool http_transfer_prepare(struct http_slot *slot)
{
    char agent[64];
    snprintf(agent, sizeof(agent), "picket/%s", picket_version);
    return prepare_callbacks(slot) && SET(CURLOPT_ERRORBUFFER, slot->error) &&
           SET(CURLOPT_USERAGENT, agent) && SET(CURLOPT_NOSIGNAL, 1L) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(CURLOPT_FILETIME, 1L) &&
           SET(CURLOPT_FRESH_CONNECT, 1L) && SET(CURLOPT_FORBID_REUSE, 1L) &&
           SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L) && SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) &&
           /* Verification is ours (set_up_tls); these keep libcurl from parsing CA files. */
           SET(CURLOPT_SSL_VERIFYPEER, 0L) && SET(CURLOPT_SSL_VERIFYHOST, 0L) &&
           SET(CURLOPT_PROXY_SSL_VERIFYPEER, 0L) && SET(CURLOPT_PROXY_SSL_VERIFYHOST, 0L) &&
           SET(CURLOPT_NOPROXY, "") && SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
           /* What each slot keeps; the library's own 16 and 64 KiB are for downloads. */
           SET(CURLOPT_BUFFERSIZE, 4096L) && SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L) &&
           SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

bool http_transfer_set_run(struct http_slot *slot)
{
    const struct http_target *target = slot->target;
    usec_t left_us = slot->run->deadline_us - now_of(slot);
    /* The library divides this time among addresses that stay silent; the deadline is the runner's
     * and comes first. */
    long left_ms = left_us > 0 ? (long)usec_min(left_us / USEC_PER_MSEC, USEC_PER_DAY / 1000) : 0;
    return SET(CURLOPT_PROXY, target->proxy) && SET(CURLOPT_IPRESOLVE, target->ip_resolve) &&
           SET(CURLOPT_INTERFACE, target->source[0] ? target->source : NULL) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, left_ms + 250);
}

static bool set_method(struct http_slot *slot)
{
    const struct http_target *target = slot->target;
    bool head = strcmp(slot->method, "HEAD") == 0;
    const char *usual = slot->sends_body ? "POST" : "GET";
    const char *custom = head || strcmp(slot->method, usual) == 0 ? NULL : slot->method;
    /* GET first: it undoes what an earlier hop asked for. */
    if (!SET(CURLOPT_HTTPGET, 1L) || !SET(CURLOPT_CUSTOMREQUEST, custom))
        return false;
    if (slot->sends_body)
        return SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)target->body_size) &&
               SET(CURLOPT_POSTFIELDS, target->body ? (const char *)target->body : "");
    return !head || SET(CURLOPT_NOBODY, 1L);
}

bool http_transfer_is_resolved(const struct http_slot *slot)
{
    const struct http_target *target = slot->target;
    if (target->proxy[0] || slot->hops == 0)
        return true;
    if (target->connect_to)
        return slot->own;
    return strcmp(slot->origin.host, target->origin.host) == 0;
}

/* A source address can only reach its own family. */
static bool family_fits(const struct http_target *target, int family)
{
    if (strncmp(target->source, "host!", 5) != 0)
        return true;
    return (strchr(target->source + 5, ':') ? AF_INET6 : AF_INET) == family;
}

bool http_transfer_has_address(const struct http_slot *slot)
{
    for (unsigned i = 0; i < slot->run->address_count; i++)
        if (family_fits(slot->target, slot->run->addresses[i].socket.any.sa_family))
            return true;
    return false;
}

/* "HOST:PORT:ADDRESS,ADDRESS" for the library's table of names. */
static void write_addresses(const struct http_slot *slot, const struct http_origin *key, char *text,
                            size_t size)
{
    bool brackets = strchr(key->host, ':') != NULL;
    size_t used = (size_t)snprintf(text, size, "%s%s%s:%u", brackets ? "[" : "", key->host,
                                   brackets ? "]" : "", key->port);
    char mark = ':';
    for (unsigned i = 0; i < slot->run->address_count; i++) {
        const struct address *address = &slot->run->addresses[i];
        int family = address->socket.any.sa_family;
        const void *bytes = family == AF_INET ? (const void *)&address->socket.v4.sin_addr
                                              : (const void *)&address->socket.v6.sin6_addr;
        char literal[INET6_ADDRSTRLEN];
        if (!family_fits(slot->target, family) ||
            !inet_ntop(family, bytes, literal, sizeof(literal)))
            continue;
        used += (size_t)snprintf(text + used, size - used, family == AF_INET ? "%c%s" : "%c[%s]",
                                 mark, literal);
        mark = ',';
    }
}

/* Takes back what the last hop put into the table of names, and puts this hop's in. */
static bool set_addresses(struct http_slot *slot)
{
    const struct http_target *target = slot->target;
    struct curl_slist *list = slot->resolve;
    unsigned count = 0;
    char *old = slot->resolve_text[0], *new = slot->resolve_text[1];
    if (new[0]) {
        /* Only its "HOST:PORT" is read. */
        snprintf(old, sizeof(slot->resolve_text[0]), "-%.*s",
                 (int)(sizeof(slot->resolve_text[0]) - 2), new);
        list[count++].data = old;
        new[0] = '\0';
    }
    slot->dial_port = 0;
    if (http_transfer_is_resolved(slot)) {
        const struct http_origin *key = target->proxy[0] ? &target->proxy_origin : &slot->origin;
        bool moved = target->proxy[0] || target->connect_to;
        slot->dial_port = moved ? target->dial.port : slot->origin.port;
        write_addresses(slot, key, new, sizeof(slot->resolve_text[1]));
        list[count++].data = new;
    }
    for (unsigned i = 0; i < count; i++)
        list[i].next = i + 1 < count ? &list[i + 1] : NULL;
    return SET(CURLOPT_RESOLVE, count > 0 ? list : NULL);
}

/* The target's headers, with the run's cookies before them. */
static bool set_headers(struct http_slot *slot)
{
    const struct http_target *target = slot->target;
    struct curl_slist *list = slot->own ? target->own_headers : target->other_headers;
    if (http_cookies_line(&slot->cookies, &slot->origin, slot->cookie_line)) {
        slot->cookie_header.data = slot->cookie_line;
        slot->cookie_header.next = list;
        list = &slot->cookie_header;
    }
    return SET(CURLOPT_HTTPHEADER, list);
}

bool http_transfer_set_hop(struct http_slot *slot)
{
    slot->error[0] = '\0';
    return SET(CURLOPT_URL, slot->url) && set_method(slot) && set_addresses(slot) &&
           set_headers(slot);
}

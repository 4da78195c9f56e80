/* One libcurl transfer engine per run slot: its handles, what it waits for, and its buffers.
 *
 * Each slot has a multi handle of its own with one easy handle, so that stepping one run never does
 * the work of another. Both are made when the slot is used first and stay. Connections never
 * outlive a transfer; what is left of an orderly TLS end is ended at once.
 *
 * Memory: CAP_RUNS slots and their body buffers are address space until a slot is used; about
 * 110 KiB each then. Thread rule: the loop's thread. */
#ifndef PICKET_HTTP_SLOT_H
#define PICKET_HTTP_SLOT_H

#include <curl/curl.h>

#include "certinfo.h"
#include "curl_waits.h"
#include "http_answer.h"
#include "http_cookies.h"
#include "http_judge.h"
#include "http_phases.h"
#include "http_target.h"
#include "probe.h"

enum { HTTP_SLOT_SOCKETS = CURL_WAITS_SOCKETS };

/* Why a callback of ours ended a transfer. */
enum http_stop {
    HTTP_STOP_NONE,
    HTTP_STOP_REDIRECT, /* the head names the next hop, the body does not matter */
    HTTP_STOP_LIMIT,    /* answer.end says which */
    HTTP_STOP_POLICY,   /* the session is not what min_tls asks for: no request is sent */
};

/* A socket of ours, and whom it was opened to. */
struct http_socket {
    int fd;
    struct sockaddr_storage peer;
};

struct http_slot {
    CURLM *multi;
    CURL *easy;
    bool transferring; /* the easy handle is in the multi */
    struct curl_waits waits;
    struct http_socket sockets[HTTP_SLOT_SOCKETS];
    unsigned socket_count;

    /* Of the run in progress. */
    const struct run *run;
    const struct http_target *target;
    struct http_phases phases;
    struct certinfo cert;
    unsigned hops;      /* redirects followed so far */
    const char *method; /* of this hop */
    bool sends_body;
    struct http_cookies cookies;
    bool searching; /* the body of the last hop, in turns: the transfer is over */
    struct http_search search;

    /* Of the hop in progress. */
    char url[HTTP_URL_BYTES];
    struct http_origin origin;
    bool own;            /* the configured origin: credentials may be sent */
    uint16_t dial_port;  /* 0: the addresses are not the run's, libcurl resolves */
    unsigned handshakes; /* begun: a proxy's comes before the target's */
    bool connected, exhausted;
    long stale_errno; /* left by an address that was given up */
    enum http_stop stop;
    struct http_redirect next;
    struct http_answer answer;

    char error[CURL_ERROR_SIZE];
    char resolve_text[2][HTTP_HOST_BYTES + 512];
    char cookie_line[HTTP_COOKIE_LINE_BYTES];
    struct curl_slist cookie_header; /* goes before the target's headers */
    struct curl_slist resolve[2];    /* "-old entry", "new entry": nothing stays between runs */
};

/* One user more; body buffers of at least `body_bytes` (0: none are read). Not while a run is in
 * progress. */
MUST_CHECK enum error http_slots_acquire(size_t body_bytes);
void http_slots_release(void);
/* A slot with its handles, NULL when they cannot be made. Its body buffer is written to *body. */
struct http_slot *http_slot_of(const struct run *run, uint8_t **body);

/* Begins and ends the transfer that was set up on slot->easy. */
bool http_slot_begin(struct http_slot *slot);
/* Ends a transfer at any moment, closes its sockets. Twice is fine. */
void http_slot_end(struct http_slot *slot);
/* One turn: what is ready and what is due. True when the transfer is over; *code then. */
bool http_slot_turn(struct http_slot *slot, const struct waits *ready, CURLcode *code);
void http_slot_waits(const struct http_slot *slot, struct waits *waits);

/* Bookkeeping of sockets, for the callbacks that open and close them. */
bool http_slot_add_socket(struct http_slot *slot, int fd, const struct sockaddr *peer,
                          socklen_t length);
void http_slot_drop_socket(struct http_slot *slot, int fd);

#endif

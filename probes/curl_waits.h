/* What a libcurl multi handle waits for, told to the loop: libcurl's socket and timer callbacks
 * only write down, the work is done in curl_waits_turn(), one slice of it (curl_slice.h) for each
 * descriptor. Whatever of libcurl may read from a socket is called here. For the http probe and the
 * push. Source: libcurl's curl_multi_socket_action(3).
 *
 * Thread rule: the loop's thread. Memory: the struct. */
#ifndef PICKET_CURL_WAITS_H
#define PICKET_CURL_WAITS_H

#include <curl/curl.h>

#include "clock.h"
#include "waits.h"

enum { CURL_WAITS_SOCKETS = 16 };

struct curl_waits {
    CURLM *multi;              /* borrowed */
    const struct clock *clock; /* borrowed */
    struct pollfd watched[CURL_WAITS_SOCKETS];
    unsigned count;
    usec_t wake_us; /* when libcurl wants a turn without an event */
    /* Optional: called with a descriptor that has something to read, before libcurl reads it. */
    void (*readable)(void *context, int fd);
    void *context;
};

/* Attaches to a multi handle, which must go before the struct does. False: libcurl refuses. */
MUST_CHECK bool curl_waits_attach(struct curl_waits *waits, CURLM *multi,
                                  const struct clock *clock);
/* Adds what libcurl waits for. */
void curl_waits_tell(const struct curl_waits *waits, struct waits *out);
/* One turn: what is ready (NULL: nothing) and what is due. True when a transfer is over; then *code
 * has its end and the easy handle is to be taken out of the multi handle. */
bool curl_waits_turn(struct curl_waits *waits, const struct waits *ready, CURLcode *code);
/* libcurl's turn for one descriptor, with CURL_CSELECT_ bits. */
void curl_waits_act(struct curl_waits *waits, curl_socket_t fd, int events);
/* Takes the easy handle out of the multi handle, at any moment: nothing is due after. */
void curl_waits_take_out(struct curl_waits *waits, CURL *easy);
/* Frees both handles, with what connections are left. NULL is fine. */
void curl_waits_free(CURLM *multi, CURL *easy);

#endif

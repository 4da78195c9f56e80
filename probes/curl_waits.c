#include "curl_waits.h"

#include <string.h>

#include "curl_slice.h"

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct curl_waits *waits = context;
    unsigned i = 0;
    (void)easy;
    (void)unused;
    while (i < waits->count && waits->watched[i].fd != fd) {
        i++;
    }
    if (what == CURL_POLL_REMOVE) {
        if (i < waits->count) {
            waits->watched[i] = waits->watched[--waits->count];
        }
        return 0;
    }
    if (i == CURL_WAITS_SOCKETS) {
        return 0; /* not watched: the transfer ends by its deadline */
    }
    int events = (what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0);
    waits->watched[i] = (struct pollfd){.fd = fd, .events = (short)events};
    if (i == waits->count) {
        waits->count++;
    }
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct curl_waits *waits = context;
    (void)multi;
    waits->wake_us = timeout_ms < 0
                         ? USEC_NEVER
                         : clock_monotonic_us(waits->clock) + (usec_t)timeout_ms * USEC_PER_MSEC;
    return 0;
}

bool curl_waits_attach(struct curl_waits *waits, CURLM *multi, const struct clock *clock)
{
    *waits = (struct curl_waits){.multi = multi, .clock = clock, .wake_us = USEC_NEVER};
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, waits) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, waits) == CURLM_OK;
}

void curl_waits_tell(const struct curl_waits *waits, struct waits *out)
{
    for (unsigned i = 0; i < waits->count; i++) {
        waits_add(out, waits->watched[i].fd, waits->watched[i].events);
    }
    waits_until(out, waits->wake_us);
}

void curl_waits_act(struct curl_waits *waits, curl_socket_t fd, int events)
{
    int running;
    curl_slice_begin();
    (void)curl_multi_socket_action(waits->multi, fd, events, &running);
    curl_slice_end();
}

void curl_waits_take_out(struct curl_waits *waits, CURL *easy)
{
    curl_slice_begin();
    (void)curl_multi_remove_handle(waits->multi, easy);
    curl_slice_end();
    waits->wake_us = USEC_NEVER;
}

void curl_waits_free(CURLM *multi, CURL *easy)
{
    curl_slice_begin();
    curl_easy_cleanup(easy);
    (void)curl_multi_cleanup(multi);
    curl_slice_end();
}

/* The list is copied first: libcurl changes it while it works. */
static void act_on_ready(struct curl_waits *waits, const struct waits *ready)
{
    struct pollfd watched[CURL_WAITS_SOCKETS];
    unsigned count = waits->count;
    memcpy(watched, waits->watched, count * sizeof watched[0]);
    for (unsigned i = 0; i < count; i++) {
        short came = waits_ready(ready, watched[i].fd);
        if (came == 0) {
            continue;
        }
        if ((came & POLLIN) && waits->readable) {
            waits->readable(waits->context, watched[i].fd);
        }
        curl_waits_act(waits, watched[i].fd,
                       (came & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
                           (came & POLLOUT ? CURL_CSELECT_OUT : 0) |
                           (came & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0));
    }
}

bool curl_waits_turn(struct curl_waits *waits, const struct waits *ready, CURLcode *code)
{
    int left;
    if (ready) {
        act_on_ready(waits, ready);
    }
    if (clock_monotonic_us(waits->clock) >= waits->wake_us) {
        waits->wake_us = USEC_NEVER; /* before: the call may set the next one */
        curl_waits_act(waits, CURL_SOCKET_TIMEOUT, 0);
    }
    const CURLMsg *message = curl_multi_info_read(waits->multi, &left);
    if (!message || message->msg != CURLMSG_DONE) {
        return false;
    }
    *code = message->data.result;
    return true;
}

/* The status page over HTTP: GET and HEAD of a few paths, read-only (libmicrohttpd).
 *
 *   /             the page for a browser (page.h), its style sheet and script beside it
 *   /status.json  what `status --format json` shows
 *   /metrics      the series as they are pushed, in the text format, for a scrape on the spot
 *   /-/healthy    200 while the loop turns
 *   /-/ready      200 once totals are known and probes run, before and at the end 503
 *
 * Nobody can cost the agent more than a little: PAGE_CONNECTIONS at once, further ones wait in the
 * backlog; one request each; PAGE_CONNECTION_US for it altogether, whatever the client does; what
 * was rendered less than PAGE_FRESH_US ago is sent again instead of rendered anew. Who comes when
 * all answers are being read by slow clients gets 503 with Retry-After. There is no password: the
 * address to listen on decides who may read.
 *
 * Memory: PAGE_ANSWERS buffers, sized by the configuration and touched as far as they are filled,
 * and what the library and the kernel take for each connection, all bounded. Thread rule: the
 * loop's thread. */
#ifndef PICKET_PAGE_SERVER_H
#define PICKET_PAGE_SERVER_H

#include "agent.h"
#include "waits.h"

enum { PAGE_CONNECTIONS = 8, PAGE_ANSWERS = 4 };
#define PAGE_CONNECTION_US (15 * USEC_PER_SEC)
#define PAGE_FRESH_US      USEC_PER_SEC

struct page_answer {
    struct buffer text; /* memory of its own */
    unsigned document;  /* what it is an answer to */
    unsigned readers;   /* connections it is being sent on; it does not change meanwhile */
    usec_t rendered_us; /* 0: nothing yet */
};

struct page_connection {
    int fd; /* -1: none */
    usec_t until_us;
};

struct page_server {
    struct agent *agent;
    struct MHD_Daemon *http; /* NULL: there is no page */
    int listener;            /* -1: none */
    usec_t now_us, wake_us;
    struct page_answer answers[PAGE_ANSWERS];
    struct page_connection connections[PAGE_CONNECTIONS];
};

/* No listener, no page; for page_server_close(). */
void page_server_init(struct page_server *server);
/* True when [status] listen is unset, or names an address; else the error is reported. */
bool page_server_check(const struct config *config, struct config_errors *errors);
/* Listens on [status] listen, whether or not the address is there already; does nothing when it is
 * unset. Before the sandbox, which listens on nothing more. ERROR_IO with `why`. */
MUST_CHECK enum error page_server_listen(struct page_server *server, const struct config *config,
                                         char *why, size_t why_size);
/* Begins to answer, if it listens. ERROR_EXHAUSTED with `why`: then it has been closed. */
MUST_CHECK enum error page_server_open(struct page_server *server, struct agent *agent, char *why,
                                       size_t why_size);
void page_server_close(struct page_server *server);
void page_server_waits(const struct page_server *server, struct waits *waits);
void page_server_step(struct page_server *server, const struct waits *ready, usec_t now_us);

#endif

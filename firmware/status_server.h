/* The status socket: a local unix stream socket that answers one question per connection.
 *
 * The client sends one word and a newline: `text`, `colour` or `json`. The answer is one line with
 * the exit code of `status` (0 or 1), then the rendering, then the end of the stream. One client is
 * served at a time; it has a quarter of a second to ask and one second to read. Further ones wait
 * in the backlog. Read-only, mode 0660. Thread rule: the loop's thread. */
#ifndef PICKET_STATUS_SERVER_H
#define PICKET_STATUS_SERVER_H

#include "agent.h"
#include "waits.h"

struct status_server {
    const struct agent *agent;
    char path[108]; /* sun_path; "" when there is no socket */
    int listener, client;
    usec_t client_until_us;
    usec_t accept_after_us; /* no client is taken before */
    char question[16];
    size_t question_length;
    struct buffer answer; /* memory of its own, allocated at open */
    size_t sent;          /* of the answer; the answer is being sent while answer.used > 0 */
};

/* Binds PATH, creating its folder (mode 0755) when that is missing. A socket left by a dead agent
 * is replaced; ERROR_DENIED with `why` when another agent answers on it, ERROR_IO for the rest. */
MUST_CHECK enum error status_server_open(struct status_server *server, const char *path,
                                         const struct agent *agent, char *why, size_t why_size);
void status_server_close(struct status_server *server);
void status_server_waits(const struct status_server *server, struct waits *waits, usec_t now_us);
void status_server_step(struct status_server *server, const struct waits *ready, usec_t now_us);

#endif

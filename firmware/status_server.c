#include "status_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "status.h"

#define QUESTION_TIME_US (250 * USEC_PER_MSEC)
#define ANSWER_TIME_US   USEC_PER_SEC
#define BACKLOG          16
#define ACCEPT_PAUSE_US  (100 * USEC_PER_MSEC)
#define CODE_BYTES       2 /* the exit code and its line end */

/* EAGAIN: its backlog is full of clients, but there is somebody who listens. */
static bool another_agent_answers(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answers =
        fd >= 0 &&
        (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
    if (fd >= 0) {
        close(fd);
    }
    return answers;
}

/* Only the last folder is made: a missing one above it is a mistake in the path. */
static void make_folder(const char *path)
{
    char folder[108];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        (void)mkdir(folder, 0755); /* bind() says what is wrong if this did not help */
    }
}

static enum error listen_on(struct status_server *server, char *why, size_t why_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, server->path, sizeof address.sun_path);
    make_folder(server->path);
    if (another_agent_answers(&address)) {
        snprintf(why, why_size, "another agent is running: it answers on %s", server->path);
        return ERROR_DENIED;
    }
    struct stat status;
    if (lstat(server->path, &status) == 0 && S_ISSOCK(status.st_mode)) {
        (void)unlink(server->path);
    }
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old_mask = umask(0117);
    bool bound = server->listener >= 0 &&
                 bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                 listen(server->listener, BACKLOG) == 0;
    int bind_errno = errno;
    umask(old_mask);
    if (!bound) {
        snprintf(why, why_size, "status socket %s: %s", server->path, strerror(bind_errno));
        return ERROR_IO;
    }
    return ERROR_NONE;
}

enum error status_server_open(struct status_server *server, const char *path,
                              const struct agent *agent, char *why, size_t why_size)
{
    *server = (struct status_server){.agent = agent, .listener = -1, .client = -1};
    if (strlen(path) >= sizeof server->path) {
        snprintf(why, why_size, "status socket path is over %zu bytes", sizeof server->path - 1);
        return ERROR_RANGE;
    }
    strncpy(server->path, path, sizeof server->path - 1);
    enum error error = listen_on(server, why, why_size);
    if (error) {
        if (server->listener >= 0) {
            close(server->listener);
        }
        *server = (struct status_server){.listener = -1, .client = -1};
        return error;
    }
    size_t size = CODE_BYTES + status_bound(agent->config);
    void *memory = malloc(size);
    if (!memory) {
        status_server_close(server);
        snprintf(why, why_size, "no memory for the status answer");
        return ERROR_EXHAUSTED;
    }
    buffer_init(&server->answer, memory, size);
    return ERROR_NONE;
}

static void end_client(struct status_server *server)
{
    if (server->client >= 0) {
        close(server->client);
        server->client = -1;
    }
    server->question_length = 0;
    server->answer.used = 0;
    server->sent = 0;
}

void status_server_close(struct status_server *server)
{
    end_client(server);
    if (server->listener >= 0) {
        close(server->listener);
        (void)unlink(server->path);
    }
    free(server->answer.bytes);
    *server = (struct status_server){.listener = -1, .client = -1};
}

void status_server_waits(const struct status_server *server, struct waits *waits, usec_t now_us)
{
    if (server->client < 0 && server->accept_after_us > now_us) {
        waits_until(waits, server->accept_after_us);
        return;
    }
    if (server->client < 0) {
        waits_add(waits, server->listener, POLLIN);
        return;
    }
    waits_add(waits, server->client, server->answer.used > 0 ? POLLOUT : POLLIN);
    waits_until(waits, server->client_until_us);
}

static void render(struct status_server *server, enum status_format format, usec_t now_us)
{
    buffer_append_string(&server->answer, status_failing(server->agent) ? "1\n" : "0\n");
    status_render(server->agent, now_us, format, &server->answer);
    server->client_until_us = now_us + ANSWER_TIME_US;
    if (server->answer.used > server->answer.size) {
        server->answer.used = server->answer.size;
    }
}

static void read_question(struct status_server *server, usec_t now_us)
{
    char *end = server->question + server->question_length;
    size_t room = sizeof server->question - 1 - server->question_length;
    ssize_t count = recv(server->client, end, room, 0);
    if (count <= 0) {
        if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            end_client(server);
        }
        return;
    }
    server->question_length += (size_t)count;
    server->question[server->question_length] = '\0';
    if (strcmp(server->question, "text\n") == 0) {
        render(server, STATUS_TEXT, now_us);
    } else if (strcmp(server->question, "colour\n") == 0) {
        render(server, STATUS_TEXT_COLOUR, now_us);
    } else if (strcmp(server->question, "json\n") == 0) {
        render(server, STATUS_JSON, now_us);
    } else if (server->question_length + 1 == sizeof server->question ||
               strchr(server->question, '\n')) {
        end_client(server);
    }
}

static void send_answer(struct status_server *server)
{
    ssize_t count = send(server->client, server->answer.bytes + server->sent,
                         server->answer.used - server->sent, MSG_NOSIGNAL);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            end_client(server);
        }
        return;
    }
    server->sent += (size_t)count;
    if (server->sent == server->answer.used) {
        end_client(server);
    }
}

/* A client that cannot be taken (no descriptor is left) keeps the listener readable: without a
 * pause the loop would spin. */
static void accept_client(struct status_server *server, usec_t now_us)
{
    server->client = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    server->client_until_us = now_us + QUESTION_TIME_US;
    server->accept_after_us = server->client < 0 ? now_us + ACCEPT_PAUSE_US : 0;
}

void status_server_step(struct status_server *server, const struct waits *ready, usec_t now_us)
{
    if (server->client < 0) {
        if (waits_ready(ready, server->listener)) {
            accept_client(server, now_us);
        }
        return;
    }
    if (now_us >= server->client_until_us) {
        end_client(server);
    } else if (waits_ready(ready, server->client)) {
        if (server->answer.used == 0) {
            read_question(server, now_us);
        } else {
            send_answer(server);
        }
    }
}

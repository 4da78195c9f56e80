/* The http target: a page to log in to, and paths that misbehave by themselves:
 *   /            200 "Sign in"
 *   /status/N    answers with status N
 *   /delay/MS    200 after MS milliseconds
 *   /bytes/N     200 with N bytes
 *   /redirect/N  N redirects, then 200
 *   /drip        200, one byte every 200 ms
 *   /hang        nothing
 *   /truncated   announces more than it sends
 *   /lab         the state of every server, as JSON
 *   /lab/SERVER/MODE  changes a server's mode */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"
#include "lab_http_request.h"

static const char page[] = "<!doctype html><title>Portal</title><h1>Sign in</h1>\n";

static bool respond(int fd, enum lab_mode mode, int status, const char *header, const char *body)
{
    char text[8192];
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 %d Lab\r\nServer: picket-lab\r\nContent-Length: %zu\r\n"
                          "Content-Type: text/html\r\n%s\r\n%s",
                          status, strlen(body), header, body);
    return length > 0 && (size_t)length < sizeof text &&
           lab_send_in_mode(fd, mode, text, (size_t)length);
}

static bool respond_bytes(int fd, unsigned long count)
{
    char head[128], block[4096];
    int length =
        snprintf(head, sizeof head, "HTTP/1.1 200 Lab\r\nContent-Length: %lu\r\n\r\n", count);
    memset(block, 'x', sizeof block);
    bool good = lab_send(fd, head, (size_t)length);
    while (good && count > 0) {
        size_t part = count < sizeof block ? count : sizeof block;
        good = lab_send(fd, block, part);
        count -= part;
    }
    return good;
}

static bool control(struct lab *lab, int fd, const char *path)
{
    char server[32], mode[32], text[4096];
    if (sscanf(path, "/lab/%31[^/]/%31s", server, mode) == 2 && !lab_set_mode(lab, server, mode)) {
        return respond(fd, LAB_OK, 404, "", "no such server or mode\n");
    }
    lab_state_json(lab, text, sizeof text);
    return respond(fd, LAB_OK, 200, "", text);
}

static unsigned long number_behind(const char *path, const char *prefix)
{
    return strtoul(path + strlen(prefix), NULL, 10);
}

static bool starts_with(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool respond_redirect(int fd, unsigned long left)
{
    char header[64];
    snprintf(header, sizeof header, "Location: /redirect/%lu\r\n", left > 0 ? left - 1 : 0);
    return left > 0 ? respond(fd, LAB_OK, 302, header, "") : respond(fd, LAB_OK, 200, "", page);
}

/* The paths that behave the same whatever the mode. False: the connection ends. */
static bool respond_to_path(struct lab_server *server, int fd, const char *path)
{
    if (starts_with(path, "/status/")) {
        return respond(fd, LAB_OK, (int)(number_behind(path, "/status/") % 1000), "", page);
    } else if (starts_with(path, "/delay/")) {
        lab_sleep_ms((unsigned)(number_behind(path, "/delay/") % 60000));
        return respond(fd, LAB_OK, 200, "", page);
    } else if (starts_with(path, "/bytes/")) {
        return respond_bytes(fd, number_behind(path, "/bytes/") % (1ul << 31));
    } else if (starts_with(path, "/redirect/")) {
        return respond_redirect(fd, number_behind(path, "/redirect/"));
    } else if (starts_with(path, "/drip")) {
        return respond(fd, LAB_DRIP, 200, "", page);
    } else if (starts_with(path, "/hang")) {
        lab_misbehave(server, fd, LAB_HANG);
        return false;
    } else if (starts_with(path, "/truncated")) {
        static const char text[] = "HTTP/1.1 200 Lab\r\nContent-Length: 1000\r\n\r\nshort";
        lab_send(fd, text, sizeof text - 1);
        return false;
    }
    return respond(fd, LAB_OK, 200, "", page);
}

static bool serve_request(struct lab_server *server, int fd, const struct lab_http_request *request)
{
    enum lab_mode mode = (enum lab_mode)atomic_load(&server->mode);
    if (starts_with(request->path, "/lab")) {
        return control(server->lab, fd, request->path);
    }
    if (lab_misbehave(server, fd, mode)) {
        return false;
    }
    atomic_fetch_add(mode == LAB_OK ? &server->served : &server->misbehaved, 1);
    switch (mode) {
    case LAB_ERROR:
    case LAB_BUSY:
        return respond(fd, mode, 503, "", "out of order\n");
    case LAB_REDIRECT:
        return respond(fd, mode, 302, "Location: /\r\n", "");
    case LAB_SLOW:
    case LAB_DRIP:
        return respond(fd, mode, 200, "", page);
    default:
        return respond_to_path(server, fd, request->path);
    }
}

void lab_http_serve(struct lab_server *server, int fd)
{
    struct lab_http_request request;
    bool more = true;
    while (more && lab_http_request_read(fd, &request)) {
        more = serve_request(server, fd, &request) && request.keep_alive;
        lab_http_request_free(&request);
    }
}

#include "lab_http_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define BODY_MAX (16u << 20)

/* Reads up to and with the empty line, byte by byte at the end only: what follows it (the body) is
 * left in the socket by peeking first. */
static bool read_head(int fd, char *head, size_t size)
{
    size_t used = 0;
    while (used + 1 < size) {
        ssize_t seen = recv(fd, head + used, size - 1 - used, MSG_PEEK);
        if (seen <= 0) {
            return false;
        }
        head[used + (size_t)seen] = '\0';
        size_t from = used > 3 ? used - 3 : 0;
        const char *end = strstr(head + from, "\r\n\r\n");
        size_t take = end ? (size_t)(end + 4 - (head + used)) : (size_t)seen;
        if (recv(fd, head + used, take, 0) != (ssize_t)take) {
            return false;
        }
        used += take;
        head[used] = '\0';
        if (end) {
            return true;
        }
    }
    return false;
}

bool lab_http_request_header(const struct lab_http_request *request, const char *name, char *value,
                             size_t size)
{
    size_t length = strlen(name);
    for (const char *line = strstr(request->head, "\r\n"); line && line[2];
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            const char *from = line + 3 + length;
            from += strspn(from, " \t");
            snprintf(value, size, "%.*s", (int)strcspn(from, "\r"), from);
            return true;
        }
    }
    return false;
}

static bool read_body(int fd, struct lab_http_request *request)
{
    char text[32] = "0";
    lab_http_request_header(request, "Content-Length", text, sizeof text);
    unsigned long long size = strtoull(text, NULL, 10);
    if (size > BODY_MAX) {
        return false;
    }
    request->body = malloc(size + 1);
    if (!request->body) {
        return false;
    }
    while (request->body_size < size) {
        ssize_t count = recv(fd, request->body + request->body_size, size - request->body_size, 0);
        if (count <= 0) {
            return false;
        }
        request->body_size += (size_t)count;
    }
    request->body[size] = '\0';
    return true;
}

bool lab_http_request_read(int fd, struct lab_http_request *request)
{
    char version[16] = "", connection[32] = "";
    request->body = NULL;
    request->body_size = 0;
    request->content_type[0] = '\0';
    if (!read_head(fd, request->head, sizeof request->head) ||
        sscanf(request->head, "%15s %2047s %15s", request->method, request->path, version) != 3 ||
        strncmp(version, "HTTP/1.", 7) != 0 || !read_body(fd, request)) {
        lab_http_request_free(request);
        return false;
    }
    lab_http_request_header(request, "Content-Type", request->content_type,
                            sizeof request->content_type);
    lab_http_request_header(request, "Connection", connection, sizeof connection);
    request->keep_alive = strcmp(version, "HTTP/1.1") == 0 && strcasecmp(connection, "close") != 0;
    return true;
}

void lab_http_request_free(struct lab_http_request *request)
{
    free(request->body);
    request->body = NULL;
}

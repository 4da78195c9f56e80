/* One HTTP/1.1 request read from a blocking socket, for the lab's http target and push receiver. */
#ifndef PICKET_LAB_HTTP_REQUEST_H
#define PICKET_LAB_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct lab_http_request {
    char method[16];
    char path[2048];
    char content_type[192];
    char head[16384]; /* the request line and header, NUL-terminated */
    char *body;       /* allocated; free with lab_http_request_free() */
    size_t body_size;
    bool keep_alive;
};

/* False when the peer closed or what it sent is no request of at most 16 KiB header and 16 MiB
 * body with Content-Length. */
bool lab_http_request_read(int fd, struct lab_http_request *request);
void lab_http_request_free(struct lab_http_request *request);
/* The value of a header (case-insensitive name) copied to `value`, or false. */
bool lab_http_request_header(const struct lab_http_request *request, const char *name, char *value,
                             size_t size);

#endif

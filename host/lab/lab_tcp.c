/* The tcp target: enough of SMTP for a dialog with STARTTLS. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "lab_tls.h"

struct line_source {
    int fd;
    struct lab_tls *tls; /* NULL: in clear */
};

static int read_byte(struct line_source *source, char *byte)
{
    return source->tls ? lab_tls_read(source->tls, byte, 1) : (int)recv(source->fd, byte, 1, 0);
}

static bool read_line(struct line_source *source, char *line, size_t size)
{
    size_t used = 0;
    char byte;
    while (used + 1 < size && read_byte(source, &byte) == 1) {
        if (byte == '\n') {
            line[used] = '\0';
            return true;
        }
        line[used++] = byte;
    }
    return false;
}

static bool say(struct line_source *source, enum lab_mode mode, const char *text)
{
    return source->tls ? lab_tls_write(source->tls, text, strlen(text)) > 0
                       : lab_send_in_mode(source->fd, mode, text, strlen(text));
}

/* Answers one command. False: the connection ends. */
static bool answer(struct lab_server *server, struct line_source *source, struct lab_tls *tls,
                   const char *line)
{
    if (strncasecmp(line, "EHLO", 4) == 0) {
        return say(source, LAB_OK,
                   source->tls ? "250-lab.picket.test\r\n250 8BITMIME\r\n"
                               : "250-lab.picket.test\r\n250-8BITMIME\r\n250 STARTTLS\r\n");
    } else if (strncasecmp(line, "STARTTLS", 8) == 0 && !source->tls) {
        if (!say(source, LAB_OK, "220 go ahead\r\n") ||
            !lab_tls_accept(tls, server->lab->certs, server->id, &source->fd)) {
            return false;
        }
        source->tls = tls;
        return true;
    } else if (strncasecmp(line, "QUIT", 4) == 0) {
        say(source, LAB_OK, "221 bye\r\n");
        return false;
    }
    return say(source, LAB_OK, "502 not here\r\n");
}

void lab_tcp_serve(struct lab_server *server, int fd)
{
    enum lab_mode mode = (enum lab_mode)atomic_load(&server->mode);
    struct line_source source = {.fd = fd};
    struct lab_tls tls = {0};
    char line[512];
    if (lab_misbehave(server, fd, mode)) {
        return;
    }
    bool refuses = mode == LAB_ERROR || mode == LAB_BUSY || mode == LAB_REDIRECT;
    atomic_fetch_add(mode == LAB_OK ? &server->served : &server->misbehaved, 1);
    if (!say(&source, mode,
             refuses ? "554 out of order\r\n" : "220 lab.picket.test ESMTP picket-lab\r\n") ||
        refuses) {
        return;
    }
    while (read_line(&source, line, sizeof line) && answer(server, &source, &tls, line)) {
    }
    if (source.tls) {
        lab_tls_end(&tls);
    }
}

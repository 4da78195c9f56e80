#include "curl_slice.h"

/* What libcurl set: one function for all its sessions; what differs is the context it is given. */
static mbedtls_ssl_recv_t *receive;
static struct {
    size_t bytes;
    unsigned reads;
} left;

static int receive_slice(void *context, unsigned char *bytes, size_t size)
{
    size_t count = size < left.bytes ? size : left.bytes;
    if (count == 0 || left.reads == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    left.reads--;
    int received = receive(context, bytes, count);
    left.bytes -= received > 0 ? (size_t)received : 0;
    return received;
}

bool curl_slice_attach(mbedtls_ssl_context *session)
{
    mbedtls_ssl_recv_t *theirs = session->MBEDTLS_PRIVATE(f_recv);
    if (!theirs) {
        return false;
    }
    if (theirs != receive_slice) {
        receive = theirs;
        mbedtls_ssl_set_bio(session, session->MBEDTLS_PRIVATE(p_bio),
                            session->MBEDTLS_PRIVATE(f_send), receive_slice, NULL);
    }
    return true;
}

void curl_slice_renew(void)
{
    left.bytes = CURL_SLICE_BYTES;
    left.reads = CURL_SLICE_READS;
}

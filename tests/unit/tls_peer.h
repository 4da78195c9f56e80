/* A TLS server over one end of a socket pair or a connection, in the same thread: the test steps it
 * between the steps of the client. mbedTLS on both sides, so no process and no waiting. */
#ifndef PICKET_TLS_PEER_H
#define PICKET_TLS_PEER_H

#include <errno.h>
#include <sys/socket.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include "cert_maker.h"

struct tls_peer {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    int fd;
    char sni[256]; /* the name the client asked for */
    int result;    /* of the last step */
};

static inline int tls_peer_send(void *context, const unsigned char *bytes, size_t count)
{
    ssize_t sent = send(*(int *)context, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0         ? (int)sent
           : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE
                             : MBEDTLS_ERR_NET_SEND_FAILED;
}

static inline int tls_peer_receive(void *context, unsigned char *bytes, size_t size)
{
    ssize_t received = recv(*(int *)context, bytes, size, MSG_DONTWAIT);
    return received >= 0     ? (int)received
           : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ
                             : MBEDTLS_ERR_NET_RECV_FAILED;
}

static inline int tls_peer_keep_sni(void *context, mbedtls_ssl_context *ssl,
                                    const unsigned char *name, size_t length)
{
    struct tls_peer *peer = context;
    (void)ssl;
    if (length < sizeof peer->sni) {
        memcpy(peer->sni, name, length);
        peer->sni[length] = '\0';
    }
    return 0;
}

/* `newest` is the newest version the server speaks. `client_ca` set: it wants a client certificate
 * of that CA. `peer` must not move. */
static inline void tls_peer_start(struct tls_peer *peer, int fd, struct made *made,
                                  mbedtls_ssl_protocol_version newest, mbedtls_x509_crt *client_ca)
{
    memset(peer, 0, sizeof *peer);
    peer->fd = fd;
    mbedtls_ssl_init(&peer->ssl);
    mbedtls_ssl_config_init(&peer->config);
    made_check(mbedtls_ssl_config_defaults(&peer->config, MBEDTLS_SSL_IS_SERVER,
                                           MBEDTLS_SSL_TRANSPORT_STREAM,
                                           MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&peer->config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_max_tls_version(&peer->config, newest);
    mbedtls_ssl_conf_sni(&peer->config, tls_peer_keep_sni, peer);
    if (client_ca != NULL) {
        mbedtls_ssl_conf_authmode(&peer->config, MBEDTLS_SSL_VERIFY_REQUIRED);
        mbedtls_ssl_conf_ca_chain(&peer->config, client_ca, NULL);
    }
    made_check(mbedtls_ssl_conf_own_cert(&peer->config, &made->certificate, &made->key) == 0);
    made_check(mbedtls_ssl_setup(&peer->ssl, &peer->config) == 0);
    mbedtls_ssl_set_bio(&peer->ssl, &peer->fd, tls_peer_send, tls_peer_receive, NULL);
}

/* As far as it gets without waiting. True when the handshake is over. */
static inline bool tls_peer_step(struct tls_peer *peer)
{
    if (!mbedtls_ssl_is_handshake_over(&peer->ssl)) {
        peer->result = mbedtls_ssl_handshake(&peer->ssl);
    }
    return mbedtls_ssl_is_handshake_over(&peer->ssl);
}

static inline void tls_peer_end(struct tls_peer *peer)
{
    mbedtls_ssl_free(&peer->ssl);
    mbedtls_ssl_config_free(&peer->config);
}

#endif

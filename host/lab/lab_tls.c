#include "lab_tls.h"

#include <errno.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define NAME       "lab.picket.test"
#define CERT_KINDS 4 /* LAB_TLS .. LAB_TLS_WRONGNAME */
#define DAY        (24 * 3600)

struct identity {
    mbedtls_pk_context key;
    mbedtls_x509_crt certificate;
};

struct lab_certs {
    struct identity ca;
    struct identity servers[CERT_KINDS];
};

struct request {
    const char *subject; /* X.509 name */
    const char *dns;     /* NULL: no SAN */
    int not_before_days, not_after_days;
    bool is_ca;
};

static bool make_key(mbedtls_pk_context *key)
{
    mbedtls_pk_init(key);
    return mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
           mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
                               mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) == 0;
}

static void date_text(int days, char text[16])
{
    time_t time_then = time(NULL) + (time_t)days * DAY;
    struct tm utc;
    gmtime_r(&time_then, &utc);
    strftime(text, 16, "%Y%m%d%H%M%S", &utc);
}

static int set_names(mbedtls_x509write_cert *writer, const struct request *request)
{
    unsigned char loopback[4] = {127, 0, 0, 1};
    mbedtls_x509_san_list address = {.node = {.type = MBEDTLS_X509_SAN_IP_ADDRESS}};
    mbedtls_x509_san_list dns = {.node = {.type = MBEDTLS_X509_SAN_DNS_NAME}, .next = &address};
    address.node.san.unstructured_name.p = loopback;
    address.node.san.unstructured_name.len = sizeof loopback;
    if (!request->dns) {
        return 0;
    }
    dns.node.san.unstructured_name.p = (unsigned char *)(uintptr_t)request->dns;
    dns.node.san.unstructured_name.len = strlen(request->dns);
    /* The wrong name has no address either. */
    dns.next = strcmp(request->dns, NAME) == 0 ? &address : NULL;
    return mbedtls_x509write_crt_set_subject_alternative_name(writer, &dns);
}

/* Signs `identity`'s key with `issuer` (itself when NULL) and parses the result back. */
static int make_certificate(struct identity *identity, const struct identity *issuer,
                            const char *issuer_name, const struct request *request)
{
    mbedtls_x509write_cert writer;
    unsigned char pem[4096], serial[8];
    char from[16], to[16];
    date_text(request->not_before_days, from);
    date_text(request->not_after_days, to);
    psa_generate_random(serial, sizeof serial);
    serial[0] &= 0x7f;
    mbedtls_x509write_crt_init(&writer);
    mbedtls_x509_crt_init(&identity->certificate);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, &identity->key);
    mbedtls_x509write_crt_set_issuer_key(
        &writer, (mbedtls_pk_context *)(uintptr_t)(issuer ? &issuer->key : &identity->key));
    int code = mbedtls_x509write_crt_set_subject_name(&writer, request->subject);
    code = code ? code : mbedtls_x509write_crt_set_issuer_name(&writer, issuer_name);
    code = code ? code : mbedtls_x509write_crt_set_serial_raw(&writer, serial, sizeof serial);
    code = code ? code : mbedtls_x509write_crt_set_validity(&writer, from, to);
    code = code ? code
                : mbedtls_x509write_crt_set_basic_constraints(&writer, request->is_ca,
                                                              request->is_ca ? 0 : -1);
    code = code ? code : set_names(&writer, request);
    code = code ? code
                : mbedtls_x509write_crt_pem(&writer, pem, sizeof pem, mbedtls_psa_get_random,
                                            MBEDTLS_PSA_RANDOM_STATE);
    code = code
               ? code
               : mbedtls_x509_crt_parse(&identity->certificate, pem, strlen((const char *)pem) + 1);
    mbedtls_x509write_crt_free(&writer);
    return code;
}

static bool write_ca(const struct identity *ca, const char *path)
{
    unsigned char pem[4096];
    size_t length;
    int code = mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
                                        "-----END CERTIFICATE-----\n", ca->certificate.raw.p,
                                        ca->certificate.raw.len, pem, sizeof pem, &length);
    FILE *file = code == 0 ? fopen(path, "w") : NULL;
    if (!file) {
        fprintf(stderr, "picket lab: %s: %s\n", path, strerror(errno));
        return false;
    }
    fputs((const char *)pem, file);
    return fclose(file) == 0;
}

struct lab_certs *lab_certs_new(const char *ca_path)
{
    static const char ca_name[] = "CN=Picket lab CA,O=Picket lab";
    static const struct request ca = {ca_name, NULL, -1, 3650, true};
    static const struct request servers[CERT_KINDS] = {
        {"CN=" NAME ",O=Picket lab", NAME, -1, 90, false},
        {"CN=" NAME ",O=Picket lab", NAME, -60, -2, false},
        {"CN=" NAME ",O=Picket lab self-signed", NAME, -1, 90, false},
        {"CN=other.picket.test,O=Picket lab", "other.picket.test", -1, 90, false},
    };
    struct lab_certs *certs = calloc(1, sizeof *certs);
    if (!certs || psa_crypto_init() != PSA_SUCCESS) {
        free(certs);
        return NULL;
    }
    int code = make_key(&certs->ca.key) ? make_certificate(&certs->ca, NULL, ca_name, &ca) : -1;
    for (int i = 0; i < CERT_KINDS && code == 0; i++) {
        bool self_signed = i == LAB_TLS_SELFSIGNED - LAB_TLS;
        code = make_key(&certs->servers[i].key)
                   ? make_certificate(&certs->servers[i], self_signed ? NULL : &certs->ca,
                                      self_signed ? servers[i].subject : ca_name, &servers[i])
                   : -1;
    }
    if (code != 0) {
        fprintf(stderr, "picket lab: certificates: mbedTLS error -0x%04x\n", (unsigned)-code);
        free(certs);
        return NULL;
    }
    if (!write_ca(&certs->ca, ca_path)) {
        free(certs);
        return NULL;
    }
    return certs;
}

static int bio_send(void *context, const unsigned char *bytes, size_t count)
{
    ssize_t sent = send(*(int *)context, bytes, count, MSG_NOSIGNAL);
    return sent < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)sent;
}

static int bio_receive(void *context, unsigned char *bytes, size_t size)
{
    ssize_t count = recv(*(int *)context, bytes, size, 0);
    return count < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)count;
}

bool lab_tls_accept(struct lab_tls *tls, const struct lab_certs *certs, enum lab_server_id id,
                    int *fd)
{
    unsigned which = id >= LAB_TLS && id <= LAB_TLS_WRONGNAME ? id - LAB_TLS : 0;
    const struct identity *identity = &certs->servers[which];
    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_config_init(&tls->config);
    int code =
        mbedtls_ssl_config_defaults(&tls->config, MBEDTLS_SSL_IS_SERVER,
                                    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&tls->config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    code = code ? code
                : mbedtls_ssl_conf_own_cert(&tls->config,
                                            (mbedtls_x509_crt *)(uintptr_t)&identity->certificate,
                                            (mbedtls_pk_context *)(uintptr_t)&identity->key);
    code = code ? code : mbedtls_ssl_setup(&tls->ssl, &tls->config);
    mbedtls_ssl_set_bio(&tls->ssl, fd, bio_send, bio_receive, NULL);
    return code == 0 && mbedtls_ssl_handshake(&tls->ssl) == 0;
}

int lab_tls_read(struct lab_tls *tls, void *bytes, size_t size)
{
    return mbedtls_ssl_read(&tls->ssl, bytes, size);
}

int lab_tls_write(struct lab_tls *tls, const void *bytes, size_t count)
{
    return mbedtls_ssl_write(&tls->ssl, bytes, count);
}

void lab_tls_end(struct lab_tls *tls)
{
    mbedtls_ssl_free(&tls->ssl);
    mbedtls_ssl_config_free(&tls->config);
}

/* The tls targets: a handshake, then whatever comes is read until the peer has had enough. */
void lab_tls_serve(struct lab_server *server, int fd)
{
    enum lab_mode mode = (enum lab_mode)atomic_load(&server->mode);
    struct lab_tls tls;
    char bytes[512];
    if (lab_misbehave(server, fd, mode == LAB_ERROR ? LAB_GARBAGE : mode)) {
        return;
    }
    if (mode == LAB_SLOW) {
        lab_sleep_ms(800);
    }
    if (lab_tls_accept(&tls, server->lab->certs, server->id, &fd)) {
        atomic_fetch_add(mode == LAB_OK ? &server->served : &server->misbehaved, 1);
        while (lab_tls_read(&tls, bytes, sizeof bytes) > 0) {
        }
    }
    lab_tls_end(&tls);
}

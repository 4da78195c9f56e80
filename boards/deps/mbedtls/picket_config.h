/* What Picket's mbedTLS has beyond, and lacks of, the library's own default configuration.
 *
 * The build appends an include of this file to the installed mbedtls_config.h. So the library, curl
 * and every file of ours see one configuration, and there is no define a consumer could forget.
 *
 * The rule for dropping: a prober must still read whatever certificate and reach whatever TLS 1.2
 * or 1.3 server a site has, and say what is wrong with it. So SHA-1, MD5, the small curves, static
 * RSA and finite-field DH stay: without them an old device would look unreachable, not outdated. */

/* The PSA key store and random generator are used from the loop and from worker threads. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* What is sent at once: half of a record, so that a session has 8 KiB less. A client certificate
 * has to fit with its chain. What is received may fill a record: servers decide that. */
#define MBEDTLS_SSL_OUT_CONTENT_LEN 8192

/* Nothing here speaks DTLS. */
#undef MBEDTLS_SSL_PROTO_DTLS
#undef MBEDTLS_SSL_DTLS_ANTI_REPLAY
#undef MBEDTLS_SSL_DTLS_HELLO_VERIFY
#undef MBEDTLS_SSL_DTLS_CLIENT_PORT_REUSE
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT
#undef MBEDTLS_SSL_COOKIE_C
#undef MBEDTLS_SSL_CONTEXT_SERIALIZATION
#undef MBEDTLS_TIMING_C

/* Pre-shared keys and static ECDH need set-up no configuration key offers. TLS 1.3 resumption uses
 * the PSK mode with ephemeral keys, which stays. */
#undef MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_DHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_ECDSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_RSA_ENABLED
#undef MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_ENABLED

/* Ciphers and hashes that no server offers without one of the others as well. */
#undef MBEDTLS_ARIA_C
#undef MBEDTLS_CAMELLIA_C
#undef MBEDTLS_DES_C
#undef MBEDTLS_RIPEMD160_C
#undef MBEDTLS_SHA3_C
#undef MBEDTLS_CIPHER_MODE_CFB
#undef MBEDTLS_CIPHER_MODE_OFB
#undef MBEDTLS_CIPHER_MODE_XTS
#undef MBEDTLS_CMAC_C
#undef MBEDTLS_NIST_KW_C
#undef MBEDTLS_ECJPAKE_C
#undef MBEDTLS_LMS_C
#undef MBEDTLS_PADLOCK_C
#undef MBEDTLS_ECP_DP_SECP192K1_ENABLED
#undef MBEDTLS_ECP_DP_SECP224K1_ENABLED
#undef MBEDTLS_ECP_DP_SECP256K1_ENABLED

/* Encrypted private keys would need a passphrase, and an agent has nobody to ask. */
#undef MBEDTLS_PKCS5_C
#undef MBEDTLS_PKCS7_C
#undef MBEDTLS_PKCS12_C

/* Certificates are read, and written for the lab; requests are not used. */
#undef MBEDTLS_X509_CSR_PARSE_C
#undef MBEDTLS_X509_CSR_WRITE_C

/* No key is ever kept in a file by the library, least of all in the working directory. */
#undef MBEDTLS_PSA_CRYPTO_STORAGE_C
#undef MBEDTLS_PSA_ITS_FILE_C

#undef MBEDTLS_DEBUG_C
#undef MBEDTLS_SELF_TEST
#undef MBEDTLS_VERSION_FEATURES

/* Guards against a bundle parsed once per target, files that hang or fill the start, and errors
 * that do not say which file is meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert_maker.h"
#include "pem_file.h"
#include "trust.h"

static char folder[] = "/tmp/picket-trust-XXXXXX";
static char paths[16][64];
static struct made root, client;

static const char *in_folder(const char *name)
{
    static unsigned next;
    char *path = paths[next++ % ARRAY_LEN(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static unsigned chain_length(const mbedtls_x509_crt *chain)
{
    unsigned count = 0;
    for (; chain != NULL && chain->raw.p != NULL; chain = chain->next) {
        count++;
    }
    return count;
}

static void a_chain_is_shared_by_path_until_the_last_user_goes(void **state)
{
    struct trust first, second, third;
    char why[256];
    (void)state;
    assert_int_equal(
        trust_open_files(&first, true, in_folder("root.pem"), NULL, NULL, why, sizeof why),
        ERROR_NONE);
    assert_int_equal(
        trust_open_files(&second, true, in_folder("root.pem"), NULL, NULL, why, sizeof why),
        ERROR_NONE);
    assert_int_equal(
        trust_open_files(&third, true, in_folder("client.pem"), NULL, NULL, why, sizeof why),
        ERROR_NONE);
    assert_ptr_equal(first.ca, second.ca);
    assert_ptr_not_equal(first.ca, third.ca);
    trust_close(&first);
    trust_close(&first);                          /* twice is fine */
    assert_int_equal(chain_length(second.ca), 1); /* still there: the sanitizer watches */
    trust_close(&second);
    trust_close(&third);
}

/* More users than the table has entries: entries come back. */
static void entries_are_free_again(void **state)
{
    struct trust trust;
    char why[256];
    (void)state;
    for (unsigned i = 0; i < 2 * CAP_TARGETS; i++) {
        assert_int_equal(
            trust_open_files(&trust, true, in_folder("root.pem"), NULL, NULL, why, sizeof why),
            ERROR_NONE);
        trust_close(&trust);
    }
}

static void a_partly_readable_bundle_is_used_with_the_rest(void **state)
{
    struct trust trust;
    char why[256];
    (void)state;
    assert_int_equal(
        trust_open_files(&trust, true, in_folder("half.pem"), NULL, NULL, why, sizeof why),
        ERROR_NONE);
    assert_int_equal(chain_length(trust.ca), 1);
    trust_close(&trust);
}

static void every_bad_file_is_named_with_its_cause(void **state)
{
    static const struct {
        const char *ca, *cert, *key;
        enum error error;
        const char *file, *cause;
    } rows[] = {
        {"none.pem", NULL, NULL, ERROR_MISSING, "ca_file", "No such file"},
        {"junk.pem", NULL, NULL, ERROR_INVALID, "ca_file", "no certificate found"},
        {"empty.pem", NULL, NULL, ERROR_INVALID, "ca_file", "no certificate found"},
        {"client.key", NULL, NULL, ERROR_INVALID, "ca_file", "no certificate found"},
        {"broken.pem", NULL, NULL, ERROR_INVALID, "ca_file", "certificate"},
        {"pipe", NULL, NULL, ERROR_INVALID, "ca_file", "not a regular file"},
        {".", NULL, NULL, ERROR_INVALID, "ca_file", "not a regular file"},
        {"huge.pem", NULL, NULL, ERROR_RANGE, "ca_file", "larger than"},
        {"root.pem/x", NULL, NULL, ERROR_MISSING, "ca_file", "Not a directory"},
        {"root.pem", "client.pem", NULL, ERROR_INVALID, "cert_file", "belong together"},
        {"root.pem", NULL, "client.key", ERROR_INVALID, "key_file", "belong together"},
        {"root.pem", "none.pem", "client.key", ERROR_MISSING, "cert_file", "No such file"},
        {"root.pem", "half.pem", "client.key", ERROR_INVALID, "cert_file", "1 of its"},
        {"root.pem", "client.pem", "none.key", ERROR_MISSING, "key_file", "No such file"},
        {"root.pem", "client.pem", "junk.pem", ERROR_DENIED, "key_file", "others may access"},
        {"root.pem", "client.pem", "junk.key", ERROR_INVALID, "key_file", "no private key"},
        {"root.pem", "client.pem", "root.key", ERROR_INVALID, "key_file", "not the key of"},
        {"root.pem", "client.pem", "locked.key", ERROR_INVALID, "key_file", "passphrase"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trust trust;
        char why[256] = "";
        enum error error =
            trust_open_files(&trust, true, in_folder(rows[i].ca),
                             rows[i].cert != NULL ? in_folder(rows[i].cert) : NULL,
                             rows[i].key != NULL ? in_folder(rows[i].key) : NULL, why, sizeof why);
        if (error != rows[i].error || strstr(why, rows[i].file) == NULL ||
            strstr(why, rows[i].cause) == NULL || strchr(why, '\n') != NULL) {
            fail_msg("row %zu: error %d: %s", i, error, why);
        }
        assert_null(trust.ca); /* nothing is left to close */
        assert_null(trust.client_chain);
        assert_null(trust.client_key);
    }
}

static void a_client_certificate_comes_with_its_key(void **state)
{
    struct trust trust;
    char why[256];
    (void)state;
    assert_int_equal(trust_open_files(&trust, true, in_folder("root.pem"), in_folder("client.pem"),
                                      in_folder("client.key"), why, sizeof why),
                     ERROR_NONE);
    assert_non_null(trust.client_chain);
    assert_non_null(trust.client_key);
    trust_close(&trust);
}

static void the_systems_bundle_is_taken_only_when_it_is_needed(void **state)
{
    struct trust trust;
    char why[256];
    (void)state;
    setenv("SSL_CERT_FILE", in_folder("none.pem"), 1);
    assert_int_equal(trust_open_files(&trust, true, NULL, NULL, NULL, why, sizeof why),
                     ERROR_MISSING);
    assert_non_null(strstr(why, "none.pem"));
    assert_int_equal(trust_open_files(&trust, false, NULL, NULL, NULL, why, sizeof why),
                     ERROR_NONE);
    assert_null(trust.ca);
    trust_close(&trust);
    setenv("SSL_CERT_FILE", in_folder("root.pem"), 1);
    assert_int_equal(trust_open_files(&trust, true, NULL, NULL, NULL, why, sizeof why), ERROR_NONE);
    assert_int_equal(chain_length(trust.ca), 1);
    trust_close(&trust);
    unsetenv("SSL_CERT_FILE");
}

static void der_is_read_like_pem(void **state)
{
    mbedtls_x509_crt chain;
    unsigned unreadable = 9;
    char why[256];
    (void)state;
    mbedtls_x509_crt_init(&chain);
    assert_int_equal(pem_file_read_chain(&chain, "file", in_folder("root.der"), 4096, &unreadable,
                                         why, sizeof why),
                     ERROR_NONE);
    assert_int_equal(unreadable, 0);
    assert_memory_equal(chain.raw.p, root.certificate.raw.p, chain.raw.len);
    mbedtls_x509_crt_free(&chain);
}

static int make_files(void **state)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const char locked[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MDAwKAYJKoZIhvcNAQUNMBsGCSqGSIb3DQEFDDAOBAgAAAAAAAAAAAICCAAEBAAA\n"
        "AAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    (void)state;
    assert_non_null(mkdtemp(folder));
    made_new(&root, &(struct made_plan){.subject = "CN=Root", .authority = true}, NULL, NULL);
    made_new(&client, &(struct made_plan){.subject = "CN=client", .for_clients = true}, &root,
             "CN=Root");
    made_save(&root, in_folder("root.pem"), in_folder("root.key"));
    made_save(&client, in_folder("client.pem"), in_folder("client.key"));
    write_file("junk.pem", "no certificate\n");
    write_file("junk.key", "no key\n");
    write_file("locked.key", locked);
    write_file("empty.pem", "");
    write_file("broken.pem", broken);
    made_save(&root, in_folder("half.pem"), NULL);
    FILE *half = fopen(in_folder("half.pem"), "a");
    fputs(broken, half);
    fclose(half);
    FILE *der = fopen(in_folder("root.der"), "w");
    fwrite(root.certificate.raw.p, 1, root.certificate.raw.len, der);
    fclose(der);
    FILE *huge = fopen(in_folder("huge.pem"), "w");
    fclose(huge);
    assert_int_equal(truncate(in_folder("huge.pem"), 64 * 1024 * 1024), 0);
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(chmod(in_folder("junk.key"), 0600), 0);
    assert_int_equal(chmod(in_folder("locked.key"), 0640), 0);
    assert_int_equal(chmod(in_folder("junk.pem"), 0644), 0);
    return 0;
}

static int remove_files(void **state)
{
    static const char *const names[] = {
        "root.pem",  "root.key", "client.pem", "client.key", "junk.pem", "junk.key", "locked.key",
        "empty.pem", "half.pem", "broken.pem", "root.der",   "huge.pem", "pipe"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unlink(in_folder(names[i]));
    }
    rmdir(folder);
    made_free(&root);
    made_free(&client);
    mbedtls_psa_crypto_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_shared_by_path_until_the_last_user_goes),
        cmocka_unit_test(entries_are_free_again),
        cmocka_unit_test(a_partly_readable_bundle_is_used_with_the_rest),
        cmocka_unit_test(every_bad_file_is_named_with_its_cause),
        cmocka_unit_test(a_client_certificate_comes_with_its_key),
        cmocka_unit_test(the_systems_bundle_is_taken_only_when_it_is_needed),
        cmocka_unit_test(der_is_read_like_pem),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}

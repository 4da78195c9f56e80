/* The keys of an [http …] section, and what a configuration must not say. SPEC section 2.
 *
 * Pure: http_check() reads a section at load and reports every mistake. It accepts all that
 * http_target_open() accepts later, but for what only the machine knows (files). */
#ifndef PICKET_HTTP_KEYS_H
#define PICKET_HTTP_KEYS_H

#include "config.h"
#include "trust.h"

enum http_key {
    HTTP_URL = KIND_KEY_FIRST,
    HTTP_METHOD,
    HTTP_HEADER,
    HTTP_BODY,
    HTTP_BODY_FILE,
    HTTP_EXPECT_STATUS,
    HTTP_EXPECT_BODY,
    HTTP_REJECT_BODY,
    HTTP_EXPECT_HEADER,
    HTTP_REJECT_HEADER,
    HTTP_MAX_BODY,
    HTTP_REDIRECTS,
    HTTP_USERNAME,
    HTTP_PASSWORD_FILE,
    HTTP_BEARER_FILE,
    HTTP_PROXY,
    HTTP_CONNECT_TO,
    HTTP_HOST,
    HTTP_REQUIRE_TLS,
    HTTP_TRUST, /* the first of trust.h's */
    HTTP_KEY_END = HTTP_TRUST + TRUST_KEY_COUNT
};
enum { HTTP_KEY_COUNT = HTTP_KEY_END - KIND_KEY_FIRST, HTTP_MAX_BODY_LIMIT = 1024 * 1024 };

extern const struct config_key http_keys[HTTP_KEY_COUNT];

void http_check(const struct config *config, const struct config_section *section,
                struct config_errors *errors);

#endif

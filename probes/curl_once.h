/* libcurl's process-wide set-up, shared by everybody who uses libcurl: the http probe and the push.
 *
 * libcurl asks for one curl_global_init() before anything else and one curl_global_cleanup() after
 * everything else. Users are counted here, so that none of them has to know of the others.
 *
 * Thread rule: the loop's thread. Memory: what libcurl keeps for itself. */
#ifndef PICKET_CURL_ONCE_H
#define PICKET_CURL_ONCE_H

#include "base.h"

/* Sets libcurl up for the first user. ERROR_EXHAUSTED: it could not be; then there is nothing to
 * release. */
MUST_CHECK enum error curl_once_acquire(void);
/* The last user's call tears libcurl down. */
void curl_once_release(void);

#endif

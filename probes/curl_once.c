#include "curl_once.h"

#include <assert.h>
#include <curl/curl.h>

static unsigned users;

enum error curl_once_acquire(void)
{
    if (users == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ERROR_EXHAUSTED;
    users++;
    return ERROR_NONE;
}

void curl_once_release(void)
{
    assert(users > 0);
    if (--users == 0)
        curl_global_cleanup();
}

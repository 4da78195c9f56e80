#include "push_url.h"

#include <string.h>

static bool is_plain(const char *site)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return site[strspn(site, plain)] == '\0' && strcmp(site, ".") != 0 && strcmp(site, "..") != 0;
}

/* RFC 4648 section 5, without padding. */
static void append_base64url(struct buffer *out, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = 0;
        size_t count = length - i < 3 ? length - i : 3;
        for (size_t j = 0; j < 3; j++) {
            group = group << 8 | (j < count ? (unsigned char)text[i + j] : 0U);
        }
        for (size_t j = 0; j < count + 1; j++) {
            buffer_append_byte(out, (uint8_t)digits[group >> (18 - 6 * j) & 63]);
        }
    }
}

void push_url(struct buffer *out, const char *base, const char *site)
{
    size_t length = strlen(base);
    while (length > 0 && base[length - 1] == '/') {
        length--;
    }
    buffer_append(out, base, length);
    buffer_append_string(out, "/metrics/job/picket/site");
    buffer_append_string(out, is_plain(site) ? "/" : "@base64/");
    if (is_plain(site)) {
        buffer_append_string(out, site);
    } else {
        append_base64url(out, site);
    }
}

#include "utf8.h"

/* The first byte gives the length and the range of the second; all others are 80..BF. The ranges
 * of the second are what rules out overlong forms, surrogates and too large code points. */
struct lead {
    uint8_t first, last;
    uint8_t second_min, second_max;
    uint8_t length;
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct lead *find_lead(uint8_t byte)
{
    for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
        if (byte >= leads[i].first && byte <= leads[i].last) {
            return &leads[i];
        }
    }
    return NULL;
}

size_t utf8_length(const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    if (bytes[0] < 0x80) {
        return 1;
    }
    const struct lead *lead = find_lead(bytes[0]);
    if (lead == NULL || bytes[1] < lead->second_min || bytes[1] > lead->second_max) {
        return 0;
    }
    for (size_t i = 2; i < lead->length; i++) {
        if (bytes[i] < 0x80 || bytes[i] > 0xbf) {
            return 0;
        }
    }
    return lead->length;
}

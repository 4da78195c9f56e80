/* Well-formed UTF-8 (RFC 3629), for bytes that leave as text. Thread rule: no state. */
#ifndef PICKET_UTF8_H
#define PICKET_UTF8_H

#include "base.h"

/* U+FFFD REPLACEMENT CHARACTER, what stands for a byte that is no UTF-8. */
#define UTF8_REPLACEMENT       "\xef\xbf\xbd"
#define UTF8_REPLACEMENT_BYTES 3u

/* Bytes of the well-formed sequence at `text`, 0 when none begins there. Overlong forms, surrogates
 * and code points past U+10FFFF are not well formed. `text` ends with a NUL, which is itself a
 * sequence of 1; nothing behind it is read. */
size_t utf8_length(const char *text);

#endif

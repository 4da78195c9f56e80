/* Any bytes from a server before TLS, cut anywhere: the end is the same as in one piece, bounded,
 * and nothing but the protocol's own words is sent. The first byte chooses the protocol, the second
 * the cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "starttls.h"

static void expect(bool good)
{
    if (!good) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct starttls whole, cut;
    if (size < 2) {
        return 0;
    }
    enum starttls_protocol protocol =
        (enum starttls_protocol)(data[0] % (unsigned)STARTTLS_PROTOCOL_COUNT);
    size_t step = (size_t)data[1] + 1;
    data += 2;
    size -= 2;
    starttls_begin(&whole, protocol);
    starttls_begin(&cut, protocol);
    starttls_feed(&whole, data, size);
    for (size_t at = 0; at < size; at += step) {
        size_t count = size - at < step ? size - at : step;
        size_t waiting;
        starttls_feed(&cut, data + at, count);
        (void)starttls_output(&cut, &waiting);
        starttls_sent(&cut, waiting < 2 ? waiting : 2);
    }
    expect(whole.state == cut.state && strcmp(whole.why, cut.why) == 0);
    expect(whole.out_length == cut.out_length && whole.out_length <= sizeof whole.out);
    expect(memcmp(whole.out, cut.out, whole.out_length) == 0);
    expect(strlen(whole.why) < sizeof whole.why);
    expect((whole.state == STARTTLS_REFUSED) == (whole.why[0] != '\0'));
    return 0;
}

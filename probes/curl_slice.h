/* A bound on what libcurl reads in one turn.
 *
 * Some of what a peer may send means nothing and is passed over, as long as more of it comes,
 * inside one call: TLS warnings in mbedTLS; in libcurl the body of a proxy's refusal and a header
 * that is folded without end, byte by byte and without a look at the clock. A peer that sends it
 * without end would keep the loop in that call for ever. So recv() says that nothing more is there
 * when the slice of the turn is used up; libcurl reads on in a later turn, since the socket stays
 * readable. The linker puts it in recv's place (--wrap).
 *
 * Thread rule: any thread; each has a slice of its own. Memory: none. */
#ifndef PICKET_CURL_SLICE_H
#define PICKET_CURL_SLICE_H

enum { CURL_SLICE_BYTES = 64 * 1024, CURL_SLICE_READS = 128 };

/* Whatever of libcurl may read is called between these two. */
void curl_slice_begin(void);
void curl_slice_end(void);

#endif

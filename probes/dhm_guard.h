/* A bound on a server's Diffie-Hellman group.
 *
 * In TLS 1.2 it is the server that chooses the prime, and mbedTLS works with any of up to 8192
 * bits: 0.7 s in one step on a workstation, ten on a board of 800 MHz, while nothing else is done.
 * One of more than DHM_GUARD_BITS ends the handshake instead. In TLS 1.3 the groups that are
 * offered bound it (trust.c); elliptic curves take some milliseconds. The linker puts it in the
 * place of the function of mbedTLS that reads the group (--wrap), so it holds for libcurl too. */
#ifndef PICKET_DHM_GUARD_H
#define PICKET_DHM_GUARD_H

enum { DHM_GUARD_BITS = 2048 };

#endif

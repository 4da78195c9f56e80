/* A bound on a DNS answer.
 *
 * c-ares asks for answers of 1232 bytes at most and takes what comes, up to 64 KiB: with thousands
 * of addresses, or of names made of pointers, a tenth of a second in one step on a workstation. A
 * datagram of more than DNS_GUARD_BYTES is as if it had not come. The linker puts it in recvfrom's
 * place (--wrap), so it holds for the names that libcurl looks up itself too. */
#ifndef PICKET_DNS_GUARD_H
#define PICKET_DNS_GUARD_H

enum { DNS_GUARD_BYTES = 4096 };

#endif

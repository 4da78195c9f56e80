/* Non-blocking TCP connections for the probes that hold their own socket: tcp, tls, modbus. */
#ifndef PICKET_NET_H
#define PICKET_NET_H

#include "probe.h"

/* "HOST:PORT", "[V6]:PORT", "HOST" with a default port (0: the port is required). Checks port
 * range and host characters; an address with colons needs brackets. The host is stored without
 * them. Leaves *out as it was on an error: ERROR_INVALID, or ERROR_RANGE for the port. */
MUST_CHECK enum error net_parse_host_port(const char *text, uint16_t default_port,
                                          struct endpoint *out);

/* True for what `source` may be: an address literal or an interface's name. */
bool net_source_valid(const char *source);

/* One connect over the addresses of a run, in order: a refused or unreachable one moves on to the
 * next at once; a silent one gets an equal share of the time that is left. */
struct net_connect {
    int fd;        /* -1: none */
    unsigned next; /* address to try next */
    usec_t share_until_us;
    int blamed_errno; /* 0: none yet; the most telling one: "no route" only when all say so */
    unsigned blamed;  /* the address that gave it */
};

enum net_state { NET_WAIT, NET_CONNECTED, NET_FAILED };

/* Starts with fd = -1. `source` is an address or interface name, NULL for the system's choice: an
 * address of the wrong family skips the target's address. An interface is bound with
 * SO_BINDTODEVICE (Linux >= 5.7: without privileges), for packets in both directions.
 *
 * On NET_FAILED the result is decided (refused, unreachable, connect, timeout, or unknown when out
 * of descriptors or when there is no such source on this machine) and no descriptor is left. On
 * NET_CONNECTED fd is the caller's, with TCP_NODELAY, and the address' facts are set. */
enum net_state net_connect_start(struct net_connect *attempt, struct run *run, const char *source);
enum net_state net_connect_step(struct net_connect *attempt, struct run *run, const char *source);
void net_connect_waits(const struct net_connect *attempt, struct waits *waits);
/* Closes and forgets. Twice is fine. */
void net_connect_close(struct net_connect *attempt);

/* The reason an errno of connect/read/write stands for. */
enum reason net_reason(int system_errno);
/* True for an errno that says the agent itself is out of descriptors or memory: `unknown`. */
bool net_exhausted(int system_errno);
/* Sets FACT_IP_PROTOCOL and FACT_IP_ADDR_HASH from an address that was used. */
void net_address_facts(struct result *result, const struct sockaddr *address);
/* The address as text, "192.0.2.1:80" or "[2001:db8::1]:80", for notes. `size` >= 56. */
const char *net_address_text(const struct sockaddr *address, char *text, size_t size);

#endif

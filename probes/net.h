/* Non-blocking TCP connections for the probes that hold their own socket: tcp, tls, modbus. */
#ifndef PICKET_NET_H
#define PICKET_NET_H

#include "probe.h"

/* "HOST:PORT", "[V6]:PORT", "HOST" with a default port (0: the port is required). Checks port
 * range and host characters. */
MUST_CHECK enum error net_parse_host_port(const char *text, uint16_t default_port,
                                          struct endpoint *out);

/* One connect over the addresses of a run, in order: a refused or unreachable one moves on to the
 * next at once; a silent one gets an equal share of the time that is left. */
struct net_connect {
    int fd; /* -1: none */
    unsigned next; /* address to try next */
    usec_t share_until_us;
    int last_errno;
};

enum net_state { NET_WAIT, NET_CONNECTED, NET_FAILED };

/* Starts with fd = -1. `source` is an address or interface name, NULL for the system's choice.
 * On NET_FAILED the result is decided (refused, unreachable, connect, or unknown when out of
 * descriptors) and no descriptor is left. On NET_CONNECTED fd is the caller's, with TCP_NODELAY. */
enum net_state net_connect_start(struct net_connect *connect, struct run *run, const char *source);
enum net_state net_connect_step(struct net_connect *connect, struct run *run, const char *source);
void net_connect_waits(const struct net_connect *connect, struct waits *waits);
/* Closes and forgets. Twice is fine. */
void net_connect_close(struct net_connect *connect);

/* The reason an errno of connect/read/write stands for. */
enum reason net_reason(int system_errno);
/* Sets FACT_IP_PROTOCOL and FACT_IP_ADDR_HASH from an address that was used. */
void net_address_facts(struct result *result, const struct sockaddr *address);

#endif

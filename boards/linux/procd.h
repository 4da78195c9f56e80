/* The watchdog port (watchdog.h) on procd, the first process of OpenWrt: it ends an instance of a
 * service that did not call in time, and starts it again (`respawn` of its init script).
 *
 * procd is spoken to over ubus, by the program `ubus`: one short-lived process a call, started
 * without a shell and not waited for. A call that still runs when the next is due is killed, and
 * failed. Its end is whoever's who waits for children: that one tells procd_reaped().
 *
 * The call is `service watchdog {name, instance, mode, timeout}`; each sets the timer anew, and
 * mode 0 takes it away (procd's service/service.c, service_handle_watchdog). What it does on expiry
 * is instance_watchdog() of its service/instance.c: with `respawn` SIGTERM, then SIGKILL after
 * `term_timeout`, and a new start; but when the init script sets a reload_signal, that signal and
 * nothing else. So ours must not. procd keeps the mode for the instance's next life, and its timer
 * then runs from the start on.
 *
 * Thread rule: one thread. Memory: the struct, no heap. Nothing waits. */
#ifndef PICKET_PROCD_H
#define PICKET_PROCD_H

#include <sys/types.h>

#include "watchdog.h"

enum { PROCD_NAME_BYTES = 64 };

struct procd {
    const char *program; /* of ubus; NULL: looked for in the folders of the system */
    char service[PROCD_NAME_BYTES], instance[PROCD_NAME_BYTES];
    unsigned timeout_s; /* 0: not started */
    pid_t call;         /* under way; 0: none */
    unsigned failures;  /* calls in a row that failed */
};

/* Fills *state and returns the port on it. The instance is $PICKET_PROCD_SERVICE's
 * $PICKET_PROCD_INSTANCE, or "picketd" and "instance1", which is how procd names the first of a
 * service. `program` is borrowed.
 *
 * start(): ERROR_MISSING: there is no ubus here. ERROR_INVALID: a name with other bytes than
 * letters, digits, '.', '_' and '-'. ERROR_IO: it could not be started. That the call was obeyed is
 * not known yet; `failures` tells.
 * stop(): true. Waits for nothing, so the timer goes when the call gets through.
 * trigger(): nothing more than not to be fed. A timeout of 0 would end the instance at once, and
 * every next life too. */
struct watchdog watchdog_procd(struct procd *state, const char *program);

/* A child has ended; `status` as of waitpid(2). True: it was a call of ours. A pid that is not ours
 * changes nothing. */
bool procd_reaped(struct procd *state, pid_t pid, int status);

#endif

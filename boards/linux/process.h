/* What a process of ours makes sure of before it does anything else.
 *
 * Thread rule: before any thread is started. */
#ifndef PICKET_PROCESS_H
#define PICKET_PROCESS_H

/* The highest descriptor is below this: libmodbus waits with select(2), whose sets hold 1024. */
#define PROCESS_DESCRIPTORS_MAX 1024

/* Opens /dev/null where standard input, output or error is closed, since the next file that is
 * opened would take its place and get what is printed. Lowers the limit on open descriptors to
 * PROCESS_DESCRIPTORS_MAX when it is higher; a lower one stays. Leaves no core file behind a crash:
 * it would hold the secrets. */
void process_prepare(void);

#endif

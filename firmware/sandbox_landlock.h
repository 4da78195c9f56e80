/* Landlock: keeps this process from all files but those of a plan (Documentation/userspace-api/
 * landlock.rst in the kernel). The calling thread alone, and those it starts later. */
#ifndef PICKET_SANDBOX_LANDLOCK_H
#define PICKET_SANDBOX_LANDLOCK_H

#include "sandbox.h"

/* The version the kernel offers, 0 when it has none, or none that is switched on. */
unsigned sandbox_landlock_version(void);
/* Makes the rules, while the process still reaches every path; notes in the plan what devices and
 * the store's folder are. What is not there gets no rule. Returns a descriptor, -1 with errno. */
int sandbox_landlock_prepare(struct sandbox_plan *plan, unsigned version);
/* Enters them; no new privileges must be in force. False with errno. */
bool sandbox_landlock_enter(int rules);
/* The folder a path is in, "." for a bare name; returns `out`. */
char *sandbox_folder(const char *path, char *out, size_t size);

#endif

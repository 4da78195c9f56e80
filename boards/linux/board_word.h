/* What the board says of its last reset, out of what all its watchdogs report. Asked once, at
 * start: the reports stay as they are until the next boot.
 *
 * Whether a watchdog was in use before the reset is written nowhere, so one that is there and does
 * not report could have been the one. softdog is such a one: it can reset a board whose kernel
 * lives, and forgets that it did.
 *
 * Thread rule: none, no state. No heap. */
#ifndef PICKET_BOARD_WORD_H
#define PICKET_BOARD_WORD_H

#include "cause.h"

enum board_word board_word(void);
/* The same for another place of /sys, and of the node of a watchdog outside of the kernel's
 * watchdog core, of which /sys knows nothing. */
enum board_word board_word_in(const char *sysfs, const char *device);

#endif

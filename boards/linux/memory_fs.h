/* Says whether an open file lives in memory and is gone with the power: tmpfs and ramfs, also as
 * the upper layer of an overlay, which is how live systems and boards without flash run. */
#ifndef PICKET_MEMORY_FS_H
#define PICKET_MEMORY_FS_H

#include "base.h"

/* `line` is room to work in; an overlay whose mount line does not fit, or whose upper layer cannot
 * be seen from here (another mount namespace), counts as durable. May block. */
bool memory_fs_holds(int fd, char *line, size_t line_size);

#endif

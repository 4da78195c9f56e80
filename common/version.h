/* Version and commit, set by the build. */
#ifndef PICKET_VERSION_H
#define PICKET_VERSION_H

extern const char picket_version[];
extern const char picket_commit[];

#endif

/* Version, commit, and the board profile it was built for (boards/profiles; empty: none). Set by
 * the build. */
#ifndef PICKET_VERSION_H
#define PICKET_VERSION_H

extern const char picket_version[];
extern const char picket_commit[];
extern const char picket_profile[];

#endif

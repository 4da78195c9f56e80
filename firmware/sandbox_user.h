/* The user the agent becomes, from /etc/passwd and /etc/group themselves: a static binary has no
 * name service, and a board has no other users. Blocks on the file system. Thread rule: none, but
 * one call at a time. */
#ifndef PICKET_SANDBOX_USER_H
#define PICKET_SANDBOX_USER_H

#include <sys/types.h>

#include "base.h"

enum { SANDBOX_GROUPS = 64 };

struct sandbox_user {
    uid_t uid;
    gid_t gid;
    unsigned group_count;
    gid_t groups[SANDBOX_GROUPS]; /* gid and those that list the user: a serial line's, say */
};

/* ERROR_MISSING: there is none of that name. ERROR_IO: /etc/passwd cannot be read. */
MUST_CHECK enum error sandbox_user_find(const char *name, struct sandbox_user *out);

#endif

#include "sandbox_user.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

static bool lists(const struct group *group, const char *name)
{
    for (char *const *member = group->gr_mem; *member; member++) {
        if (strcmp(*member, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Without the file the user has its own group only; the groups that are too many are given up. */
static void find_groups(const char *name, struct sandbox_user *out)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *group;
    out->groups[0] = out->gid;
    out->group_count = 1;
    while (file && out->group_count < SANDBOX_GROUPS && (group = fgetgrent(file)) != NULL) {
        if (group->gr_gid != out->gid && lists(group, name)) {
            out->groups[out->group_count++] = group->gr_gid;
        }
    }
    if (file) {
        fclose(file);
    }
}

enum error sandbox_user_find(const char *name, struct sandbox_user *out)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *entry;
    if (!file) {
        return ERROR_IO;
    }
    while ((entry = fgetpwent(file)) != NULL && strcmp(entry->pw_name, name) != 0) {
    }
    if (entry) {
        *out = (struct sandbox_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
    }
    fclose(file);
    if (!entry) {
        return ERROR_MISSING;
    }
    find_groups(name, out);
    return ERROR_NONE;
}

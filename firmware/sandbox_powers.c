#include "sandbox_powers.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Before 5.7 only CAP_NET_RAW may bind a socket to an interface (socket(7), SO_BINDTODEVICE). */
uint64_t sandbox_powers_kept(bool to_interface)
{
    struct utsname system;
    unsigned major = 0, minor = 0;
    bool old = uname(&system) == 0 && sscanf(system.release, "%u.%u", &major, &minor) == 2 &&
               (major < 5 || (major == 5 && minor < 7));
    return to_interface && old ? UINT64_C(1) << CAP_NET_RAW : 0;
}

/* Out of the bounding set no program that is executed gets a capability. Needs CAP_SETPCAP; whoever
 * lacks it is no root, and held by no new privileges instead. */
void sandbox_powers_bound(uint64_t kept)
{
    for (int capability = 0; capability < 64; capability++) {
        if ((kept >> capability & 1) == 0 && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) {
            (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
    }
}

bool sandbox_powers_drop(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* since 4.3 */
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    uint32_t lost = 0;
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        uint32_t keeps = (uint32_t)(kept >> (32 * i));
        lost |= (data[i].permitted & ~keeps) | data[i].inheritable;
        data[i].permitted &= keeps;
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    /* Whoever has none may be forbidden even to say so (systemd's @privileged). */
    return lost == 0 || syscall(SYS_capset, &header, data) == 0;
}

#define _GNU_SOURCE
#include "unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void leave_machine(void) {
    if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        fail("make namespaces to unpack in: %s", strerror(errno));
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail("make mounts private: %s", strerror(errno));
}

void enter_directory(const char *directory) {
    if (mount(directory, directory, NULL, MS_BIND, NULL) < 0) fail("bind %s: %s", directory, strerror(errno));
    // noexec: no library of the layer's can be loaded into us, whatever a C library may look for below its root.
    if (mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        fail("confine %s: %s", directory, strerror(errno));
    if (chdir(directory) < 0) fail("chdir to %s: %s", directory, strerror(errno));
    // pivot_root(".", "."): the old root ends up on top of the new one and is detached (pivot_root(2), NOTES).
    if (syscall(SYS_pivot_root, ".", ".") < 0) fail("pivot_root to %s: %s", directory, strerror(errno));
    if (umount2(".", MNT_DETACH) < 0) fail("detach the machine's root: %s", strerror(errno));
    if (chdir("/") < 0) fail("chdir to the new root: %s", strerror(errno));
}

void drop_capabilities(void) {
    // chown, dac_override, fowner, fsetid, mknod, setfcap (linux/capability.h)
    static const int kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP};
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) bits |= UINT64_C(1) << kept[i];
    for (int i = 0; i <= 63; i++)
        if (!(bits >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL) fail("drop a capability: %s", strerror(errno));
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct own[2], wish[2];
    if (syscall(SYS_capget, &header, own) < 0) fail("read our capabilities: %s", strerror(errno));
    memset(wish, 0, sizeof wish);
    // What we lack ourselves, as in a container, is left out.
    for (int i = 0; i < 2; i++) wish[i].effective = wish[i].permitted = (uint32_t)(bits >> 32 * i) & own[i].permitted;
    if (syscall(SYS_capset, &header, wish) < 0) fail("drop capabilities: %s", strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("refuse new privileges: %s", strerror(errno));
}

#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

int host_is_memory(const char *path) {
    struct statfs info;
    if (statfs(path, &info) < 0) return -errno;
    return info.f_type == 0x01021994 || (uint32_t)info.f_type == 0x858458f6;
}

int host_unmount(const char *path) { return umount2(path, MNT_DETACH) < 0 ? -errno : 0; }

int host_make_opaque(const char *directory) {
    return setxattr(directory, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

int host_bind_mount(const char *source, const char *target) {
    return mount(source, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int host_share_mount(const char *path) {
    if (mount(NULL, path, NULL, MS_SHARED | MS_REC, NULL) == 0) return 0;
    if (errno != EINVAL) return -errno;
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) return -errno;
    return mount(NULL, path, NULL, MS_SHARED | MS_REC, NULL) < 0 ? -errno : 1;
}

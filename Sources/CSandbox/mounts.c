#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

// Mounts by descriptors, so that no link in a tree that is not ours leads elsewhere.

int sandbox_mount_on(int target, const char *source, const char *type, unsigned long flags, const char *data) {
    char place[32];
    snprintf(place, sizeof place, "/proc/self/fd/%d", target);
    return mount(source, place, type, flags, data);
}

int sandbox_copy_mounts(int source, uint64_t attributes) {
    unsigned clone = AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    int tree = open_tree(source, "", clone | AT_RECURSIVE);
    struct mount_attr change = {.attr_set = attributes};
    if (tree < 0 || !attributes || mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change) == 0) return tree;
    int error = errno;
    close(tree);
    errno = error;
    // Before Linux 5.12 there is no such call: what is mounted below stays out, and the rest is changed where it is placed.
    return error == ENOSYS ? open_tree(source, "", clone) : -1;
}

int sandbox_place_mounts(int tree, int target, uint64_t attributes) {
    struct statvfs info;
    if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) return -1;
    unsigned long read_only = attributes & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0, no_devices = attributes & MOUNT_ATTR_NODEV ? MS_NODEV : 0;
    if (fstatvfs(tree, &info) < 0) return -1;
    // The flags of statvfs(3) are those of mount(2), as far as both know them.
    if ((info.f_flag & (read_only | no_devices)) == (read_only | no_devices)) return 0;
    return sandbox_mount_on(tree, NULL, NULL, MS_REMOUNT | MS_BIND | read_only | no_devices, NULL);
}

#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <chost.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// An emulated node: an init in namespaces of its own, whose root is the machine's with a layer of the node's above it.

static int fail(struct sandbox_failure *failure, const char *stage, const char *object) {
    sandbox_fail(failure, stage, object);
    return -1;
}

// mount -t overlay -o lowerdir=LOWER,upperdir=UPPER,workdir=WORK overlay TARGET. A lower one whose name the options would not survive
// goes by the number of its descriptor.
static int mount_layer(int target, const char *lower, const char *upper, const char *work) {
    char options[4096], number[32];
    int directory = open(lower, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -1;
    snprintf(number, sizeof number, "/proc/self/fd/%d", directory);
    if (strpbrk(lower, ":,\\")) lower = number;
    int n = snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
    if (n >= (int)sizeof options) { errno = ENAMETOOLONG; return -1; }
    int result = sandbox_mount_on(target, "overlay", "overlay", 0, options), error = errno;
    close(directory);
    errno = error;
    return result;
}

static int mount_root(const struct sandbox_node *node, struct sandbox_failure *failure) {
    int target = open(node->merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0 || mount_layer(target, "/", node->upper, node->work) < 0)
        return fail(failure, "mount the node's layer over the machine's root on", node->merged);
    close(target);
    int root = open(node->merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? fail(failure, "open", node->merged) : root;
}

// Copies what is mounted at `source` to `target` of the new root.
static int share(int root, const char *source, const char *target, int read_only, struct sandbox_failure *failure) {
    uint64_t attributes = read_only ? MOUNT_ATTR_RDONLY : 0;
    int from = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC), tree = from < 0 ? -1 : sandbox_copy_mounts(from, attributes);
    if (tree < 0) return fail(failure, "open for the node", source);
    int to = host_make_in_root(root, target, 1);
    if (to < 0 || sandbox_place_mounts(tree, to, attributes) < 0) return fail(failure, "mount on the node", target);
    return close(from), close(to), close(tree), 0;
}

static int mount_disks(int root, const struct sandbox_node *node, struct sandbox_failure *failure) {
    for (size_t i = 0; i < node->disk_count; i++) {
        const struct sandbox_disk *disk = &node->disks[i];
        int target = host_make_in_root(root, disk->path, 1);
        if (target < 0) return fail(failure, "make the mount point", disk->path);
        // Not everything can be a lower layer (a file system that folds cases): the node reads it then.
        int mounted = mount_layer(target, disk->path, disk->upper, disk->work);
        close(target);
        if (mounted < 0 && share(root, disk->path, disk->path, 1, failure) < 0) return -1;
    }
    return 0;
}

static int mount_kernel(int root, const char *path, const char *type, struct sandbox_failure *failure) {
    int target = host_make_in_root(root, path, 1);
    if (target < 0 || sandbox_mount_on(target, type, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) return fail(failure, "mount", path);
    return close(target);
}

static int build_node(const struct sandbox_node *node, struct sandbox_failure *failure) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return fail(failure, "make mounts private", NULL);
    if (sethostname(node->hostname, strlen(node->hostname)) < 0) return fail(failure, "sethostname", node->hostname);
    if (sandbox_raise_loopback() < 0) return fail(failure, "raise lo", NULL);
    int root = mount_root(node, failure);
    if (root < 0 || mount_disks(root, node, failure) < 0 || share(root, "/dev", "/dev", 0, failure) < 0) return -1;
    for (size_t i = 0; i < node->folder_count; i++) {
        const struct sandbox_bind *folder = &node->folders[i];
        if (share(root, folder->source, folder->target, folder->read_only, failure) < 0) return -1;
    }
    if (mount_kernel(root, "/proc", "proc", failure) < 0 || mount_kernel(root, "/sys", "sysfs", failure) < 0) return -1;
    // The machine's own tree goes with its last process here: with it the names of other nodes' and pods' namespaces, which it would
    // keep alive.
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return fail(failure, "move to the node's root", node->merged);
    return close(root);
}

pid_t sandbox_start_node(const struct sandbox_node *node, struct sandbox_failure *failure) {
    int report[2];
    memset(failure, 0, sizeof *failure);
    if (pipe2(report, O_CLOEXEC) < 0) { sandbox_fail(failure, "pipe", NULL); return -1; }
    int flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS;
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        struct sandbox_failure said;
        memset(&said, 0, sizeof said);
        close(report[0]);
        setsid();
        build_node(node, &said);
        (void)!write(report[1], &said, sizeof said);
        if (said.error) _exit(127);
        prctl(PR_SET_NAME, "node-init", 0, 0, 0);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0), dup2(null, 1), dup2(null, 2);
        syscall(SYS_close_range, 3, ~0U, 0);
        sandbox_reap_forever();
    }
    if (pid < 0) sandbox_fail(failure, "clone a node's namespaces", NULL);
    close(report[1]);
    if (pid > 0 && (read(report[0], failure, sizeof *failure) != sizeof *failure || failure->error)) {
        if (!failure->error) { errno = EPIPE; sandbox_fail(failure, "start the node's init", NULL); }
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(report[0]);
    return pid;
}

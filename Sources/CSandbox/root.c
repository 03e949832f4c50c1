#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <chost.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// A container's root, in four steps: the layers, the kernel's file systems, the volumes, the move. Until the move everything is
// reached from a descriptor of the new root: the image and the volumes are the container's, and its links must not lead us out.

struct site {
    int sync;
    const struct sandbox_root *wish;
    int root;
};

// The layers by the numbers of their descriptors, as /proc/self/fd has them: five bytes each, whatever they are called. What mount(2)
// takes of its data is a page, and images have a hundred layers and more.
static int number_layers(struct site *site, const char *layers, char *numbers, size_t size) {
    size_t used = 0;
    for (const char *layer = layers; *layer;) {
        char path[PATH_MAX];
        size_t length = strcspn(layer, ":");
        if (length >= sizeof path) { errno = ENAMETOOLONG; return -1; }
        memcpy(path, layer, length);
        path[length] = 0;
        int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) sandbox_die(site->sync, "open the layer", path);
        used += (size_t)snprintf(numbers + used, size - used, "%s%d", used ? ":" : "", directory);
        if (used >= size) { errno = ENAMETOOLONG; return -1; }
        layer += length + (layer[length] == ':');
    }
    return chdir("/proc/self/fd");
}

static void mount_layers(struct site *site) {
    const struct sandbox_root *wish = site->wish;
    char data[4096], numbers[3072];
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) sandbox_die(site->sync, "make mounts private", "/");
    // volatile: a container's layer goes with it, so nothing has to be synced when it is unmounted.
    static const char options[] = "lowerdir=%s,upperdir=%s,workdir=%s,volatile";
    int n = snprintf(data, sizeof data, options, wish->lower, wish->upper, wish->work);
    if (n >= (int)sizeof data) {
        if (number_layers(site, wish->lower, numbers, sizeof numbers) < 0) sandbox_die(site->sync, "open the layers of", wish->merged);
        n = snprintf(data, sizeof data, options, numbers, wish->upper, wish->work);
    }
    if (n >= (int)sizeof data) { errno = ENAMETOOLONG; sandbox_die(site->sync, "mount overlay on", wish->merged); }
    if (mount("overlay", wish->merged, "overlay", wish->no_devices ? MS_NODEV : 0, data) < 0)
        sandbox_die(site->sync, "mount overlay on", wish->merged);
    site->root = open(wish->merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (site->root < 0) sandbox_die(site->sync, "open", wish->merged);
}

static void mount_kernel(const struct site *site, const char *path, const char *type, unsigned long flags, const char *data) {
    int target = host_make_in_root(site->root, path, 1);
    if (target < 0 || sandbox_mount_on(target, type, type, flags, data) < 0) sandbox_die(site->sync, "mount", path);
    close(target);
}

static void make_device(const struct site *site, int dev, const struct sandbox_device *device) {
    char parent[256];
    const char *name = strrchr(device->path, '/');
    snprintf(parent, sizeof parent, "%.*s", name ? (int)(name - device->path) : 0, device->path);
    int directory = host_make_in_root(dev, parent, 1);
    name = name ? name + 1 : device->path;
    if (directory < 0 || mknodat(directory, name, device->mode, makedev(device->major, device->minor)) < 0)
        sandbox_die(site->sync, "make the device", device->path);
    // The mode of mknod is cut by the umask.
    if (fchownat(directory, name, device->uid, device->gid, 0) < 0 || fchmodat(directory, name, device->mode & 07777, 0) < 0)
        sandbox_die(site->sync, "give away the device", device->path);
    close(directory);
}

static void make_dev(const struct site *site) {
    const struct sandbox_root *wish = site->wish;
    mount_kernel(site, "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    mount_kernel(site, "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
    mount_kernel(site, "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (wish->shm) {
        int shm = host_make_in_root(site->root, "/dev/shm", 1);
        if (shm < 0 || sandbox_mount_on(shm, wish->shm, NULL, MS_BIND, NULL) < 0) sandbox_die(site->sync, "mount", "/dev/shm");
        close(shm);
    }
    int dev = host_open_in_root(site->root, "/dev", O_PATH | O_DIRECTORY);
    if (dev < 0) sandbox_die(site->sync, "open", "/dev");
    for (size_t i = 0; i < wish->device_count; i++) make_device(site, dev, &wish->devices[i]);
    static const char *const links[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
        {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0) sandbox_die(site->sync, "link in /dev", links[i][1]);
    close(dev);
}

static void mount_kernels(const struct site *site) {
    mount_kernel(site, "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    make_dev(site);
    mount_kernel(site, "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | (site->wish->privileged ? 0 : MS_RDONLY), NULL);
}

// A copy of the mounts that a volume is. What lies on the node is looked up there, for its links are the node's, and copied there, for
// the kernel copies no mounts of another namespace.
static int copy_volume(const struct site *site, const struct sandbox_bind *bind, uint64_t attributes, struct stat *info) {
    int own = -1;
    if (bind->on_node) {
        own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (own < 0 || setns(site->wish->node, CLONE_NEWNS) < 0) sandbox_die(site->sync, "look on the node for", bind->source);
    }
    int source = open(bind->source, O_PATH | O_CLOEXEC);
    if (source < 0) sandbox_die(site->sync, "mount: no such source", bind->source);
    if (*bind->sub_path) {
        int beneath = bind->in_image ? host_open_in_root(source, bind->sub_path, O_PATH) : host_make_beneath(source, bind->sub_path);
        if (beneath < 0 && bind->in_image && errno == ENOENT) errno = EROFS;  // what is missing cannot be made
        if (beneath < 0) sandbox_die(site->sync, SANDBOX_SUB_PATH_STAGE, bind->sub_path);
        close(source);
        source = beneath;
    }
    if (fstat(source, info) < 0) sandbox_die(site->sync, "look at", bind->source);
    int tree = sandbox_copy_mounts(source, attributes);
    if (tree < 0) sandbox_die(site->sync, "bind", bind->target);
    close(source);
    if (own >= 0 && setns(own, CLONE_NEWNS) < 0) sandbox_die(site->sync, "come back from the node with", bind->source);
    if (own >= 0) close(own);
    return tree;
}

static void mount_volume(const struct site *site, const struct sandbox_bind *bind) {
    struct stat info;
    uint64_t attributes = (bind->read_only ? MOUNT_ATTR_RDONLY : 0) | (site->wish->no_devices ? MOUNT_ATTR_NODEV : 0);
    int tree = copy_volume(site, bind, attributes, &info);
    int target = host_make_in_root(site->root, bind->target, S_ISDIR(info.st_mode));
    if (target < 0) sandbox_die(site->sync, "make the mount point", bind->target);
    if (sandbox_place_mounts(tree, target, attributes) < 0) sandbox_die(site->sync, "bind", bind->target);
    close(tree), close(target);
}

// Hides a path: a directory under an empty read-only tmpfs, a file under /dev/null. Paths the kernel lacks stay so.
static void mask(int sync, const char *path) {
    if (mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT) return;
    if (errno != ENOTDIR || mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=4k,nr_inodes=1") < 0) sandbox_die(sync, "mask", path);
}

static void make_read_only(int sync, const char *path) {
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) {
        if (errno != ENOENT) sandbox_die(sync, "make read-only", path);
        return;
    }
    if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        sandbox_die(sync, "make read-only", path);
}

// A directory that the image may lack: where the process is to begin, as runc makes it, and what the image calls a volume.
static void make_directory(const struct site *site, const char *path) {
    int directory = host_make_in_root(site->root, path, 1);
    struct stat info;
    if (directory >= 0 && fstat(directory, &info) == 0 && !S_ISDIR(info.st_mode)) { errno = ENOTDIR; directory = -1; }
    if (directory < 0) sandbox_die(site->sync, "mkdir", path);
    close(directory);
}

int sandbox_mount_image(const char *layers, const char *target) {
    int held[256];
    size_t count = 0, used = 0;
    char data[4096];
    int result = 0;
    for (const char *layer = layers; *layer && !result;) {
        char path[PATH_MAX];
        size_t length = strcspn(layer, ":");
        if (length >= sizeof path || count == sizeof held / sizeof *held) { result = -ENAMETOOLONG; break; }
        memcpy(path, layer, length);
        path[length] = 0;
        held[count] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (held[count] < 0) { result = -errno; break; }
        used += (size_t)snprintf(data + used, sizeof data - used, "%s/proc/self/fd/%d", used ? ":" : "lowerdir=", held[count++]);
        if (used >= sizeof data) result = -ENAMETOOLONG;
        layer += length + (layer[length] == ':');
    }
    if (!result && mount("overlay", target, "overlay", MS_RDONLY | MS_NOEXEC | MS_NOSUID | MS_NODEV, data) < 0) result = -errno;
    while (count > 0) close(held[--count]);
    return result;
}

static void enter_root(const struct site *site) {
    // pivot_root(".", "."): the old root ends up on top of the new one and is detached (pivot_root(2), NOTES).
    if (fchdir(site->root) < 0) sandbox_die(site->sync, "chdir", site->wish->merged);
    if (syscall(SYS_pivot_root, ".", ".") < 0) sandbox_die(site->sync, "pivot_root to", site->wish->merged);
    if (umount2(".", MNT_DETACH) < 0) sandbox_die(site->sync, "detach the old root", NULL);
    if (chdir("/") < 0) sandbox_die(site->sync, "chdir", "/");
    close(site->root);
    if (!site->wish->privileged) {
        static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
            "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
            "/sys/firmware", "/sys/devices/virtual/powercap"};
        static const char *const guarded[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
        for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) mask(site->sync, masked[i]);
        for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++) make_read_only(site->sync, guarded[i]);
    }
    if (!site->wish->read_only) return;
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | (site->wish->no_devices ? MS_NODEV : 0), NULL) < 0)
        sandbox_die(site->sync, "make read-only", "/");
}

void sandbox_build_root(int sync, const struct sandbox_root *root, const char *cwd) {
    struct site site = {.sync = sync, .wish = root, .root = -1};
    mount_layers(&site);
    (void)mkdirat(site.root, "tmp", 01777);
    // Before the kernel's file systems: some images call /sys/fs/cgroup a volume, where nothing can be made.
    for (size_t i = 0; i < root->directory_count; i++) make_directory(&site, root->directories[i]);
    mount_kernels(&site);
    for (size_t i = 0; i < root->bind_count; i++) mount_volume(&site, &root->binds[i]);
    if (cwd[0] != '/') { errno = EINVAL; sandbox_die(sync, "Cwd must be an absolute path:", cwd); }
    make_directory(&site, cwd);
    enter_root(&site);
}

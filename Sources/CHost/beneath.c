#define _GNU_SOURCE
#include "chost.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Paths in trees that somebody else may change while we look: everything goes by descriptors, and the kernel resolves.

static int open_resolved(int directory, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_MAGICLINKS};
    for (int tries = 0;; tries++) {
        int fd = (int)syscall(SYS_openat2, directory, *path ? path : ".", &how, sizeof how);
        // EAGAIN: something on the way was renamed while the kernel looked at "..".
        if (fd >= 0 || errno != EAGAIN || tries == 64) return fd;
    }
}

int host_open_in_root(int root, const char *path, int flags) { return open_resolved(root, path, (uint64_t)flags, RESOLVE_IN_ROOT); }

int host_read_in_root(const char *root, const char *path) {
    int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -errno;
    int fd = host_open_in_root(directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY), error = errno;
    close(directory);
    if (fd < 0) return -error;
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return fd;
    close(fd);
    return -EINVAL;
}

int host_mode_in_root(int root, const char *path) {
    struct stat info;
    int place = host_open_in_root(root, path, O_PATH);
    if (place < 0) return -errno;
    int result = fstat(place, &info) < 0 ? -errno : (int)info.st_mode;
    close(place);
    return result;
}

// Where the link `name` of `parent` leads, put in the place of the first `taken` bytes of `path`, of which `name` is the last part.
static int follow_link(int parent, const char *name, char *path, size_t taken) {
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
    if (length < 0) return -1;
    target[length] = 0;
    strcpy(rest, path + taken);
    size_t before = target[0] == '/' ? 0 : taken - strlen(name);
    if (snprintf(path + before, PATH_MAX - before, "%s%s", target, rest) < (int)(PATH_MAX - before)) return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int make_one(int parent, const char *name, int is_directory) {
    if (is_directory) return mkdirat(parent, name, 0755) < 0 && errno != EEXIST ? -1 : 0;
    int fd = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);  // never opens what is there: it might wait for ever
    if (fd >= 0) close(fd);
    return fd < 0 && errno != EEXIST ? -1 : 0;
}

// Walks down `path` as far as it is there, and makes the rest. 1: `path` has changed, for it led through a link to nowhere.
static int walk_down(int root, char *path, int is_directory, int *end) {
    int parent = host_open_in_root(root, "", O_PATH | O_DIRECTORY), result = -1;
    if (parent < 0) return -1;
    for (char *name = path + strspn(path, "/"); *name;) {
        char *after = name + strcspn(name, "/"), separator = *after;
        char *next = after + strspn(after, "/");
        *after = 0;
        int place = host_open_in_root(root, path, O_PATH);
        if (place < 0 && errno == ENOENT) {
            struct stat info;
            if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode)) {
                char link[NAME_MAX + 1];
                snprintf(link, sizeof link, "%s", name);
                size_t taken = (size_t)(after - path);
                *after = separator;
                result = follow_link(parent, link, path, taken) < 0 ? -1 : 1;
                break;
            }
            if (make_one(parent, name, is_directory || *next) == 0) place = host_open_in_root(root, path, O_PATH);
        }
        *after = separator;
        if (place < 0) break;
        close(parent);
        parent = place;
        name = next;
        if (!*name) { *end = parent; return 0; }
    }
    int error = errno;
    if (result < 0 && !path[strspn(path, "/")]) { *end = parent; return 0; }  // the root itself
    close(parent);
    errno = error;
    return result;
}

int host_make_in_root(int root, const char *path, int is_directory) {
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) { errno = ENAMETOOLONG; return -1; }
    for (int links = 0; links < 40; links++) {
        int end = -1, result = walk_down(root, copy, is_directory, &end);
        if (result <= 0) return result < 0 ? -1 : end;
    }
    errno = ELOOP;
    return -1;
}

int host_make_beneath(int directory, const char *path) {
    struct stat info;
    char copy[PATH_MAX];
    if (fstat(directory, &info) < 0) return -1;
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) { errno = ENAMETOOLONG; return -1; }
    int parent = open_resolved(directory, "", O_PATH, RESOLVE_BENEATH);
    for (char *name = copy + strspn(copy, "/"); *name && parent >= 0;) {
        char *after = name + strcspn(name, "/"), separator = *after;
        *after = 0;
        int place = open_resolved(directory, copy, O_PATH, RESOLVE_BENEATH);
        if (place < 0 && errno == ENOENT && (mkdirat(parent, name, 0700) == 0 || errno == EEXIST)) {
            // The mode of mkdir is cut by the umask; and what is there by now may be a link to elsewhere.
            place = open_resolved(directory, copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH);
            if (place >= 0 && fchmod(place, info.st_mode & 07777) < 0) { close(place); place = -1; }
        }
        int error = errno;
        close(parent);
        errno = error;
        parent = place;
        *after = separator;
        name = after + strspn(after, "/");
    }
    return parent;
}

static int give_one(int place, const struct stat *info, gid_t group) {
    char path[32];
    if (fchownat(place, "", (uid_t)-1, group, AT_EMPTY_PATH) < 0) return -1;
    if (S_ISLNK(info->st_mode)) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", place);
    return chmod(path, (info->st_mode & 07777) | (S_ISDIR(info->st_mode) ? HOST_GROUP_DIRECTORY : HOST_GROUP_FILE));
}

// Each level costs a descriptor; deeper than any path can name is somebody's mischief.
static int give_all(int place, gid_t group, int depth) {
    struct stat info;
    if (fstat(place, &info) < 0 || give_one(place, &info, group) < 0) return -1;
    if (!S_ISDIR(info.st_mode)) return 0;
    if (depth == 512) { errno = ENAMETOOLONG; return -1; }
    int opened = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    DIR *entries = opened < 0 ? NULL : fdopendir(opened);
    if (!entries) { if (opened >= 0) close(opened); return -1; }
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        int below = openat(opened, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0 && errno == ENOENT) continue;  // it went meanwhile
        if (below < 0) { result = -1; break; }
        result = give_all(below, group, depth + 1);
        int error = errno;
        close(below);
        errno = error;
    }
    int error = errno;
    closedir(entries);
    errno = error;
    return result;
}

int host_give_group(int directory, gid_t group) { return give_all(directory, group, 0) < 0 ? -errno : 0; }

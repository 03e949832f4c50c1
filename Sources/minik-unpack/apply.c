#define _GNU_SOURCE
#include "unpack.h"
#include "tree.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

// Entries of a layer, made files (opencontainers/image-spec layer.md). Our root is the layer's directory: whatever a name or a link says,
// the kernel finds nothing else. Whiteouts become overlayfs' own: a device 0:0, and an xattr on a directory that hides all below it.

static const char hide_one[] = ".wh.", hide_all[] = ".wh..wh..opq", hide_meta[] = ".wh..wh.";

static const char *what_entry(const char *path) { return *path ? path : "/"; }

// A directory's times change with each entry in it: they are set at the end.
static struct directory {
    char *path;
    struct timespec times[2];
} *directories;
static size_t directory_count;

static void set_times_later(const char *path, const struct timespec times[2]) {
    if ((directory_count & (directory_count - 1)) == 0) {
        struct directory *more = realloc(directories, (directory_count ? 2 * directory_count : 1) * sizeof *more);
        if (!more) fail("no memory for so many directories");
        directories = more;
    }
    struct directory *last = &directories[directory_count++];
    if (!(last->path = strdup(path))) fail("no memory for so many directories");
    memcpy(last->times, times, sizeof last->times);
}

static void set_directory_times(void) {
    for (size_t i = 0; i < directory_count; i++)
        // Something else may have taken its place since.
        (void)utimensat(AT_FDCWD, *directories[i].path ? directories[i].path : ".", directories[i].times, AT_SYMLINK_NOFOLLOW);
}

static uint32_t owner(int64_t id, const char *path) {
    if (id < 0 || id >= UINT32_MAX) fail("%s belongs to nobody: %lld", what_entry(path), (long long)id);
    return (uint32_t)id;
}

// user.* and file capabilities; what else there is (labels of other machines, marks of overlayfs) is not an image's to say.
static void set_attributes(int file, struct archive_entry *entry, const char *path) {
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (strncmp(name, "user.", 5) != 0 && strcmp(name, "security.capability") != 0) continue;
        if (fsetxattr(file, name, value, size, 0) < 0 && errno != ENOTSUP) fail("set %s of %s: %s", name, what_entry(path), strerror(errno));
    }
}

static void read_times(struct archive_entry *entry, struct timespec times[2]) {
    times[0] = times[1] = (struct timespec){.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)};
}

// Owner first: changing it takes setuid bits and capabilities away.
static void finish_file(int file, struct archive_entry *entry, const char *path) {
    if (fchown(file, owner(archive_entry_uid(entry), path), owner(archive_entry_gid(entry), path)) < 0)
        fail("give %s to its owner: %s", what_entry(path), strerror(errno));
    if (fchmod(file, archive_entry_mode(entry) & 07777) < 0) fail("set the mode of %s: %s", what_entry(path), strerror(errno));
    set_attributes(file, entry, path);
}

static void make_directory(const struct place *place, struct archive_entry *entry, int marks) {
    struct timespec times[2];
    int directory = *place->name ? tree_directory(place, marks) : open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail("open %s: %s", what_entry(place->path), strerror(errno));
    finish_file(directory, entry, place->path);
    close(directory);
    read_times(entry, times);
    set_times_later(place->path, times);
}

static void make_regular(const struct place *place, struct archive *tar, struct archive_entry *entry) {
    int file = openat(place->parent, place->name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600), result;
    if (file < 0) fail("make %s: %s", place->path, strerror(errno));
    const void *piece;
    size_t length;
    int64_t offset;
    while ((result = archive_read_data_block(tar, &piece, &length, &offset)) == ARCHIVE_OK)
        for (size_t done = 0; done < length;) {
            ssize_t n = pwrite(file, (const char *)piece + done, length - done, offset + (int64_t)done);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) fail("write %s: %s", place->path, strerror(n < 0 ? errno : EIO));
            done += (size_t)n;
        }
    if (result != ARCHIVE_EOF) fail("it is damaged or cut short in %s: %s", place->path, archive_error_string(tar));
    if (ftruncate(file, archive_entry_size(entry)) < 0) fail("write %s: %s", place->path, strerror(errno));
    finish_file(file, entry, place->path);
    struct timespec times[2];
    read_times(entry, times);
    if (futimens(file, times) < 0) fail("set the times of %s: %s", place->path, strerror(errno));
    close(file);
}

static void make_other(const struct place *place, struct archive_entry *entry, mode_t type) {
    const char *link = archive_entry_symlink(entry);
    dev_t device = makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry));
    int result = type == AE_IFLNK ? symlinkat(link ? link : "", place->parent, place->name)
                                  : mknodat(place->parent, place->name, (type & S_IFMT) | 0600, type == AE_IFIFO ? 0 : device);
    if (result < 0) fail("make %s: %s", place->path, strerror(errno));
    if (fchownat(place->parent, place->name, owner(archive_entry_uid(entry), place->path), owner(archive_entry_gid(entry), place->path),
                 AT_SYMLINK_NOFOLLOW) < 0)
        fail("give %s to its owner: %s", place->path, strerror(errno));
    // A name that we have just made, in a tree that nobody else changes.
    if (type != AE_IFLNK && fchmodat(place->parent, place->name, archive_entry_mode(entry) & 07777, 0) < 0)
        fail("set the mode of %s: %s", place->path, strerror(errno));
    struct timespec times[2];
    read_times(entry, times);
    (void)utimensat(place->parent, place->name, times, AT_SYMLINK_NOFOLLOW);
}

static void make_hard_link(const struct place *place, const char *target, int marks) {
    char *path = tree_clean(target);
    if (strcmp(path, place->path) == 0) fail("%s is a hard link to itself", place->path);
    struct place old = tree_place(path, marks);
    tree_remove(place->parent, place->name, place->path);
    if (!*old.name || linkat(old.parent, old.name, place->parent, place->name, 0) < 0)
        fail("link %s to %s: %s", place->path, what_entry(path), strerror(*old.name ? errno : EPERM));
    tree_leave(&old);
    free(path);
}

// 1: the entry was a whiteout, and is done.
static int apply_whiteout(const struct place *place, int marks) {
    if (strncmp(place->name, hide_one, sizeof hide_one - 1) != 0) return 0;
    if (strcmp(place->name, hide_all) == 0) {
        tree_hide_all(place, marks);
        return 1;
    }
    if (strncmp(place->name, hide_meta, sizeof hide_meta - 1) == 0) return 1;  // of aufs, for itself
    const char *hidden = place->name + sizeof hide_one - 1;
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0) fail("the whiteout %s hides no file", place->path);
    tree_hide(place, hidden, marks);
    return 1;
}

static void apply_entry(struct archive *tar, struct archive_entry *entry, int marks) {
    const char *name = archive_entry_pathname(entry), *target = archive_entry_hardlink(entry);
    if (!name) fail("it holds a name that cannot be read");
    char *path = tree_clean(name);
    mode_t type = archive_entry_filetype(entry);
    struct place place = tree_place(path, marks);
    if (!*place.name && (target || type != AE_IFDIR)) fail("it wants to put a file in the place of its root");
    if (!apply_whiteout(&place, marks)) {
        if (target) {
            make_hard_link(&place, target, marks);
        } else if (type == AE_IFDIR) {
            make_directory(&place, entry, marks);
        } else {
            tree_remove(place.parent, place.name, path);
            if (type == AE_IFREG) make_regular(&place, tar, entry);
            else if (type == AE_IFLNK || type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO) make_other(&place, entry, type);
            else fail("%s is of no kind that a layer may hold", path);
        }
    }
    tree_leave(&place);
    free(path);
}

uint64_t apply_entries(struct archive *tar, int marks, uint64_t most_entries) {
    struct archive_entry *entry;
    uint64_t count = 0;
    int result;
    while ((result = archive_read_next_header(tar, &entry)) == ARCHIVE_OK || result == ARCHIVE_WARN) {
        if (++count > most_entries) fail("it holds more than %llu files", (unsigned long long)most_entries);
        apply_entry(tar, entry, marks);
        if (count + tree_implied() > most_entries) fail("it holds more than %llu files and directories", (unsigned long long)most_entries);
    }
    if (result != ARCHIVE_EOF) fail("it is damaged, cut short or no tar: %s", archive_error_string(tar));
    set_directory_times();
    return count;
}

#define _GNU_SOURCE
#include "tree.h"
#include "inodes.h"
#include "unpack.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { look = O_PATH | O_DIRECTORY | O_CLOEXEC, hold = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

// The directories that hide all below them, and those that have no entry of their own.
static struct inodes opaque, implied;
static unsigned long long implied_count;

unsigned long long tree_implied(void) { return implied_count; }

char *tree_clean(const char *path) {
    if (strlen(path) >= PATH_MAX) fail("it holds a path of %zu bytes; Linux has none longer than %d", strlen(path), PATH_MAX - 1);
    char *clean = malloc(strlen(path) + 1);
    if (!clean) fail("no memory");
    size_t end = 0;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (end > 0 && clean[end - 1] != '/') end--;  // up, and at the root no further
            if (end > 0) end--;
        } else if (length > 0 && !(length == 1 && path[0] == '.')) {
            if (end > 0) clean[end++] = '/';
            memcpy(clean + end, path, length);
            end += length;
        }
        path += length;
        path += strspn(path, "/");
    }
    clean[end] = 0;
    return clean;
}

static int is_whiteout(int parent, const char *name) {
    struct stat info;
    return fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

static void mark_opaque(int directory, const char *path, int marks) {
    if (inodes_add(&opaque, directory)) ask_for_mark(marks, directory, opaque_mark, path);
}

// A new directory; in the place of a whiteout it hides what the layers below have there.
static int make_directory(int parent, const char *name, const char *path, int marks) {
    int was_hidden = is_whiteout(parent, name);
    if (was_hidden && unlinkat(parent, name, 0) < 0) fail("replace %s: %s", path, strerror(errno));
    if (mkdirat(parent, name, 0755) < 0) fail("make the directory %s: %s", path, strerror(errno));
    int directory = openat(parent, name, hold);
    if (directory < 0) fail("open %s: %s", path, strerror(errno));
    if (was_hidden) mark_opaque(directory, path, marks);
    return directory;
}

// One that is there for what lies in it. What it is like the layers below say, or a later entry.
static int imply_directory(int parent, const char *name, const char *path, int marks) {
    int directory = make_directory(parent, name, path, marks);
    if (inodes_add(&implied, directory)) {
        ask_for_mark(marks, directory, implied_mark, path);
        implied_count++;
    }
    return directory;
}

// The directory `path` as `base` finds it, links followed; what is missing is made. `whole` is what to call it.
static int walk(int base, const char *path, const char *whole, int marks, int links) {
    int here = openat(base, *path == '/' ? "/" : ".", look);
    if (here < 0) fail("open a directory on the way to %s: %s", whole, strerror(errno));
    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        char name[NAME_MAX + 1];
        size_t length = strcspn(path, "/");
        if (length > NAME_MAX) fail("%s holds a name of more than %d bytes", whole, NAME_MAX);
        memcpy(name, path, length);
        name[length] = 0;
        path += length;
        int next = openat(here, name, look);
        if (next < 0 && errno == ENOENT) {
            // A link to what only a layer below has: its target is made here, too.
            char target[PATH_MAX];
            ssize_t size = readlinkat(here, name, target, sizeof target - 1);
            if (size >= 0) {
                target[size] = 0;
                if (links == 0) fail("%s leads through too many links", whole);
                next = walk(here, target, whole, marks, links - 1);
            } else {
                next = imply_directory(here, name, whole, marks);
            }
        } else if (next < 0 && errno == ENOTDIR && is_whiteout(here, name)) {
            next = imply_directory(here, name, whole, marks);
        }
        if (next < 0) fail("%s: %s is no directory: %s", whole, name, strerror(errno));
        close(here);
        here = next;
    }
    return here;
}

struct place tree_place(const char *path, int marks) {
    const char *slash = strrchr(path, '/');
    char *above = strndup(path, slash ? (size_t)(slash - path) : 0);
    if (!above) fail("no memory");
    struct place place = {.path = path, .name = slash ? slash + 1 : path, .parent = walk(AT_FDCWD, above, path, marks, 40)};
    free(above);
    return place;
}

void tree_leave(struct place *place) { close(place->parent); }

int tree_directory(const struct place *place, int marks) {
    int directory = openat(place->parent, place->name, hold);
    if (directory >= 0) {
        if (inodes_remove(&implied, directory)) {
            ask_for_mark(marks, directory, named_mark, place->path);
            implied_count--;
        }
        return directory;
    }
    if (!is_whiteout(place->parent, place->name)) tree_remove(place->parent, place->name, place->path);
    return make_directory(place->parent, place->name, place->path, marks);
}

// Calls `body` for each name in a directory; it may remove it.
static void each_name(int directory, const char *path, void (*body)(int, const char *, const char *)) {
    int own = openat(directory, ".", hold);
    DIR *stream = own < 0 ? NULL : fdopendir(own);
    if (!stream) fail("read %s: %s", path, strerror(errno));
    for (struct dirent *entry; (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) body(directory, entry->d_name, path);
    closedir(stream);
}

void tree_remove(int parent, const char *name, const char *path) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR) fail("replace %s: %s", path, strerror(errno));
    int directory = openat(parent, name, hold);
    if (directory < 0) fail("replace %s: %s", path, strerror(errno));
    each_name(directory, path, tree_remove);
    inodes_remove(&opaque, directory);
    if (inodes_remove(&implied, directory)) implied_count--;
    close(directory);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0) fail("replace %s: %s", path, strerror(errno));
}

void tree_hide(const struct place *place, const char *name, int marks) {
    // Nothing from below is seen there anyhow; and in a directory that is one layer's alone, a whiteout would be listed.
    if (inodes_have(&opaque, place->parent)) return;
    if (mknodat(place->parent, name, S_IFCHR | 0600, 0) == 0) return;
    if (errno != EEXIST) fail("hide %s as %s wishes: %s", name, place->path, strerror(errno));
    // What this layer itself has there stays, and hides what is below already; a directory does so when it is told to.
    int directory = openat(place->parent, name, hold);
    if (directory < 0) return;
    mark_opaque(directory, place->path, marks);
    close(directory);
}

static void remove_whiteout(int directory, const char *name, const char *path) {
    if (is_whiteout(directory, name)) tree_remove(directory, name, path);
}

void tree_hide_all(const struct place *place, int marks) {
    int directory = openat(place->parent, ".", hold);
    if (directory < 0) fail("open the directory of %s: %s", place->path, strerror(errno));
    mark_opaque(directory, place->path, marks);
    each_name(directory, place->path, remove_whiteout);
    close(directory);
}

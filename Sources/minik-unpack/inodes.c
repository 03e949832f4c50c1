#include "inodes.h"
#include "unpack.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { free_slot = 0, left_slot = 1 };

static ino_t inode_of(int directory) {
    struct stat info;
    if (fstat(directory, &info) < 0) fail("look at a directory: %s", strerror(errno));
    return info.st_ino;
}

// The slot that holds `inode`, or the free one where its search ends.
static size_t find(const struct inodes *set, ino_t inode) {
    size_t i = (size_t)(inode * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (set->size - 1);
    while (set->slots[i] != inode && set->slots[i] != free_slot) i = (i + 1) & (set->size - 1);
    return i;
}

static void grow(struct inodes *set) {
    struct inodes bigger = {.size = set->size ? 2 * set->size : 64};
    if (!(bigger.slots = calloc(bigger.size, sizeof *bigger.slots))) fail("no memory for so many directories");
    for (size_t i = 0; i < set->size; i++)
        if (set->slots[i] > left_slot) {
            bigger.slots[find(&bigger, set->slots[i])] = set->slots[i];
            bigger.used++;
        }
    free(set->slots);
    *set = bigger;
}

int inodes_add(struct inodes *set, int directory) {
    ino_t inode = inode_of(directory);
    if (2 * set->used >= set->size) grow(set);
    size_t i = find(set, inode);
    if (set->slots[i] == inode) return 0;
    set->slots[i] = inode;
    set->used++;
    return 1;
}

int inodes_have(const struct inodes *set, int directory) {
    ino_t inode = inode_of(directory);
    return set->size > 0 && set->slots[find(set, inode)] == inode;
}

int inodes_remove(struct inodes *set, int directory) {
    ino_t inode = inode_of(directory);
    if (set->size == 0) return 0;
    size_t i = find(set, inode);
    if (set->slots[i] != inode) return 0;
    set->slots[i] = left_slot;
    return 1;
}

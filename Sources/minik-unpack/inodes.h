#ifndef INODES_H
#define INODES_H
#include <stddef.h>
#include <sys/types.h>

/// A set of directories, by inode: a hash table with open addressing, whose size is a power of two. All zero: empty.
struct inodes {
    ino_t *slots;  // 0: free, 1: was taken once
    size_t size, used;
};

/// 1 when `directory`, a descriptor, was not in the set.
int inodes_add(struct inodes *set, int directory);
int inodes_have(const struct inodes *set, int directory);
/// 1 when it was in the set.
int inodes_remove(struct inodes *set, int directory);
#endif

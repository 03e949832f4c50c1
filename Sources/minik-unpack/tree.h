#ifndef TREE_H
#define TREE_H

// The tree that grows below our root.

/// Where an entry belongs: the directory that holds it, and its last name ("" for the root itself).
struct place {
    const char *path, *name;
    int parent;
};

/// A path as our root has it: no leading slash, no empty part, no `.` and no `..`. To be freed.
char *tree_clean(const char *path);
/// Finds the directory that is to hold `path`, which is clean, and makes what is missing of it.
struct place tree_place(const char *path, int marks);
void tree_leave(struct place *place);
/// How many directories there are that something lies in, and that `tree_directory` was not asked for.
unsigned long long tree_implied(void);
/// The directory at `place`, made unless it is there; one in the place of a whiteout hides what is below it.
int tree_directory(const struct place *place, int marks);
/// Removes what is at a name, whole trees too.
void tree_remove(int parent, const char *name, const char *path);
/// Hides `name` of the layers below, in the directory of `place`.
void tree_hide(const struct place *place, const char *name, int marks);
/// Hides all that layers below have in the directory of `place`.
void tree_hide_all(const struct place *place, int marks);
#endif

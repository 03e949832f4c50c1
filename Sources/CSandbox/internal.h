#ifndef CSANDBOX_INTERNAL_H
#define CSANDBOX_INTERNAL_H
#include "csandbox.h"

void sandbox_fail(struct sandbox_failure *failure, const char *stage, const char *object);
/// Reports a failure to the parent, which reads `sync`, and ends the child.
void sandbox_die(int sync, const char *stage, const char *object) __attribute__((noreturn));
/// Puts the caller into the control groups of a process.
void sandbox_join_cgroups(int sync, const struct sandbox_process *process);
/// Builds a container's root in the caller's own mount namespace and moves into it; what is missing of the directory `cwd` is made.
void sandbox_build_root(int sync, const struct sandbox_root *root, const char *cwd);
/// Becomes the process: session, stdio or terminal, directory, privileges, program.
void sandbox_run(int sync, const struct sandbox_process *process) __attribute__((noreturn));
/// Becomes the program, with nothing but signals changed.
void sandbox_execute(int sync, const struct sandbox_process *process) __attribute__((noreturn));
void sandbox_reset_signals(void);
/// `ip link set lo up`, in the caller's network namespace.
int sandbox_raise_loopback(void);
/// mount(2) on what a descriptor stands for.
int sandbox_mount_on(int target, const char *source, const char *type, unsigned long flags, const char *data);
/// A copy of the mounts at `source` and below it, with `attributes` (MOUNT_ATTR_*) before anybody sees it; its descriptor, or -1 and errno.
int sandbox_copy_mounts(int source, uint64_t attributes);
/// Mounts such a copy on `target`. 0, or -1 and errno.
int sandbox_place_mounts(int tree, int target, uint64_t attributes);
#endif

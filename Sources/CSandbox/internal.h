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
#endif

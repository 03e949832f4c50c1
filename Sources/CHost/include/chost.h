#ifndef CHOST_H
#define CHOST_H

// What the machine offers and Swift cannot call: by its types, its macros, or because nothing of Swift may run there.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Processes.

/// posix_spawn with a new session: stdio from `stdio`, `extra` at descriptor 3 (or -1), everything else closed.
/// Returns the pid or -errno.
pid_t host_spawn(const char *path, char *const *argv, char *const *envp, const int stdio[3], int extra);
/// A descriptor of the process, or -errno.
int host_pidfd_open(pid_t pid);
/// Sends a signal to the process; 0 or -errno.
int host_pidfd_kill(int pidfd, int signal);
/// Blocks SIGCHLD, SIGTERM and SIGPIPE and returns a non-blocking descriptor that tells them.
int host_signal_fd(void);
/// The next signal told by `fd`, or 0.
int host_next_signal(int fd);
/// From now on the signals are told as bytes on the returned descriptor (or -errno) instead of ending the process. Any
/// signal that a shell had made us ignore is heard too.
int host_catch(const int *signals, size_t count);
/// wait status -> exit code as a shell says it: the code, or 128 + signal.
int host_exit_code(int status);
/// Whether a signal ended it.
int host_was_signaled(int status);
/// mallopt(3) M_ARENA_MAX: so few heaps, whatever the number of threads. Before the first thread.
void host_limit_heaps(int count);
/// malloc_trim(3): free pages go back to the machine.
void host_trim_memory(void);
/// Makes standard output tell each line as it ends, a pipe's reader included.
void host_line_buffer(void);

// Descriptors.

/// pipe2(2), close-on-exec; 0 or -errno.
int host_pipe(int fds[2]);
/// A Unix socket bound to and listening on (or connected to) `path` (with @ at its beginning: a name without a file); the descriptor or
/// -errno.
int host_unix_socket(const char *path, int type, int listening);
/// accept4(2), close-on-exec; the descriptor or -errno.
int host_accept(int fd);
/// Sends one message with descriptors over a Unix socket.
ssize_t host_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count);
/// Receives one; the descriptors that came with it are close-on-exec.
ssize_t host_receive(int fd, void *bytes, size_t capacity, int *fds, size_t fd_capacity, size_t *fd_count);
/// memfd_create(2), close-on-exec; the descriptor or -errno.
int host_memory_file(void);
/// A file without a name in `directory`, gone when it is closed; the descriptor or -errno.
int host_unnamed_file(const char *directory);
/// syncfs(2) of the file system that `path` lies in; 0 or -errno.
int host_sync(const char *path);
/// Tells a terminal its size; 0 or -errno.
int host_set_window(int terminal, uint16_t rows, uint16_t columns);

// Paths in trees that somebody else may change while we look.

/// openat2(2) with what `path` means to a process whose root is the directory `root`; the descriptor (close-on-exec) or -1 and errno.
int host_open_in_root(int root, const char *path, int flags);
/// Opens the regular file `path` of a tree that is not ours: no link leads out of it and nothing is waited for. The descriptor or -errno.
int host_read_in_root(const char *root, const char *path);
/// The mode (stat(2)) of what `path` is to a process whose root is the directory `root`, links followed; or -errno.
int host_mode_in_root(int root, const char *path);
/// Makes what is missing of `path` below the directory `root`, as a process with that root would find it: directories, and at
/// its end a file unless `is_directory`. An O_PATH descriptor of the end, or -1 and errno.
int host_make_in_root(int root, const char *path, int is_directory);
/// The same for directories that links must not lead out of at all; what is missing is made with the mode of `directory`.
int host_make_beneath(int directory, const char *path);
/// What a group may do with what is given to it, beside what others may.
#define HOST_GROUP_DIRECTORY 02770
#define HOST_GROUP_FILE 0660
/// Gives a directory and all below it to a group, which may read and write there; what is made in it later is the group's, too. No link is
/// followed. 0 or -errno.
int host_give_group(int directory, gid_t group);

// Mounts and control groups.

/// 1: what lies at `path` is in memory alone (tmpfs or ramfs); 0: it is not; or -errno.
int host_is_memory(const char *path);
/// umount2(path, MNT_DETACH); 0 or -errno.
int host_unmount(const char *path);
/// Marks a directory of an overlay's upper layer: nothing of the layers below shows in it. (overlayfs, "whiteouts and opaque directories")
int host_make_opaque(const char *directory);
/// Binds `source` on `target`; 0 or -errno.
int host_bind_mount(const char *source, const char *target);
/// Makes `path` a shared mount point of its own, as `ip netns add` does with /run/netns; 1 if it was made now, 0 if it
/// was one already, or -errno.
int host_share_mount(const char *path);
/// Attaches a device program (instructions of linux/bpf.h) to a control group of version 2; 0 or -errno.
int host_limit_devices(const char *cgroup, const uint64_t *program, size_t count);

#endif

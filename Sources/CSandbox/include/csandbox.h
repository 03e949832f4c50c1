#ifndef CSANDBOX_H
#define CSANDBOX_H

// The C that has to be C: what runs between clone and exec, and what must own a thread while it changes namespaces.
// Nothing here allocates or takes a lock after a clone.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Where a start failed. `stage` names the step; `error` is the errno. A zero `error` means success.
struct sandbox_failure {
    int error;
    char stage[512];
};

/// The stage of a failure to find or make what a sub-path names.
#define SANDBOX_SUB_PATH_STAGE "prepare subPath"
/// The stage of a failure to become the program; the program's name follows.
#define SANDBOX_EXEC_STAGE "exec:"

/// Milliseconds that a container, or a process that enters one, may take until its program runs.
enum { sandbox_start_limit = 60000, sandbox_enter_limit = 20000 };

/// A bind mount into the container: host path -> path inside the image's root. A `sub_path` that is not empty leads to what
/// below the source is mounted: it may follow links but never out of the source, and what is missing of it is made as the source is.
struct sandbox_bind {
    const char *source;
    const char *sub_path;
    const char *target;
    int read_only;
    int on_node;            // the source is a path of the node's
    int in_image;           // the source shows an image: links of the sub-path mean its files, and nothing is made
};

/// A device in the container's /dev.
struct sandbox_device {
    const char *path;       // below /dev
    uint32_t mode;          // type and permissions
    uint32_t major, minor;
    uint32_t uid, gid;
};

/// What a process runs as.
struct sandbox_process {
    char *const *argv;
    char *const *envp;
    const char *cwd;
    uint32_t uid, gid;
    const uint32_t *groups;  // supplementary groups
    size_t group_count;
    uint64_t capabilities;  // effective, permitted and bounding, a bit each; what the caller itself lacks is left out
    int keyless;            // non-zero: no calls to the kernel's keyrings, which know users and not containers
    const char *const *cgroups;  // directories of control groups to run in
    size_t cgroup_count;
    int no_new_privileges;
    int stdio[3];           // -1: /dev/null; ignored with a terminal
    int terminal;           // non-zero: a new pty becomes its controlling terminal
    int console;            // non-zero: the terminal is the container's /dev/console too
    uint16_t rows, columns;
};

/// A container's root and what is mounted into it.
struct sandbox_root {
    const char *lower, *upper, *work;  // overlay layers; the image is `lower`: as many as it has, colons between, the topmost first
    const char *merged;                // an empty directory the overlay is mounted on
    const struct sandbox_bind *binds;
    size_t bind_count;
    const struct sandbox_device *devices;
    size_t device_count;
    const char *const *directories;    // made in the container's own layer when the image lacks them
    size_t directory_count;
    const char *shm;                   // the pod's /dev/shm
    int read_only;
    int privileged;                    // no masked paths, writable /proc/sys and /sys
    int no_devices;                    // device files on its layers and volumes do not open (nodev)
    pid_t target;                      // a process of the pod whose PID namespace is shared; 0: one of its own
    int node;                          // a pidfd of the node's init
};

/// Starts a container: new PID and mount namespaces, everything else as the caller's.
/// Returns the pid as the caller sees it; `terminal_fd` receives the pty's master or -1.
pid_t sandbox_start(const struct sandbox_root *root, const struct sandbox_process *process,
                    int *terminal_fd, struct sandbox_failure *failure);

/// The namespaces of a container that `sandbox_enter` joins when the caller already lives in its pod.
enum { sandbox_container_namespaces = 0x20020000 };  // CLONE_NEWPID | CLONE_NEWNS
/// All the namespaces of a node.
enum { sandbox_node_namespaces = 0x6C020000 };  // and CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC

/// Runs a process inside the namespaces of `target` named by `namespaces` (CLONE_NEW* bits). The new process is a
/// child of the caller.
pid_t sandbox_enter(pid_t target, int namespaces, const struct sandbox_process *process,
                    int *terminal_fd, struct sandbox_failure *failure);

/// Runs a command in all of a node's namespaces, with the caller's terminal and stdio, in its session and process group.
pid_t sandbox_join(pid_t target, char *const *argv, char *const *envp, struct sandbox_failure *failure);

/// Becomes the program argv[0], with signals as a shell would leave them; -errno if it cannot.
int sandbox_replace(char *const *argv);

/// setns(fd, CLONE_NEWNET) for the calling thread; 0 or -errno.
int sandbox_enter_network(int fd);

/// Makes the caller a pod's supervisor: born again below the init of node `node_pid`, with network, IPC, UTS and mount
/// namespaces that are the pod's, but for those that it shares with the node (a network goes with its UTS namespace). `shm` is where
/// the pod's shared memory is mounted; the node's own where IPC is shared. The caller must have one thread.
/// Returns, in the new process only, its pid as the old one's namespace counts, or -1.
enum { sandbox_shares_network = 1, sandbox_shares_ipc = 2 };
pid_t sandbox_become_pod(pid_t node_pid, const char *hostname, const char *shm, int shared, struct sandbox_failure *failure);

/// Starts the first process of a PID namespace for a pod's containers to be born into: it reaps, and ends with its parent. Its pid or -errno.
pid_t sandbox_start_pause(void);

/// Mounts a tmpfs of at most `size` bytes (0: as the kernel likes) on `path`, for everybody, or for group `gid` unless that is 0.
/// 0 or -errno.
int sandbox_mount_memory(const char *path, uint64_t size, uint32_t gid);

/// Mounts an image's layers (colons between, the topmost first, two at least) on `target`, where nobody writes and nothing runs. 0 or -errno.
int sandbox_mount_image(const char *layers, const char *target);

/// A disk of the machine's that is mounted somewhere below its root, and where what a node changes of it goes.
struct sandbox_disk {
    const char *path;
    const char *upper, *work;
};

/// A node's root: the machine's own, whose files the node sees and does not change, and what is mounted into it.
struct sandbox_node {
    const char *hostname;
    const char *upper, *work;          // the node's layer
    const char *merged;                // an empty directory the root is mounted on
    const struct sandbox_disk *disks;  // outer ones first
    size_t disk_count;
    const struct sandbox_bind *folders;  // directories of the machine's, in order
    size_t folder_count;
};

/// Forks the init of an emulated node in namespaces of its own (network, IPC, UTS, PID, mount), with the machine's /dev and a /proc and
/// /sys of its own.
pid_t sandbox_start_node(const struct sandbox_node *node, struct sandbox_failure *failure);

/// Reaps children for ever: the life of a node's init.
void sandbox_reap_forever(void) __attribute__((noreturn));

/// Opens a socket in the network namespace `ns_fd`, on a thread of its own. Returns the descriptor or -errno.
int sandbox_socket(int ns_fd, int domain, int type, int protocol);

/// Creates a network namespace and binds it to `path`, on a thread of its own. Returns 0 or -errno.
int sandbox_new_network(const char *path);

/// Writes a file (a sysctl) as seen from the network namespace `ns_fd`. Returns 0 or -errno.
int sandbox_write_in(int ns_fd, const char *path, const char *text);

/// Reads a file (a sysctl) as seen from the network namespace `ns_fd`. Returns how many bytes, or -errno.
ssize_t sandbox_read_in(int ns_fd, const char *path, char *text, size_t capacity);

#endif

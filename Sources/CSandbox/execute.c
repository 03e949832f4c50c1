#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <chost.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

// From a child in its namespaces to the program. Names in the container's root may mean anything: what is opened here neither
// waits for anybody nor follows links.

void sandbox_join_cgroups(int sync, const struct sandbox_process *process) {
    for (size_t i = 0; i < process->cgroup_count; i++) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/cgroup.procs", process->cgroups[i]) >= (int)sizeof path) {
            errno = ENAMETOOLONG;
            sandbox_die(sync, "join the control group", process->cgroups[i]);
        }
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1) sandbox_die(sync, "join the control group", process->cgroups[i]);
        close(fd);
    }
}

// bash and busybox ask for the console by this name.
static void bind_console(const char *terminal) {
    int fd = open("/dev/console", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    int place = open("/dev/console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int tree = open_tree(AT_FDCWD, terminal, AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    // A volume may hold something else by that name: it stays as it is.
    if (place >= 0 && tree >= 0) move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    if (place >= 0) close(place);
    if (tree >= 0) close(tree);
}

static void take_terminal(int sync, const struct sandbox_process *process) {
    struct statfs kind;
    int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (master < 0) sandbox_die(sync, "open", "/dev/pts/ptmx");
    if (fstatfs(master, &kind) < 0 || kind.f_type != 0x1cd1) { errno = ENOTTY; sandbox_die(sync, "open a terminal at", "/dev/pts/ptmx"); }
    int zero = 0, number = 0;
    if (ioctl(master, TIOCSPTLCK, &zero) < 0 || ioctl(master, TIOCGPTN, &number) < 0) sandbox_die(sync, "unlock the pty", NULL);
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    if (slave < 0) sandbox_die(sync, "open the pty", NULL);
    fcntl(master, F_SETFL, O_RDWR);
    host_set_window(master, process->rows ? process->rows : 24, process->columns ? process->columns : 80);
    if (ioctl(slave, TIOCSCTTY, 0) < 0) sandbox_die(sync, "take the terminal", NULL);
    struct sandbox_failure none;
    memset(&none, 0, sizeof none);
    if (host_send(sync, &none, sizeof none, &master, 1) < 0) _exit(127);
    dup2(slave, 0), dup2(slave, 1), dup2(slave, 2);
    if (slave > 2) close(slave);
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    if (process->console) bind_console(path);
}

// The container's own /dev/null, or what stands in its place there.
static int open_null(int sync) {
    struct stat info;
    int fd = open("/dev/null", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) sandbox_die(sync, "open", "/dev/null");
    if (fstat(fd, &info) < 0 || !S_ISCHR(info.st_mode) || info.st_rdev != makedev(1, 3)) {
        errno = ENODEV;
        sandbox_die(sync, "it is no longer what it was:", "/dev/null");
    }
    fcntl(fd, F_SETFL, O_RDWR);
    return fd;
}

static void take_stdio(int sync, const struct sandbox_process *process) {
    int fds[3];
    for (int i = 0; i < 3; i++) {
        int fd = process->stdio[i] < 0 ? open_null(sync) : process->stdio[i];
        // Move out of the way of 0..2 before placing any of them.
        fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        if (fds[i] < 0) sandbox_die(sync, "duplicate stdio", NULL);
    }
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0) sandbox_die(sync, "place stdio", NULL);
}

// Pipes and the terminal are the user's that reads and writes them, or /dev/stdout could not be opened by one who is not root. (runc's
// fixStdioPermissions) What cannot be given away stays as it is.
static void give_stdio(const struct sandbox_process *process) {
    struct stat info;
    for (int i = 0; i < 3; i++) {
        if (fstat(i, &info) < 0 || info.st_uid == process->uid) continue;
        if (S_ISFIFO(info.st_mode) || (process->terminal && S_ISCHR(info.st_mode))) (void)!fchown(i, process->uid, (gid_t)-1);
    }
}

// The kernel's keyrings know users, not containers: a session of its own keeps the machine's session keys from a process, and the
// calls stay away from it altogether, for root's keyring is root's in every container. "No such call" is what programs expect who can
// do without; containerd's default profile forbids them too.
static void forget_keys(int sync, const struct sandbox_process *process) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS) sandbox_die(sync, "begin a session keyring", NULL);
    if (!process->keyless) return;
#if defined(__x86_64__)
    const uint32_t arch = AUDIT_ARCH_X86_64, compat = AUDIT_ARCH_I386, compat_first = 286, bits = 0x40000000;
#elif defined(__aarch64__)
    const uint32_t arch = AUDIT_ARCH_AARCH64, compat = AUDIT_ARCH_ARM, compat_first = 309, bits = 0;
#else
#error "the numbers of add_key, request_key and keyctl here?"
#endif
    _Static_assert(SYS_request_key == SYS_add_key + 1 && SYS_keyctl == SYS_add_key + 2, "three calls in a row");
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, compat, 0, 7),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, compat_first, 0, 5),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, compat_first + 2, 4, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~bits),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_add_key, 0, 1),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_keyctl, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    // A kernel without filters has no such call; then the session of its own has to do.
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 && errno != ENOSYS)
        sandbox_die(sync, "keep from the machine's keys", NULL);
}

// A privileged container gets all there is, and there is what our own root has.
static uint64_t available(uint64_t wanted) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return wanted;
    return wanted & ((uint64_t)data[1].permitted << 32 | data[0].permitted);
}

static void drop_privileges(int sync, const struct sandbox_process *process) {
    uint64_t wanted = available(process->capabilities);
    for (int cap = 0; cap <= 63; cap++) {
        if (wanted >> cap & 1) continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL) break;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (process->uid != 0) prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    // The kernel's own calls: the C library's would first speak to every thread there is, and to those of the caller, whom a child
    // does not have, it may wait for ever (a thread that was being made, a lock that was held when we were cloned).
    if (syscall(SYS_setgroups, process->group_count, process->groups) < 0) sandbox_die(sync, "setgroups", NULL);
    if (syscall(SYS_setresgid, process->gid, process->gid, process->gid) < 0) sandbox_die(sync, "setresgid", NULL);
    if (syscall(SYS_setresuid, process->uid, process->uid, process->uid) < 0) sandbox_die(sync, "setresuid", NULL);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    uint64_t set = process->uid == 0 ? wanted : 0;
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)set, (uint32_t)set, 0}, {(uint32_t)(set >> 32), (uint32_t)(set >> 32), 0}};
    if (syscall(SYS_capset, &header, data) < 0) sandbox_die(sync, "capset", NULL);
    if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) sandbox_die(sync, "no_new_privs", NULL);
}

// execvpe of glibc searches the caller's PATH; a container's process is looked up in its own.
void sandbox_execute(int sync, const struct sandbox_process *process) {
    const char *file = process->argv[0];
    struct stat info;
    if (strchr(file, '/')) {
        execve(file, process->argv, process->envp);
        if (errno == EACCES && stat(file, &info) == 0 && S_ISDIR(info.st_mode)) errno = EISDIR;
        sandbox_die(sync, SANDBOX_EXEC_STAGE, file);
    }
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (char *const *e = process->envp; *e; e++)
        if (!strncmp(*e, "PATH=", 5)) path = *e + 5;
    for (int last = !*file; !last;) {
        size_t length = strcspn(path, ":");
        char full[4096];
        if (length && snprintf(full, sizeof full, "%.*s/%s", (int)length, path, file) < (int)sizeof full) {
            execve(full, process->argv, process->envp);
            // What is not a program there may be one further on; one that cannot run is told.
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) sandbox_die(sync, SANDBOX_EXEC_STAGE, full);
        }
        path += length;
        last = *path++ != ':';
    }
    errno = ENOENT;
    sandbox_die(sync, SANDBOX_EXEC_STAGE, file);
}

// The threads that Swift's tasks run on block signals; what we start must not inherit that.
void sandbox_reset_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void sandbox_run(int sync, const struct sandbox_process *process) {
    sandbox_reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    setsid();
    umask(022);
    if (process->terminal) take_terminal(sync, process); else take_stdio(sync, process);
    give_stdio(process);
    if (chdir(process->cwd ? process->cwd : "/") < 0) sandbox_die(sync, "chdir", process->cwd);
    // Nothing of the caller stays open; the socket to it closes with exec.
    int keep = fcntl(sync, F_DUPFD_CLOEXEC, 3);
    if (keep != 3) { dup3(keep, 3, O_CLOEXEC); }
    syscall(SYS_close_range, 4, ~0U, 0);
    forget_keys(3, process);
    drop_privileges(3, process);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // changing credentials clears it
    sandbox_execute(3, process);
}

#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <grp.h>
#include <termios.h>
#include <unistd.h>

void sandbox_fail(struct sandbox_failure *failure, const char *stage, const char *object) {
    failure->error = errno ? errno : EIO;
    snprintf(failure->stage, sizeof failure->stage, "%s%s%s", stage, object ? " " : "", object ? object : "");
}

// Reports a failure to the parent and ends the child.
static void die(int sync, const char *stage, const char *object) {
    struct sandbox_failure failure;
    memset(&failure, 0, sizeof failure);
    sandbox_fail(&failure, stage, object);
    (void)!write(sync, &failure, sizeof failure);
    _exit(127);
}

static int make_parents(const char *path, int is_directory) {
    char copy[4096];
    if (strlen(path) >= sizeof copy) { errno = ENAMETOOLONG; return -1; }
    strcpy(copy, path);
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(copy, 0755) < 0 && errno != EEXIST) return -1;
        *p = '/';
    }
    if (is_directory) return mkdir(copy, 0755) < 0 && errno != EEXIST ? -1 : 0;
    int fd = open(copy, O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
    if (fd < 0) return errno == EISDIR ? 0 : -1;
    close(fd);
    return 0;
}

static void make_device(int sync, const char *path, int major_number, int minor_number) {
    if (mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)) < 0) die(sync, "mknod", path);
    chmod(path, 0666);
}

// Hides a path: a directory under an empty read-only tmpfs, a file under /dev/null. Paths the kernel lacks stay so.
static void mask(const char *path) {
    if (mount("/dev/null", path, NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
        mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k");
}

static void make_read_only(const char *path) {
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0)
        mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

// openat2(2) that neither leaves `directory` nor follows a link out of it.
static int open_beneath(int directory, const char *path) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

// Opens what a bind mounts. What of its sub-path is missing becomes directories with the source's mode.
static int open_source(int sync, const struct sandbox_bind *bind) {
    int source = open(bind->source, O_PATH | O_CLOEXEC);
    if (source < 0) die(sync, "mount: no such source", bind->source);
    if (!*bind->sub_path) return source;
    struct stat info;
    if (fstat(source, &info) < 0) die(sync, "look at", bind->source);
    char path[4096];
    int fits = snprintf(path, sizeof path, "%s", bind->sub_path) < (int)sizeof path;
    if (!fits) { errno = ENAMETOOLONG; die(sync, SANDBOX_SUB_PATH_STAGE, bind->sub_path); }
    int parent = dup(source);
    for (char *name = path; *name;) {
        size_t length = strcspn(name, "/");
        char *end = name + length, separator = *end;
        if (length > 0) {
            *end = 0;
            int place = open_beneath(source, path);
            if (place < 0 && errno == ENOENT) {
                if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST) die(sync, SANDBOX_SUB_PATH_STAGE, bind->sub_path);
                place = open_beneath(source, path);
                // The mode of mkdir is cut by the umask.
                if (place >= 0 && fchmodat(parent, name, info.st_mode & 07777, 0) < 0) die(sync, SANDBOX_SUB_PATH_STAGE, bind->sub_path);
            }
            if (place < 0) die(sync, SANDBOX_SUB_PATH_STAGE, bind->sub_path);
            close(parent);
            parent = place;
            *end = separator;
        }
        name = separator ? end + 1 : end;
    }
    close(source);
    return parent;
}

static void build_root(int sync, const struct sandbox_root *root) {
    char text[8192];
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) die(sync, "make mounts private", "/");
    // volatile: a container's layer goes with it, so nothing has to be synced when it is unmounted.
    snprintf(text, sizeof text, "lowerdir=%s,upperdir=%s,workdir=%s,volatile", root->lower, root->upper, root->work);
    if (mount("overlay", root->merged, "overlay", 0, text) < 0) die(sync, "mount overlay on", root->merged);
    if (chdir(root->merged) < 0) die(sync, "chdir", root->merged);

    mkdir("proc", 0555), mkdir("sys", 0555), mkdir("dev", 0755), mkdir("tmp", 01777);
    if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) die(sync, "mount", "/proc");
    if (mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=64k") < 0) die(sync, "mount", "/dev");
    mkdir("dev/pts", 0755), mkdir("dev/shm", 01777), mkdir("dev/mqueue", 0755);
    if (mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5") < 0)
        die(sync, "mount", "/dev/pts");
    if (root->shm && mount(root->shm, "dev/shm", NULL, MS_BIND, NULL) < 0) die(sync, "mount", "/dev/shm");
    mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | (root->privileged ? 0 : MS_RDONLY), NULL) < 0)
        die(sync, "mount", "/sys");
    make_device(sync, "dev/null", 1, 3);
    make_device(sync, "dev/zero", 1, 5);
    make_device(sync, "dev/full", 1, 7);
    make_device(sync, "dev/random", 1, 8);
    make_device(sync, "dev/urandom", 1, 9);
    make_device(sync, "dev/tty", 5, 0);
    (void)!symlink("/proc/self/fd", "dev/fd");
    (void)!symlink("/proc/self/fd/0", "dev/stdin");
    (void)!symlink("/proc/self/fd/1", "dev/stdout");
    (void)!symlink("/proc/self/fd/2", "dev/stderr");
    (void)!symlink("pts/ptmx", "dev/ptmx");

    for (size_t i = 0; i < root->bind_count; i++) {
        const struct sandbox_bind *bind = &root->binds[i];
        struct stat info;
        int source = open_source(sync, bind);
        if (fstat(source, &info) < 0) die(sync, "look at", bind->source);
        const char *target = bind->target;
        while (*target == '/') target++;
        // The image may hold symlinks: resolve beneath the root, so that a mount cannot land outside.
        if (make_parents(target, S_ISDIR(info.st_mode)) < 0) die(sync, "make the mount point", bind->target);
        char real[4096], here[4096];
        if (!realpath(target, real) || !getcwd(here, sizeof here)) die(sync, "resolve the mount point", bind->target);
        size_t length = strlen(here);
        if (strncmp(real, here, length) != 0 || real[length] != '/') {
            errno = EXDEV;
            die(sync, "the mount point leaves the container's root:", bind->target);
        }
        char place[32];
        snprintf(place, sizeof place, "/proc/self/fd/%d", source);
        if (mount(place, target, NULL, MS_BIND | MS_REC, NULL) < 0) die(sync, "bind", bind->target);
        close(source);
        if (bind->read_only && mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
            die(sync, "make read-only", bind->target);
    }

    // pivot_root(".", "."): the old root ends up on top of the new one and is detached (pivot_root(2), NOTES).
    if (syscall(SYS_pivot_root, ".", ".") < 0) die(sync, "pivot_root to", root->merged);
    if (umount2(".", MNT_DETACH) < 0) die(sync, "detach the old root", NULL);
    if (chdir("/") < 0) die(sync, "chdir", "/");

    if (!root->privileged) {
        static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
            "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
            "/sys/firmware", "/sys/devices/virtual/powercap"};
        static const char *const guarded[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
        for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) mask(masked[i]);
        for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++) make_read_only(guarded[i]);
    }
    if (root->read_only && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
        die(sync, "make read-only", "/");
}

static void take_terminal(int sync, const struct sandbox_process *process) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) die(sync, "open", "/dev/ptmx");
    int zero = 0, number = 0;
    if (ioctl(master, TIOCSPTLCK, &zero) < 0 || ioctl(master, TIOCGPTN, &number) < 0) die(sync, "unlock the pty", NULL);
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    int slave = open(path, O_RDWR | O_NOCTTY);
    if (slave < 0) die(sync, "open", path);
    sandbox_set_window(master, process->rows ? process->rows : 24, process->columns ? process->columns : 80);
    if (ioctl(slave, TIOCSCTTY, 0) < 0) die(sync, "take the terminal", path);
    struct sandbox_failure none;
    memset(&none, 0, sizeof none);
    if (sandbox_send(sync, &none, sizeof none, &master, 1) < 0) _exit(127);
    dup2(slave, 0), dup2(slave, 1), dup2(slave, 2);
    if (slave > 2) close(slave);
    // bash and busybox ask for the console by this name.
    int fd = open("/dev/console", O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) { close(fd); mount(path, "/dev/console", NULL, MS_BIND, NULL); }
}

static void take_stdio(int sync, const struct sandbox_process *process) {
    int fds[3];
    for (int i = 0; i < 3; i++) {
        int fd = process->stdio[i];
        if (fd < 0) fd = open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY);
        if (fd < 0) die(sync, "open", "/dev/null");
        // Move out of the way of 0..2 before placing any of them.
        fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        if (fds[i] < 0) die(sync, "duplicate stdio", NULL);
    }
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0) die(sync, "place stdio", NULL);
}

static void drop_privileges(int sync, const struct sandbox_process *process) {
    for (int cap = 0; cap <= 63; cap++) {
        if (process->capabilities >> cap & 1) continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL) break;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (process->uid != 0) prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    if (setgroups(process->group_count, process->groups) < 0) die(sync, "setgroups", NULL);
    if (setresgid(process->gid, process->gid, process->gid) < 0) die(sync, "setresgid", NULL);
    if (setresuid(process->uid, process->uid, process->uid) < 0) die(sync, "setresuid", NULL);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    uint64_t set = process->uid == 0 ? process->capabilities : 0;
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)set, (uint32_t)set, 0}, {(uint32_t)(set >> 32), (uint32_t)(set >> 32), 0}};
    if (syscall(SYS_capset, &header, data) < 0) die(sync, "capset", NULL);
    if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) die(sync, "no_new_privs", NULL);
}

// execvpe of glibc searches the caller's PATH; a container's process is looked up in its own.
static void execute(int sync, const struct sandbox_process *process) {
    const char *file = process->argv[0];
    if (strchr(file, '/')) {
        execve(file, process->argv, process->envp);
        die(sync, "exec:", file);
    }
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (char *const *e = process->envp; *e; e++)
        if (!strncmp(*e, "PATH=", 5)) path = *e + 5;
    while (*path) {
        size_t length = strcspn(path, ":");
        char full[4096];
        if (length + strlen(file) + 2 < sizeof full) {
            memcpy(full, path, length);
            full[length] = '/';
            strcpy(full + length + 1, file);
            execve(full, process->argv, process->envp);
            if (errno == EACCES) die(sync, "exec:", full);
        }
        path += length;
        if (*path == ':') path++;
    }
    errno = ENOENT;
    die(sync, "executable file not found in $PATH:", file);
}

// The threads that Swift's tasks run on block signals; what we start must not inherit that.
static void reset_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run(int sync, const struct sandbox_process *process) __attribute__((noreturn));
static void run(int sync, const struct sandbox_process *process) {
    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    setsid();
    umask(022);
    if (process->terminal) take_terminal(sync, process); else take_stdio(sync, process);
    if (chdir(process->cwd ? process->cwd : "/") < 0) die(sync, "chdir", process->cwd);
    // Nothing of the caller stays open; the socket to it closes with exec.
    int keep = fcntl(sync, F_DUPFD_CLOEXEC, 3);
    if (keep != 3) { dup3(keep, 3, O_CLOEXEC); }
    syscall(SYS_close_range, 4, ~0U, 0);
    drop_privileges(3, process);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // changing credentials clears it
    execute(3, process);
    _exit(127);
}

// Reads what a child says of its start until it execs (end of file) or fails. Returns 0 on success.
static int await_start(int sync, int *terminal_fd, struct sandbox_failure *failure) {
    *terminal_fd = -1;
    for (;;) {
        struct sandbox_failure said;
        int fd = -1;
        size_t count = 0;
        ssize_t n = sandbox_receive(sync, &said, sizeof said, &fd, 1, &count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        if (count == 1) *terminal_fd = fd;
        if (said.error) {
            *failure = said;
            if (*terminal_fd >= 0) { close(*terminal_fd); *terminal_fd = -1; }
            return -1;
        }
    }
}

pid_t sandbox_start(const struct sandbox_root *root, const struct sandbox_process *process, int *terminal_fd,
                    struct sandbox_failure *failure) {
    int sync[2];
    memset(failure, 0, sizeof *failure);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0) { sandbox_fail(failure, "socketpair", NULL); return -1; }
    // A PID namespace that is there is entered by being born into it; the caller's own children after that are its own again.
    int own = -1, shared = -1, flags = CLONE_NEWPID | CLONE_NEWNS | SIGCHLD;
    if (root->target > 0) {
        own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        shared = sandbox_pidfd_open(root->target);
        flags = CLONE_NEWNS | SIGCHLD;
        if (own < 0 || shared < 0 || setns(shared, CLONE_NEWPID) < 0) {
            sandbox_fail(failure, "join the target container's PID namespace", NULL);
            if (own >= 0) close(own);
            if (shared >= 0) close(shared);
            close(sync[0]), close(sync[1]);
            return -1;
        }
    }
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
    if (pid != 0 && own >= 0) {
        int error = errno;
        setns(own, CLONE_NEWPID);
        close(own), close(shared);
        errno = error;
    }
    if (pid == 0) {
        build_root(sync[1], root);
        run(sync[1], process);
    }
    if (pid < 0) sandbox_fail(failure, "clone", NULL);
    close(sync[1]);
    if (pid > 0 && await_start(sync[0], terminal_fd, failure) < 0) {
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(sync[0]);
    return pid;
}

// Starts a process inside the target's namespaces: with a session, stdio and privileges of its own, or `plain`, as a
// shell would start it.
static pid_t enter(pid_t target, int namespaces, const struct sandbox_process *process, int plain, int *terminal_fd,
                   struct sandbox_failure *failure) {
    int sync[2], report[2];
    memset(failure, 0, sizeof *failure);
    *terminal_fd = -1;
    int pidfd = sandbox_pidfd_open(target);
    if (pidfd < 0) { errno = -pidfd; sandbox_fail(failure, "find the process to enter", NULL); return -1; }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0) { sandbox_fail(failure, "socketpair", NULL); close(pidfd); return -1; }
    if (pipe2(report, O_CLOEXEC) < 0) { sandbox_fail(failure, "pipe", NULL); close(pidfd); close(sync[0]); close(sync[1]); return -1; }
    // A PID namespace is entered by being born into it, so a child joins and its child, adopted by us, runs.
    pid_t joiner = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (joiner == 0) {
        if (setns(pidfd, namespaces) < 0) die(sync[1], "enter the namespaces", NULL);
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid < 0) die(sync[1], "clone", NULL);
        if (pid == 0 && plain) {
            reset_signals();
            if (chdir("/root") < 0) (void)!chdir("/");
            execute(sync[1], process);
        }
        if (pid == 0) run(sync[1], process);
        (void)!write(report[1], &pid, sizeof pid);
        _exit(0);
    }
    if (joiner < 0) sandbox_fail(failure, "clone", NULL);
    close(sync[1]), close(report[1]), close(pidfd);
    pid_t pid = -1;
    if (joiner > 0) {
        waitpid(joiner, NULL, 0);
        if (read(report[0], &pid, sizeof pid) != sizeof pid) pid = -1;
        if (await_start(sync[0], terminal_fd, failure) < 0 && pid > 0) {
            waitpid(pid, NULL, 0);
            pid = -1;
        }
    }
    close(sync[0]), close(report[0]);
    return pid;
}

pid_t sandbox_enter(pid_t target, int namespaces, const struct sandbox_process *process, int *terminal_fd,
                    struct sandbox_failure *failure) {
    return enter(target, namespaces, process, 0, terminal_fd, failure);
}

pid_t sandbox_join(pid_t target, char *const *argv, char *const *envp, struct sandbox_failure *failure) {
    struct sandbox_process process = {.argv = argv, .envp = envp};
    int terminal = -1;
    return enter(target, sandbox_node_namespaces, &process, 1, &terminal, failure);
}

int sandbox_replace(char *const *argv) {
    reset_signals();
    execvp(argv[0], argv);
    return -errno;
}

int sandbox_enter_network(int fd) { return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0; }

#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

// Between vfork and exec: says why there is no program, for instance that no descriptor is left.
static void refuse(int report) {
    int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(127);
}

pid_t sandbox_spawn(const char *path, char *const *argv, char *const *envp, const int stdio[3], int extra) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return -errno;
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    // vfork: no copy of the daemon's page tables; the child only moves descriptors and execs.
    pid_t pid = vfork();
    if (pid == 0) {
        int fds[4] = {stdio[0], stdio[1], stdio[2], extra};
        for (int i = 0; i < 4; i++) {
            if (fds[i] < 0 && i < 3) fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
            if (fds[i] >= 0) fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 20);
            if (fds[i] < 0 && i < 3) refuse(report[1]);
        }
        int keep = fcntl(report[1], F_DUPFD_CLOEXEC, 20);
        if (keep < 0 || (extra >= 0 && fds[3] < 0)) refuse(report[1]);
        for (int i = 0; i < 4; i++) if (fds[i] >= 0) dup2(fds[i], i);
        dup3(keep, 4, O_CLOEXEC);
        if (extra < 0) close(3);
        syscall(SYS_close_range, 5, ~0U, 0);
        for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        execve(path, argv, envp);
        int error = errno;
        (void)!write(4, &error, sizeof error);
        _exit(127);
    }
    int error = pid < 0 ? errno : 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(report[1]);
    if (pid > 0 && read(report[0], &error, sizeof error) == sizeof error) waitpid(pid, NULL, 0); else if (pid > 0) error = 0;
    close(report[0]);
    return error ? -error : pid;
}

ssize_t sandbox_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count) {
    struct iovec part = {(void *)bytes, length};
    union { char buffer[CMSG_SPACE(sizeof(int) * 8)]; struct cmsghdr align; } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0 && fd_count <= 8) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.buffer;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t sandbox_receive(int fd, void *bytes, size_t capacity, int *fds, size_t fd_capacity, size_t *fd_count) {
    struct iovec part = {bytes, capacity};
    union { char buffer[CMSG_SPACE(sizeof(int) * 8)]; struct cmsghdr align; } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof control.buffer};
    *fd_count = 0;
    ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (n < 0) return n;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        const int *received = (const int *)CMSG_DATA(h);
        for (size_t i = 0; i < count; i++) {
            if (*fd_count < fd_capacity) fds[(*fd_count)++] = received[i]; else close(received[i]);
        }
    }
    return n;
}

int sandbox_unmount(const char *path) { return umount2(path, MNT_DETACH) < 0 ? -errno : 0; }
int sandbox_make_opaque(const char *directory) {
    return setxattr(directory, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

int sandbox_bind_mount(const char *source, const char *target) {
    return mount(source, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int sandbox_share_mount(const char *path) {
    if (mount(NULL, path, NULL, MS_SHARED | MS_REC, NULL) == 0) return 0;
    if (errno != EINVAL) return -errno;
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) return -errno;
    return mount(NULL, path, NULL, MS_SHARED | MS_REC, NULL) < 0 ? -errno : 1;
}

int sandbox_pidfd_open(pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

int sandbox_pidfd_kill(int pidfd, int signal_number) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

int sandbox_unix_socket(const char *path, int type, int listening) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int failed = listening
        ? bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || (type != SOCK_DGRAM && listen(fd, 64) < 0)
        : connect(fd, (struct sockaddr *)&address, sizeof address) < 0;
    if (failed) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int sandbox_set_window(int terminal, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(terminal, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int sandbox_exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }
int sandbox_was_signaled(int status) { return WIFSIGNALED(status); }

int sandbox_signal_fd(void) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD), sigaddset(&mask, SIGTERM), sigaddset(&mask, SIGPIPE);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

int sandbox_next_signal(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

int sandbox_accept(int fd) {
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    return connection < 0 ? -errno : connection;
}

int sandbox_unnamed_file(const char *directory) {
    int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return file < 0 ? -errno : file;
}

int sandbox_sync(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    int error = syncfs(file) < 0 ? errno : 0;
    close(file);
    return -error;
}

int sandbox_memory_file(void) {
    int fd = (int)syscall(SYS_memfd_create, "minik", 1U);  // MFD_CLOEXEC
    return fd < 0 ? -errno : fd;
}

int sandbox_pipe(int fds[2]) { return pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0; }

void sandbox_line_buffer(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

static int caught_fd = -1;

static void tell(int signal_number) {
    int saved = errno;
    unsigned char byte = (unsigned char)signal_number;
    (void)!write(caught_fd, &byte, 1);
    errno = saved;
}

int sandbox_catch(const int *signals, size_t count) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
    caught_fd = ends[1];
    struct sigaction action = {.sa_handler = tell, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < count; i++) {
        if (sigaction(signals[i], &action, NULL) < 0) return -errno;
        sigset_t one;
        sigemptyset(&one), sigaddset(&one, signals[i]);
        pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    }
    return ends[0];
}

int sandbox_limit_devices(const char *cgroup, const uint64_t *program, size_t count) {
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insns = (uint64_t)(uintptr_t)program, .insn_cnt = (uint32_t)count,
        .license = (uint64_t)(uintptr_t)"Apache-2.0"};
    int group = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0) return -errno;
    int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load), error = 0;
    if (fd >= 0) {
        // Beside what others have said of the groups above; it goes with the group.
        union bpf_attr attach = {.target_fd = (uint32_t)group, .attach_bpf_fd = (uint32_t)fd, .attach_type = BPF_CGROUP_DEVICE,
            .attach_flags = BPF_F_ALLOW_MULTI};
        if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0) error = -errno;
        close(fd);
    } else {
        error = -errno;
    }
    close(group);
    return error;
}

void sandbox_trim_memory(void) { malloc_trim(0); }

void sandbox_limit_heaps(int count) { mallopt(M_ARENA_MAX, count); }

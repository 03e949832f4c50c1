#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Between vfork and exec: says why there is no program, for instance that no descriptor is left.
static void refuse(int report) {
    int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(127);
}

pid_t host_spawn(const char *path, char *const *argv, char *const *envp, const int stdio[3], int extra) {
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

int host_pidfd_open(pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

int host_pidfd_kill(int pidfd, int signal_number) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

int host_exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }
int host_was_signaled(int status) { return WIFSIGNALED(status); }

int host_signal_fd(void) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD), sigaddset(&mask, SIGTERM), sigaddset(&mask, SIGPIPE);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

int host_next_signal(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

void host_line_buffer(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

static int caught_fd = -1;

static void tell(int signal_number) {
    int saved = errno;
    unsigned char byte = (unsigned char)signal_number;
    (void)!write(caught_fd, &byte, 1);
    errno = saved;
}

int host_catch(const int *signals, size_t count) {
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

void host_trim_memory(void) { malloc_trim(0); }

void host_limit_heaps(int count) { mallopt(M_ARENA_MAX, count); }

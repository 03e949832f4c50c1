#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <chost.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// How containers, and processes in them, come to be: clone, and the word of how it went.

void sandbox_fail(struct sandbox_failure *failure, const char *stage, const char *object) {
    failure->error = errno ? errno : EIO;
    snprintf(failure->stage, sizeof failure->stage, "%s%s%s", stage, object ? " " : "", object ? object : "");
}

void sandbox_die(int sync, const char *stage, const char *object) {
    struct sandbox_failure failure;
    memset(&failure, 0, sizeof failure);
    sandbox_fail(&failure, stage, object);
    (void)!write(sync, &failure, sizeof failure);
    _exit(127);
}

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Reads what a child says of its start until it execs (end of file) or fails. Returns 0 on success. A child that waits for a file
// system of its container (FUSE, NFS) must not keep us waiting: it is killed.
static int await_start(int sync, pid_t child, int limit, int *terminal_fd, struct sandbox_failure *failure) {
    *terminal_fd = -1;
    long deadline = milliseconds() + limit;
    for (;;) {
        struct pollfd wait = {.fd = sync, .events = POLLIN};
        long left = deadline - milliseconds();
        int ready = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (ready < 0 && errno == EINTR) continue;
        struct sandbox_failure said = {0};
        if (ready <= 0) {
            errno = ETIMEDOUT;
            sandbox_fail(&said, "start the process: it waits for its files", NULL);
            if (child > 0) kill(child, SIGKILL);
        } else {
            int fd = -1;
            size_t count = 0;
            ssize_t n = host_receive(sync, &said, sizeof said, &fd, 1, &count);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return 0;
            if (count == 1) *terminal_fd = fd;
        }
        if (said.error) {
            *failure = said;
            if (*terminal_fd >= 0) { close(*terminal_fd); *terminal_fd = -1; }
            return -1;
        }
    }
}

// A child has what its parent has open until it execs: one that was cloned between another's socketpair and the end of the parent's
// own copy would keep that other's start from being seen. So births follow each other.
static pthread_mutex_t births = PTHREAD_MUTEX_INITIALIZER;

pid_t sandbox_start(const struct sandbox_root *root, const struct sandbox_process *process, int *terminal_fd,
                    struct sandbox_failure *failure) {
    int sync[2];
    memset(failure, 0, sizeof *failure);
    pthread_mutex_lock(&births);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0) {
        sandbox_fail(failure, "socketpair", NULL);
        pthread_mutex_unlock(&births);
        return -1;
    }
    // A PID namespace that is there is entered by being born into it; the caller's own children after that are its own again.
    int own = -1, shared = -1, flags = CLONE_NEWPID | CLONE_NEWNS | SIGCHLD;
    if (root->target > 0) {
        own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        shared = host_pidfd_open(root->target);
        flags = CLONE_NEWNS | SIGCHLD;
        if (own < 0 || shared < 0 || setns(shared, CLONE_NEWPID) < 0) {
            sandbox_fail(failure, "join the target container's PID namespace", NULL);
            if (own >= 0) close(own);
            if (shared >= 0) close(shared);
            close(sync[0]), close(sync[1]);
            pthread_mutex_unlock(&births);
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
        sandbox_join_cgroups(sync[1], process);
        sandbox_build_root(sync[1], root, process->cwd);
        sandbox_run(sync[1], process);
    }
    if (pid < 0) sandbox_fail(failure, "clone", NULL);
    close(sync[1]);
    pthread_mutex_unlock(&births);
    if (pid > 0 && await_start(sync[0], pid, sandbox_start_limit, terminal_fd, failure) < 0) {
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
    int pidfd = host_pidfd_open(target);
    if (pidfd < 0) { errno = -pidfd; sandbox_fail(failure, "find the process to enter", NULL); return -1; }
    if (pipe2(report, O_CLOEXEC) < 0) { sandbox_fail(failure, "pipe", NULL); close(pidfd); return -1; }
    pthread_mutex_lock(&births);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0) {
        sandbox_fail(failure, "socketpair", NULL);
        pthread_mutex_unlock(&births);
        close(pidfd), close(report[0]), close(report[1]);
        return -1;
    }
    // A PID namespace is entered by being born into it, so a child joins and its child, adopted by us, runs.
    pid_t joiner = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (joiner == 0) {
        sandbox_join_cgroups(sync[1], process);
        if (setns(pidfd, namespaces) < 0) sandbox_die(sync[1], "enter the namespaces", NULL);
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid < 0) sandbox_die(sync[1], "clone", NULL);
        if (pid == 0 && plain) {
            sandbox_reset_signals();
            if (chdir("/root") < 0) (void)!chdir("/");
            sandbox_execute(sync[1], process);
        }
        if (pid == 0) sandbox_run(sync[1], process);
        (void)!write(report[1], &pid, sizeof pid);
        _exit(0);
    }
    if (joiner < 0) sandbox_fail(failure, "clone", NULL);
    close(sync[1]);
    pthread_mutex_unlock(&births);
    close(report[1]), close(pidfd);
    pid_t pid = -1;
    if (joiner > 0) {
        waitpid(joiner, NULL, 0);
        if (read(report[0], &pid, sizeof pid) != sizeof pid) pid = -1;
        if (await_start(sync[0], pid, sandbox_enter_limit, terminal_fd, failure) < 0 && pid > 0) {
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
    sandbox_reset_signals();
    execvp(argv[0], argv);
    return -errno;
}

int sandbox_enter_network(int fd) { return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0; }

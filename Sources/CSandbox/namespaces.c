#define _GNU_SOURCE
#include "csandbox.h"
#include "internal.h"
#include <chost.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// `ip link set lo up`, in the caller's network namespace.
int sandbox_raise_loopback(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    int result = ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return result;
}

// Other pods' and nodes' namespaces are bound under /run/netns: a copy of the mount table would keep them alive.
static void forget_foreign_namespaces(void) { umount2("/run/netns", MNT_DETACH); }

// A PID namespace holds only who is born into it, and only who lives in one may make another below it: so the shim is
// born again below the node's init. Twice, for an orphan goes to the init of its parent's namespace: the first birth is
// the parent that leaves it to the node's. The kernel tells the number outside, for credentials are translated.
static pid_t be_reborn(void) {
    int word[2], on = 1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, word) < 0) return -1;
    setsockopt(word[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    pid_t first = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (first < 0) return -1;
    pid_t pid = 0;
    if (first > 0) {
        struct iovec part = {&pid, sizeof pid};
        union { char buffer[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof control.buffer};
        close(word[1]);
        if (recvmsg(word[0], &message, 0) > 0 && CMSG_FIRSTHDR(&message))
            pid = ((struct ucred *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&message)))->pid;
        (void)!write(word[0], &pid, sizeof pid);
        waitpid(first, NULL, 0);
        _exit(0);
    }
    pid_t second = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (second != 0) _exit(second < 0);
    close(word[0]);
    if (write(word[1], &pid, sizeof pid) != sizeof pid || read(word[1], &pid, sizeof pid) != sizeof pid) pid = -1;
    close(word[1]);
    return pid > 0 ? pid : -1;
}

pid_t sandbox_become_pod(pid_t node_pid, const char *hostname, const char *shm, int shared, struct sandbox_failure *failure) {
    memset(failure, 0, sizeof *failure);
    int network = CLONE_NEWNET | CLONE_NEWUTS, host_network = shared & sandbox_shares_network;
    int theirs = (host_network ? network : 0) | (shared & sandbox_shares_ipc ? CLONE_NEWIPC : 0);
    int pidfd = host_pidfd_open(node_pid);
    if (pidfd < 0 || setns(pidfd, CLONE_NEWPID | theirs) < 0) {
        sandbox_fail(failure, "join the node's namespaces", NULL);
        return -1;
    }
    close(pidfd);
    pid_t pid = be_reborn();
    if (pid < 0) { sandbox_fail(failure, "start below the node's init", NULL); return -1; }
    if (unshare(CLONE_NEWNS | ((network | CLONE_NEWIPC) & ~theirs)) < 0) {
        sandbox_fail(failure, "unshare the pod's namespaces", NULL);
        return -1;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) { sandbox_fail(failure, "make mounts private", NULL); return -1; }
    forget_foreign_namespaces();
    if (!host_network && sethostname(hostname, strlen(hostname)) < 0) { sandbox_fail(failure, "sethostname", hostname); return -1; }
    if (!host_network && sandbox_raise_loopback() < 0) { sandbox_fail(failure, "raise lo", NULL); return -1; }
    if (!(theirs & CLONE_NEWIPC) && mount("tmpfs", shm, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k") < 0) {
        sandbox_fail(failure, "mount the pod's /dev/shm on", shm);
        return -1;
    }
    return pid;
}

pid_t sandbox_start_pause(void) {
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid != 0) return pid < 0 ? -errno : pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "pause", 0, 0, 0);
    setsid();
    syscall(SYS_close_range, 0, ~0U, 0);
    sandbox_reap_forever();
}

int sandbox_mount_memory(const char *path, uint64_t size, uint32_t gid) {
    char options[96];
    int n = snprintf(options, sizeof options, "mode=%s,gid=%u", gid ? "3777" : "1777", gid);
    if (size) snprintf(options + n, sizeof options - (size_t)n, ",size=%llu", (unsigned long long)size);
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0 ? -errno : 0;
}

void sandbox_reap_forever(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;) {
        int signal_number;
        sigwait(&all, &signal_number);
        if (signal_number == SIGCHLD) while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
}

// A namespace belongs to a thread. Each of the following runs on one that is created for it and ends with it.
struct errand {
    int (*act)(struct errand *);
    int ns_fd, a, b, c, result;
    const char *path, *text;
    char *buffer;
    size_t capacity;
};

static void *perform(void *argument) {
    struct errand *errand = argument;
    errand->result = errand->act(errand);
    return NULL;
}

static int on_own_thread(struct errand *errand) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    int error = pthread_create(&thread, &attributes, perform, errand);
    pthread_attr_destroy(&attributes);
    if (error) return -error;
    pthread_join(thread, NULL);
    return errand->result;
}

// Nobody needs CAP_SYS_ADMIN for the namespace that he is in.
static int enter_network(int ns_fd) {
    struct stat there, here;
    if (fstat(ns_fd, &there) == 0 && stat("/proc/thread-self/ns/net", &here) == 0 && there.st_dev == here.st_dev
        && there.st_ino == here.st_ino)
        return 0;
    return setns(ns_fd, CLONE_NEWNET);
}

static int open_socket(struct errand *e) {
    if (enter_network(e->ns_fd) < 0) return -errno;
    int fd = socket(e->a, e->b | SOCK_CLOEXEC, e->c);
    return fd < 0 ? -errno : fd;
}

int sandbox_socket(int ns_fd, int domain, int type, int protocol) {
    struct errand errand = {.act = open_socket, .ns_fd = ns_fd, .a = domain, .b = type, .c = protocol};
    return on_own_thread(&errand);
}

static int make_network(struct errand *e) {
    int fd = open(e->path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0) return -errno;
    close(fd);
    if (unshare(CLONE_NEWNET) < 0 || mount("/proc/thread-self/ns/net", e->path, NULL, MS_BIND, NULL) < 0) {
        int error = errno;
        unlink(e->path);
        return -error;
    }
    return sandbox_raise_loopback() < 0 ? -errno : 0;
}

int sandbox_new_network(const char *path) {
    struct errand errand = {.act = make_network, .path = path};
    return on_own_thread(&errand);
}

static int write_file(struct errand *e) {
    if (enter_network(e->ns_fd) < 0) return -errno;
    int fd = open(e->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t n = write(fd, e->text, strlen(e->text));
    int error = n < 0 ? -errno : 0;
    close(fd);
    return error;
}

int sandbox_write_in(int ns_fd, const char *path, const char *text) {
    struct errand errand = {.act = write_file, .ns_fd = ns_fd, .path = path, .text = text};
    return on_own_thread(&errand);
}

static int read_file(struct errand *e) {
    if (enter_network(e->ns_fd) < 0) return -errno;
    int fd = open(e->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t n = read(fd, e->buffer, e->capacity);
    int result = n < 0 ? -errno : (int)n;
    close(fd);
    return result;
}

ssize_t sandbox_read_in(int ns_fd, const char *path, char *text, size_t capacity) {
    struct errand errand = {.act = read_file, .ns_fd = ns_fd, .path = path, .buffer = text, .capacity = capacity};
    return on_own_thread(&errand);
}

#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

ssize_t host_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count) {
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

ssize_t host_receive(int fd, void *bytes, size_t capacity, int *fds, size_t fd_capacity, size_t *fd_count) {
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

int host_unix_socket(const char *path, int type, int listening) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    socklen_t length = sizeof address;
    if (path[0] == '@') {  // a name without a file
        address.sun_path[0] = 0;
        length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int failed = listening
        ? bind(fd, (struct sockaddr *)&address, length) < 0 || (type != SOCK_DGRAM && listen(fd, 64) < 0)
        : connect(fd, (struct sockaddr *)&address, length) < 0;
    if (failed) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int host_set_window(int terminal, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(terminal, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int host_accept(int fd) {
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    return connection < 0 ? -errno : connection;
}

int host_unnamed_file(const char *directory) {
    int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return file < 0 ? -errno : file;
}

int host_sync(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    int error = syncfs(file) < 0 ? errno : 0;
    close(file);
    return -error;
}

int host_memory_file(void) {
    int fd = (int)syscall(SYS_memfd_create, "minik", 1U);  // MFD_CLOEXEC
    return fd < 0 ? -errno : fd;
}

int host_pipe(int fds[2]) { return pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0; }

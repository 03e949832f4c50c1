#define _GNU_SOURCE
#include "unpack.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

// trusted.* needs CAP_SYS_ADMIN, which nobody has who reads a layer: a directory's descriptor goes to the parent, an errno comes back.

union control {
    char buffer[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static int set_mark(int directory, char mark) {
    static const char implied[] = "trusted.minik.implied";  // Images' ImpliedDirectories reads it
    switch (mark) {
        case opaque_mark: return fsetxattr(directory, "trusted.overlay.opaque", "y", 1, 0);
        case implied_mark: return fsetxattr(directory, implied, "y", 1, 0);
        case named_mark: return fremovexattr(directory, implied);
        default: errno = EINVAL; return -1;
    }
}

void serve_marks(int socket) {
    for (;;) {
        char byte;
        struct iovec part = {&byte, 1};
        union control control;
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof control.buffer};
        ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        int error = EINVAL, directory = -1;
        if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int))) {
            memcpy(&directory, CMSG_DATA(header), sizeof directory);
            error = set_mark(directory, byte) < 0 ? errno : 0;
            close(directory);
        }
        if (send(socket, &error, sizeof error, MSG_NOSIGNAL) < 0) return;
    }
}

void ask_for_mark(int socket, int directory, enum mark mark, const char *path) {
    char byte = (char)mark;
    struct iovec part = {&byte, 1};
    union control control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof control.buffer};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &directory, sizeof directory);
    int error = 0;
    if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0 || recv(socket, &error, sizeof error, 0) != sizeof error) error = errno ? errno : EPIPE;
    if (error) fail("mark the directory %s: %s", path, strerror(error));
}

#define _GNU_SOURCE
#include "tree.h"
#include "unpack.h"
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void fail(const char *format, ...) {
    char text[6000];
    int n = snprintf(text, sizeof text, "failed ");
    va_list arguments;
    va_start(arguments, format);
    n += vsnprintf(text + n, sizeof text - (size_t)n - 1, format, arguments);
    va_end(arguments);
    if (n > (int)sizeof text - 2) n = (int)sizeof text - 2;
    // A layer's names are anybody's: none of them makes a line of its own, which could be taken for a verdict.
    for (int i = 0; i < n; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 127) text[i] = '?';
    }
    text[n] = '\n';
    (void)!write(STDOUT_FILENO, text, (size_t)n + 1);
    _exit(1);
}

// Ends with whoever started us: what it wanted is not wanted any more.
static void end_with_parent(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) fail("follow our parent: %s", strerror(errno));
}

// So much memory is more than any decompressor's window and a million names take.
static void limit_memory(void) {
    struct rlimit limit = {UINT64_C(1) << 30, UINT64_C(1) << 30};
    if (setrlimit(RLIMIT_AS, &limit) < 0) fail("limit our memory: %s", strerror(errno));
}

static void unpack(const char *directory, struct limits most, int marks) {
    char hex[65];
    char byte;
    end_with_parent();
    if (recv(marks, &byte, 1, MSG_DONTWAIT) == 0) _exit(1);  // it had ended before we said so
    limit_memory();
    enter_directory(directory);
    drop_capabilities();
    umask(0);
    struct stream *stream = open_stream(STDIN_FILENO, most.bytes);
    uint64_t entries = apply_entries(open_tar(stream), marks, most.entries);
    uint64_t bytes = finish_stream(stream, hex);
    printf("ok %s %llu %llu %llu\n", hex, (unsigned long long)bytes, (unsigned long long)entries, tree_implied());
    if (fflush(stdout) != 0) _exit(1);
    _exit(0);
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: minik-unpack DIRECTORY MOST-BYTES MOST-ENTRIES <LAYER\n");
        return 2;
    }
    end_with_parent();
    struct limits most = {strtoull(arguments[2], NULL, 10), strtoull(arguments[3], NULL, 10)};
    // Names in a tar are UTF-8. In this locale they stay as they are, and no converter is loaded.
    if (!setlocale(LC_CTYPE, "C.UTF-8")) fail("the locale C.UTF-8 is missing");
    int marks[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, marks) < 0) fail("socketpair: %s", strerror(errno));
    leave_machine();
    pid_t child = fork();
    if (child < 0) fail("fork: %s", strerror(errno));
    if (child == 0) {
        close(marks[0]);
        unpack(arguments[1], most, marks[1]);
    }
    close(marks[1]);
    serve_marks(marks[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFSIGNALED(status)) fail("the process that unpacks it was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

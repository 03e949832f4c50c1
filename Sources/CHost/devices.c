#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

int host_limit_devices(const char *cgroup, const uint64_t *program, size_t count) {
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

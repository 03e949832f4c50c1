// What a pod costs without minik: the kernel objects of a pod with one container, made in a loop by system calls alone.
//   bare COUNT IMAGE DIRECTORY
// IMAGE is a root file system with /bin/sleep in it; DIRECTORY takes the writable layers and is the caller's to remove.
// Prints the seconds that one took. Everything is in namespaces of its own and ends with this process.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { gateway = 0x0A000001, first_pod = 0x0A000002, prefix_length = 16 };  // 10.0.0.1, 10.0.0.2 and on, /16

static int word = -1;  // in a container that is being made: the socket to its parent

static void die(const char *what) {
    fprintf(stderr, "bare: %s: %m\n", what);
    if (word >= 0) (void)!write(word, "", 1);
    exit(1);
}

static void check(int result, const char *what) {
    if (result < 0) die(what);
}

// MARK: Netlink

static struct mnl_socket *open_netlink(int family) {
    struct mnl_socket *socket = mnl_socket_open2(family, SOCK_CLOEXEC);
    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) die("netlink");
    return socket;
}

// Sends what is in `buffer` and waits for the kernel's word on message `sequence`.
static void ask(struct mnl_socket *socket, const void *buffer, size_t length, unsigned sequence, const char *what) {
    char answer[8192];
    if (mnl_socket_sendto(socket, buffer, length) < 0) die(what);
    for (int more = 1; more > 0;) {
        ssize_t n = mnl_socket_recvfrom(socket, answer, sizeof answer);
        if (n < 0) die(what);
        more = mnl_cb_run(answer, n, sequence, mnl_socket_get_portid(socket), NULL, NULL);
        if (more < 0) die(what);
    }
}

static struct nlmsghdr *message(void *buffer, uint16_t type, uint16_t flags) {
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | flags;
    return header;
}

static struct nlmsghdr *link_message(void *buffer, uint16_t flags, int index) {
    struct nlmsghdr *header = message(buffer, RTM_NEWLINK, NLM_F_ACK | flags);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->ifi_index = index;
    info->ifi_flags = info->ifi_change = IFF_UP;
    return header;
}

static void set_up(struct mnl_socket *socket, const char *name) {
    char buffer[512];
    struct nlmsghdr *header = link_message(buffer, 0, if_nametoindex(name));
    ask(socket, header, header->nlmsg_len, 0, "set a link up");
}

static void add_address(struct mnl_socket *socket, const char *name, uint32_t address) {
    char buffer[512];
    struct nlmsghdr *header = message(buffer, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->ifa_family = AF_INET;
    info->ifa_prefixlen = prefix_length;
    info->ifa_index = if_nametoindex(name);
    mnl_attr_put_u32(header, IFA_LOCAL, htonl(address));
    ask(socket, header, header->nlmsg_len, 0, "add an address");
}

static void add_default_route(struct mnl_socket *socket) {
    char buffer[512];
    struct nlmsghdr *header = message(buffer, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->rtm_family = AF_INET;
    info->rtm_table = RT_TABLE_MAIN;
    info->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(header, RTA_GATEWAY, htonl(gateway));
    ask(socket, header, header->nlmsg_len, 0, "add a route");
}

static void add_bridge(struct mnl_socket *socket) {
    char buffer[512];
    struct nlmsghdr *header = link_message(buffer, NLM_F_CREATE | NLM_F_EXCL, 0);
    mnl_attr_put_strz(header, IFLA_IFNAME, "cni0");
    struct nlattr *kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(header, kind);
    ask(socket, header, header->nlmsg_len, 0, "add a bridge");
    add_address(socket, "cni0", gateway);
}

// A veth pair: one end in the bridge, the other eth0 where `pid` lives.
static void add_veth(struct mnl_socket *socket, int number, pid_t pid) {
    char buffer[1024], name[IFNAMSIZ];
    snprintf(name, sizeof name, "veth%d", number);
    struct nlmsghdr *header = link_message(buffer, NLM_F_CREATE | NLM_F_EXCL, 0);
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    mnl_attr_put_u32(header, IFLA_MASTER, if_nametoindex("cni0"));
    struct nlattr *kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, "eth0");
    mnl_attr_put_u32(header, IFLA_NET_NS_PID, pid);
    mnl_attr_nest_end(header, peer);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, kind);
    ask(socket, header, header->nlmsg_len, 0, "add a veth");
}

// MARK: nftables: one transaction around one message

static struct nlmsghdr *nft_message(void *buffer, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource) {
    struct nlmsghdr *header = message(buffer, type, flags);
    struct nfgenmsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->nfgen_family = family;
    info->res_id = htons(resource);
    return header;
}

static struct nlmsghdr *begin_change(char *buffer, uint16_t type) {
    struct nlmsghdr *begin = nft_message(buffer, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    struct nlmsghdr *header =
        nft_message(buffer + begin->nlmsg_len, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_CREATE | NLM_F_ACK, NFPROTO_IPV4, 0);
    header->nlmsg_seq = 1;
    return header;
}

static void commit(struct mnl_socket *socket, char *buffer, struct nlmsghdr *header, const char *what) {
    char *end = (char *)header + header->nlmsg_len;
    struct nlmsghdr *last = nft_message(end, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    ask(socket, buffer, end + last->nlmsg_len - buffer, 1, what);
}

// A table with one set of addresses: what a policy that selects a pod comes down to is an element there.
static void add_policy_set(struct mnl_socket *socket) {
    char buffer[1024];
    struct nlmsghdr *header = begin_change(buffer, NFT_MSG_NEWTABLE);
    mnl_attr_put_strz(header, NFTA_TABLE_NAME, "policy");
    commit(socket, buffer, header, "add a table");
    header = begin_change(buffer, NFT_MSG_NEWSET);
    mnl_attr_put_strz(header, NFTA_SET_TABLE, "policy");
    mnl_attr_put_strz(header, NFTA_SET_NAME, "pods");
    mnl_attr_put_u32(header, NFTA_SET_ID, htonl(1));
    mnl_attr_put_u32(header, NFTA_SET_KEY_TYPE, htonl(7));  // nft's number of ipv4_addr
    mnl_attr_put_u32(header, NFTA_SET_KEY_LEN, htonl(4));
    commit(socket, buffer, header, "add a set");
}

static void add_policy(struct mnl_socket *socket, uint32_t address) {
    char buffer[1024];
    struct nlmsghdr *header = begin_change(buffer, NFT_MSG_NEWSETELEM);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, "policy");
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, "pods");
    struct nlattr *list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    struct nlattr *element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    struct nlattr *key = mnl_attr_nest_start(header, NFTA_SET_ELEM_KEY);
    mnl_attr_put_u32(header, NFTA_DATA_VALUE, htonl(address));
    mnl_attr_nest_end(header, key);
    mnl_attr_nest_end(header, element);
    mnl_attr_nest_end(header, list);
    commit(socket, buffer, header, "add an element");
}

// MARK: The container

static void build_root(const char *image) {
    static const struct { const char *type, *path, *options; } mounts[] = {
        {"proc", "proc", NULL}, {"sysfs", "sys", NULL}, {"tmpfs", "dev", "mode=755"},
        {"devpts", "dev/pts", "newinstance"}, {"tmpfs", "dev/shm", NULL}, {"mqueue", "dev/mqueue", NULL}};
    char layers[4096];
    mkdir("upper", 0755), mkdir("work", 0755), mkdir("merged", 0755);
    // volatile, as in minik: a layer that goes with its container need not be synced.
    snprintf(layers, sizeof layers, "lowerdir=%s,upperdir=upper,workdir=work,volatile", image);
    check(mount("overlay", "merged", "overlay", 0, layers), "mount overlay");
    check(chdir("merged"), "chdir");
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        mkdir(mounts[i].path, 0755);
        check(mount(mounts[i].type, mounts[i].path, mounts[i].type, 0, mounts[i].options), mounts[i].path);
    }
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "detach the old root");
}

// Waits until its link is there, then becomes the container. The parent sees the socket close with exec.
static void run_pod(int number, const char *image, const char *directory) {
    char path[4096], byte;
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
    if (read(word, &byte, 1) != 1) exit(1);
    struct mnl_socket *socket = open_netlink(NETLINK_ROUTE);
    set_up(socket, "lo");
    set_up(socket, "eth0");
    add_address(socket, "eth0", first_pod + number);
    add_default_route(socket);
    check(sethostname("pod", 3), "sethostname");
    snprintf(path, sizeof path, "%s/%d", directory, number);
    check(mkdir(path, 0755), path);
    check(chdir(path), path);
    build_root(image);
    execl("/bin/sleep", "sleep", "3600", NULL);
    die("exec /bin/sleep");
}

static pid_t start_pod(int number, const char *image, const char *directory, struct mnl_socket *links, struct mnl_socket *rules) {
    int ends[2];
    char byte = 0;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    int namespaces = CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
    pid_t pid = syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
    check(pid, "clone");
    if (pid == 0) {
        word = ends[1];
        run_pod(number, image, directory);
    }
    close(ends[1]);
    add_policy(rules, first_pod + number);
    add_veth(links, number, pid);
    if (write(ends[0], &byte, 1) != 1) die("start a container");
    if (read(ends[0], &byte, 1) != 0) exit(1);  // it has said why
    close(ends[0]);
    return pid;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    int count = argc == 4 ? atoi(argv[1]) : 0;
    if (count <= 0) { fprintf(stderr, "usage: bare COUNT IMAGE DIRECTORY\n"); return 2; }
    check(unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare");
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
    struct mnl_socket *links = open_netlink(NETLINK_ROUTE), *rules = open_netlink(NETLINK_NETFILTER);
    add_bridge(links);
    add_policy_set(rules);

    pid_t *pods = calloc(count, sizeof *pods);
    double start = now();
    for (int i = 0; i < count; i++) pods[i] = start_pod(i, argv[2], argv[3], links, rules);
    printf("%.6f\n", (now() - start) / count);
    for (int i = 0; i < count; i++) kill(pods[i], SIGKILL);
    while (wait(NULL) > 0) {}
    return 0;
}

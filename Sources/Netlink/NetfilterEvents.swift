import CMnl
import CSandbox
import Glibc
import Host

/// Hears what netfilter tells one of its groups in one network namespace; what is not read in time is lost.
struct NetfilterEvents: ~Copyable {
    private let descriptor: Descriptor

    /// `operation`: its equivalent, for errors.
    init(_ group: nfnetlink_groups, _ operation: String, in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        let fd = sandbox_socket(
            namespace.descriptor, AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_NONBLOCK.rawValue), NETLINK_NETFILTER)
        guard fd >= 0 else { throw NetlinkError("open a netlink socket", errno: -fd) }
        let opened = Descriptor(owning: fd)
        var group = Int32(group.rawValue), size: Int32 = 4 << 20
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
        let solNetlink: Int32 = 270, addMembership: Int32 = 1  // SOL_NETLINK, NETLINK_ADD_MEMBERSHIP
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, socklen_t(MemoryLayout<sockaddr_nl>.size)) }
        }
        guard bound == 0, setsockopt(fd, solNetlink, addMembership, &group, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw NetlinkError(operation, errno: errno)
        }
        descriptor = opened
    }

    /// Everything that has been told so far.
    borrowing func read(_ body: (UnsafePointer<nlmsghdr>) -> Void) {
        let capacity = 65536
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        defer { buffer.deallocate() }
        while case let count = recv(descriptor.number, buffer, capacity, 0), count > 0 {
            var remaining = Int32(count)
            var header = UnsafePointer(buffer.assumingMemoryBound(to: nlmsghdr.self))
            while mnl_nlmsg_ok(header, remaining) {
                body(header)
                guard let next = mnl_nlmsg_next(header, &remaining) else { break }
                header = UnsafePointer(next)
            }
        }
    }
}

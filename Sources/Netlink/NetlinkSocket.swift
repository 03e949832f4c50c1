import CMnl
import CSandbox
import Glibc
import Host

/// One netlink socket in one network namespace, chosen when it is opened.
///
/// `execute` sends a request and returns the answers after they have been validated: sequence numbers must match, an
/// error becomes a `NetlinkError` with the kernel's own words. Not for two threads at a time: an owner serialises.
package struct NetlinkSocket: ~Copyable {
    private let socket: OpaquePointer
    private var sequence: UInt32 = 0

    package init(_ family: Int32 = NETLINK_ROUTE, in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        let fd = sandbox_socket(namespace.descriptor, AF_NETLINK, Int32(SOCK_RAW.rawValue), family)
        guard fd >= 0 else { throw NetlinkError("open a netlink socket", errno: -fd) }
        let opened = Descriptor(owning: fd)
        guard let socket = mnl_socket_fdopen(fd) else { throw NetlinkError("open a netlink socket", errno: errno) }
        _ = opened.release()  // it is closed with the socket from now on
        guard mnl_socket_bind(socket, 0, 0) == 0 else {
            let error = errno
            mnl_socket_close(socket)
            throw NetlinkError("bind a netlink socket", errno: error)
        }
        var on: Int32 = 1
        mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, socklen_t(MemoryLayout<Int32>.size))
        mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, socklen_t(MemoryLayout<Int32>.size))
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        self.socket = socket
    }

    deinit { mnl_socket_close(socket) }

    package mutating func nextSequence() -> UInt32 {
        sequence &+= 1
        return sequence
    }

    /// Sends one request and waits for its acknowledgement.
    package mutating func execute(_ message: borrowing NetlinkMessage, _ operation: @autoclosure () -> String) throws(NetlinkError) {
        try run(message, operation) { _ in }
    }

    /// Sends a request and hands each answer's message, header included, to `answer`.
    package mutating func run(
        _ message: borrowing NetlinkMessage, _ operation: () -> String, answer: (UnsafePointer<nlmsghdr>) -> Void
    ) throws(NetlinkError) {
        let sequence = nextSequence()
        message.header.pointee.nlmsg_seq = sequence
        guard mnl_socket_sendto(socket, message.header, Int(message.header.pointee.nlmsg_len)) > 0 else {
            throw NetlinkError(operation(), errno: errno)
        }
        try receive(until: sequence, operation, answer)
    }

    /// Sends prepared messages in one packet and waits for the answer to `last`; the first error counts.
    package mutating func send(batch: UnsafeRawBufferPointer, until last: UInt32, _ operation: (UInt32) -> String) throws(NetlinkError) {
        var size = Int32(clamping: batch.count + 4096)
        setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
        guard mnl_socket_sendto(socket, batch.baseAddress, batch.count) > 0 else { throw NetlinkError(operation(0), errno: errno) }
        var failure: NetlinkError?
        var isDone = false
        while !isDone {
            try eachMessage({ operation(0) }) { header in
                if let error = NetlinkSocket.error(header) {
                    if error.code != 0, failure == nil {
                        failure = NetlinkError(operation(header.pointee.nlmsg_seq), errno: error.code, message: error.text)
                    }
                    // A batch that cannot even begin is answered for its first message only.
                    if header.pointee.nlmsg_seq == last
                        || (error.code != 0 && header.pointee.nlmsg_seq < last && failure != nil && header.pointee.nlmsg_seq == 0)
                    {
                        isDone = true
                    }
                }
            }
            if failure != nil { break }
        }
        if let failure {
            drain()
            throw failure
        }
    }

    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 32768)
        while recv(mnl_socket_get_fd(socket), &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
    }

    private func receive(
        until sequence: UInt32, _ operation: () -> String, _ answer: (UnsafePointer<nlmsghdr>) -> Void
    ) throws(NetlinkError) {
        var isDone = false
        var failure: NetlinkError?
        while !isDone {
            try eachMessage(operation) { header in
                guard header.pointee.nlmsg_seq == sequence else { return }  // a late answer to a request that timed out
                if header.pointee.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 {
                    failure = NetlinkError(operation(), errno: EINTR, message: "the dump was interrupted by a change")
                }
                if let error = NetlinkSocket.error(header) {
                    if error.code != 0 { failure = NetlinkError(operation(), errno: error.code, message: error.text) }
                    isDone = true
                } else if header.pointee.nlmsg_type == UInt16(NLMSG_DONE) {
                    isDone = true
                } else {
                    answer(header)
                }
            }
        }
        if let failure { throw failure }
    }

    private func eachMessage(_ operation: () -> String, _ body: (UnsafePointer<nlmsghdr>) -> Void) throws(NetlinkError) {
        let capacity = 65536
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        defer { buffer.deallocate() }
        let count = mnl_socket_recvfrom(socket, buffer, capacity)
        guard count >= 0 else { throw NetlinkError(operation(), errno: errno, message: errno == EAGAIN ? "no answer in 10 s" : nil) }
        var remaining = Int32(count)
        var header = UnsafePointer(buffer.assumingMemoryBound(to: nlmsghdr.self))
        while mnl_nlmsg_ok(header, remaining) {
            body(header)
            guard let next = mnl_nlmsg_next(header, &remaining) else { return }
            header = UnsafePointer(next)
        }
    }

    /// The code (0: acknowledged) and the kernel's words, when the message is an NLMSG_ERROR.
    private static func error(_ header: UnsafePointer<nlmsghdr>) -> (code: Int32, text: String?)? {
        guard header.pointee.nlmsg_type == UInt16(NLMSG_ERROR), let payload = mnl_nlmsg_get_payload(header) else { return nil }
        let code = -payload.load(as: Int32.self)
        guard header.pointee.nlmsg_flags & UInt16(NLM_F_ACK_TLVS) != 0 else { return (code, nil) }
        var text: String?
        // With NETLINK_CAP_ACK the attributes follow the request's header, without its payload.
        let offset = MemoryLayout<nlmsgerr>.size
        forEachAttribute(payload + offset, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - offset) { type, value in
            if type == NLMSGERR_ATTR_MSG.rawValue { text = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return (code, text)
    }
}

/// Walks netlink attributes: their type without flags, and their payload.
package func forEachAttribute(_ start: UnsafeMutableRawPointer, _ length: Int, _ body: (UInt32, UnsafeRawBufferPointer) -> Void) {
    var attribute = UnsafePointer(start.assumingMemoryBound(to: nlattr.self))
    let end = start + length
    while mnl_attr_ok(attribute, Int32(end - UnsafeMutableRawPointer(mutating: attribute))) {
        body(
            UInt32(mnl_attr_get_type(attribute)),
            UnsafeRawBufferPointer(start: mnl_attr_get_payload(attribute), count: Int(mnl_attr_get_payload_len(attribute))))
        guard let next = mnl_attr_next(attribute) else { return }
        attribute = UnsafePointer(next)
    }
}

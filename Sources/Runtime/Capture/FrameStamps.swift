import Glibc
import Host
import Model

/// The kernel's stamps of the moment at which a frame comes or goes.
///
/// The kernel begins to set them a while after the first socket has asked for them, from a queue of work, and until then a frame bears
/// the moment at which it is read: frames of several namespaces would stand in a wrong order. (net/core/dev.c, net_enable_timestamp)
enum FrameStamps {
    /// Waits, while a socket asks for stamps, until a datagram on the loopback is older than its reading; at most half a second, and not at
    /// all where there is no loopback.
    static func awaitOn() throws(FileError) {
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = try Descriptor(Descriptor.result(Glibc.socket(AF_INET, kind, 0)), "open", "a socket")
        var on: Int32 = 1, own = sockaddr_in(), size = socklen_t(MemoryLayout<sockaddr_in>.size)
        (own.sin_family, own.sin_addr.s_addr) = (sa_family_t(AF_INET), UInt32(0x7F00_0001).bigEndian)
        setsockopt(socket.number, SOL_SOCKET, SO_TIMESTAMPNS, &on, socklen_t(MemoryLayout<Int32>.size))
        let isConnected = withUnsafeMutablePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(socket.number, address, size) == 0 && getsockname(socket.number, address, &size) == 0
                    && connect(socket.number, address, size) == 0
            }
        }
        guard isConnected else { return }
        for _ in 0..<1000 where send(socket.number, "", 0, 0) == 0 {
            usleep(500)
            if isOlder(socket, PacketTap.now()) { return }
        }
    }

    /// Whether the kernel says of what has come that it came before `moment`.
    private static func isOlder(_ socket: borrowing Descriptor, _ moment: UInt64) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 16) { control in
            guard let base = control.baseAddress else { return false }
            var message = msghdr()
            (message.msg_control, message.msg_controllen) = (base, control.count)
            guard recvmsg(socket.number, &message, 0) >= 0 else { return false }
            return PacketTap.time(base, Int(message.msg_controllen)) < moment
        }
    }
}

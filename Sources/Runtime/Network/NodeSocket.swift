import CSandbox
import Glibc
import Model

/// Sockets in other network namespaces, made by this process.
package enum NodeSocket {
    /// A TCP socket that listens in the namespace at `namespace`; the caller owns it.
    package static func listening(on address: IPv4Address, port: Int, namespace: String) throws -> Int32 {
        let fd = try open(in: namespace)
        var one: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var target = Self.address(address, port)
        let bound = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard bound == 0, listen(fd, 256) == 0 else {
            let code = errno
            close(fd)
            throw FileError("listen on", "\(address):\(port) in \(namespace)", errno: code)
        }
        return fd
    }

    /// A TCP socket connected from within the namespace at `namespace`; the caller owns it. Blocks for up to `seconds`.
    package static func connected(to address: IPv4Address, port: Int, namespace: String, seconds: Int = 10) throws -> Int32 {
        let fd = try open(in: namespace)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var target = Self.address(address, port)
        let result = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else {
            let code = errno
            close(fd)
            throw FileError("connect to", "\(address):\(port)", errno: code == EINPROGRESS ? ETIMEDOUT : code)
        }
        return fd
    }

    private static func open(in namespace: String) throws -> Int32 {
        let ns = Glibc.open(namespace, O_RDONLY | O_CLOEXEC)
        guard ns >= 0 else { throw FileError("open", namespace, errno: errno) }
        defer { close(ns) }
        let fd = sandbox_socket(ns, AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw FileError("open a socket in", namespace, errno: -fd) }
        return fd
    }

    private static func address(_ address: IPv4Address, _ port: Int) -> sockaddr_in {
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        target.sin_addr.s_addr = address.value.bigEndian
        return target
    }
}

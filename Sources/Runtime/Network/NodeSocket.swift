import CSandbox
import Glibc
import Host
import Model

/// Sockets in other network namespaces, made by this process.
package enum NodeSocket {
    /// A TCP socket that listens in the namespace at `namespace`; the caller owns it.
    package static func listening(on address: IPAddress, port: Int, namespace: String) throws -> Int32 {
        let fd = try open(address.family, in: namespace)
        var one: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        let bound = SocketAddress(address, port: port).withPointer { bind(fd, $0, $1) }
        guard bound == 0, listen(fd, 256) == 0 else {
            let code = errno
            close(fd)
            throw FileError("listen on", "\(address):\(port) in \(namespace)", errno: code)
        }
        return fd
    }

    /// A TCP socket connected from within the namespace at `namespace`; the caller owns it. Blocks for up to `seconds`.
    package static func connected(to address: IPAddress, port: Int, namespace: String, seconds: Int = 10) throws -> Int32 {
        let fd = try open(address.family, in: namespace)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = SocketAddress(address, port: port).withPointer { connect(fd, $0, $1) }
        guard result == 0 else {
            let code = errno
            close(fd)
            throw FileError("connect to", "\(address):\(port)", errno: code == EINPROGRESS ? ETIMEDOUT : code)
        }
        return fd
    }

    private static func open(_ family: IPFamily, in namespace: String) throws -> Int32 {
        let ns = Glibc.open(namespace, O_RDONLY | O_CLOEXEC)
        guard ns >= 0 else { throw FileError("open", namespace, errno: errno) }
        defer { close(ns) }
        let fd = sandbox_socket(ns, family.number, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw FileError("open a socket in", namespace, errno: -fd) }
        return fd
    }
}

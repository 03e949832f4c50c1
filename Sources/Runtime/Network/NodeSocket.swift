import CSandbox
import Glibc
import Host
import Model

/// Sockets in other network namespaces, made by this process.
package enum NodeSocket {
    /// A TCP socket that listens in the namespace at `namespace`.
    package static func listening(on address: IPAddress, port: Int, namespace: String) throws -> Descriptor {
        let socket = try open(address.family, in: namespace)
        var one: Int32 = 1
        setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        let bound = SocketAddress(address, port: port).withPointer { bind(socket.number, $0, $1) }
        guard bound == 0, listen(socket.number, 256) == 0 else {
            throw FileError("listen on", "\(address):\(port) in \(namespace)", errno: errno)
        }
        return socket
    }

    /// A TCP socket connected from within the namespace at `namespace`. Blocks for up to `seconds`.
    package static func connected(to address: IPAddress, port: Int, namespace: String, seconds: Int = 10) throws -> Descriptor {
        let socket = try open(address.family, in: namespace)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = SocketAddress(address, port: port).withPointer { connect(socket.number, $0, $1) }
        guard result == 0 else {
            throw FileError("connect to", "\(address):\(port)", errno: errno == EINPROGRESS ? ETIMEDOUT : errno)
        }
        return socket
    }

    private static func open(_ family: IPFamily, in namespace: String) throws(FileError) -> Descriptor {
        let place = try Descriptor(opening: namespace, O_RDONLY)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        return try Descriptor(sandbox_socket(place.number, family.number, type, 0), "open a socket in", namespace)
    }
}

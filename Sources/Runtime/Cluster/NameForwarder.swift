import CSandbox
import Dispatch
import Glibc
import Host
import Model

/// Asks the machine's resolvers for the cluster's DNS server, which reaches nobody from its pod. It listens on a Unix socket that pods of
/// the server have mounted; each packet is a message of DNS, and nothing of it is looked at but its header.
package struct NameForwarder: Sendable {
    private let path: String
    /// As the cluster's document has it when a query comes: `up` may have changed it.
    private let resolvers: @Sendable () -> [Cluster.Resolver]

    package init(path: String, resolvers: @escaping @Sendable () -> [Cluster.Resolver]) {
        self.path = path
        self.resolvers = resolvers
    }

    /// Until cancelled.
    package func run() async throws {
        let listener = try listen()
        defer {
            close(listener)
            unlink(path)
        }
        var pipe: [Int32] = [-1, -1]
        let result = sandbox_pipe(&pipe)
        guard result == 0 else { throw FileError("make", "a pipe", errno: -result) }
        let (stopped, stopper) = (pipe[0], pipe[1])
        defer { for fd in [stopped, stopper] { close(fd) } }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // A queue's thread of its own: it waits.
                DispatchQueue(label: "names").async {
                    var exchanges = NameExchanges(listener: listener, stopped: stopped, resolvers: resolvers)
                    exchanges.run()
                    continuation.resume()
                }
            }
        } onCancel: {
            _ = Glibc.write(stopper, [0], 1)
        }
    }

    private func listen() throws -> Int32 {
        unlink(path)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw FileError("listen on", path, errno: ENAMETOOLONG) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let fd = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { throw FileError("make", "a socket", errno: errno) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
        guard isBound, Glibc.listen(fd, 16) == 0 else {
            let error = errno
            close(fd)
            throw FileError("listen on", path, errno: error)
        }
        return fd
    }
}

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
        unlink(path)
        let listener = try UnixSocket.listening(at: path, .packets)
        defer { unlink(path) }
        try listener.setNonBlocking()
        let stop = try Pipe()
        let (listening, stopped, stopper) = (listener.number, stop.reading.number, stop.writing.number)
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // A queue's thread of its own: it waits.
                DispatchQueue(label: "names").async {
                    var exchanges = NameExchanges(listener: listening, stopped: stopped, resolvers: resolvers)
                    exchanges.run()
                    continuation.resume()
                }
            }
        } onCancel: {
            _ = Glibc.write(stopper, [0], 1)
        }
    }
}

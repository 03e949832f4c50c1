import NIOPosix

/// The threads on which large requests are read and large answers written out: their own, so that what the cluster's parts do for
/// each other, leases before all, never waits for what a client sends.
package final class RequestThreads: Sendable {
    /// Work on fewer bytes than this is done where it stands.
    private static let small = 8 * 1024

    private let pool: NIOThreadPool

    package init(count: Int = 2) {
        pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
    }

    deinit { pool.shutdownGracefully { _ in } }

    /// Runs work on so many bytes that waits for nothing and nobody.
    package func run<R: Sendable>(_ size: Int, _ work: @escaping @Sendable () throws -> R) async throws -> R {
        if size < Self.small { return try work() }
        return try await pool.runIfActive(work)
    }
}

import Glibc
import Host

/// Work that ends when the process is told to end.
package enum Termination {
    /// Runs `body`; when SIGTERM or SIGINT comes it is cancelled, and that is no failure. For one caller a process.
    package static func ends(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let signals = Signals.catching([SIGTERM, SIGINT])
            group.addTask { for await _ in signals { return } }
            group.addTask { try await body() }
            try await group.next()
            group.cancelAll()
        }
    }
}

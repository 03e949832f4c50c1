import Glibc
import Synchronization

/// A descriptor held back for the moment when there is no other: whether a process lives has to be known even then.
package final class SpareDescriptor: Sendable {
    package static let ofProcess = SpareDescriptor(
        open: { Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }, close: { _ = Glibc.close($0) })

    private let open: @Sendable () -> Int32
    private let close: @Sendable (Int32) -> Void
    private let held: Mutex<Int32>

    /// `open` gives a descriptor, or -1 when there is none.
    package init(open: @escaping @Sendable () -> Int32, close: @escaping @Sendable (Int32) -> Void) {
        self.open = open
        self.close = close
        held = Mutex(open())
    }

    /// Makes sure that it is held.
    package func hold() {
        held.withLock { if $0 < 0 { $0 = open() } }
    }

    /// Runs `body` while there is room for one.
    package func lend<R>(_ body: () throws -> R) rethrows -> R {
        try held.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            defer { descriptor = open() }
            return try body()
        }
    }
}

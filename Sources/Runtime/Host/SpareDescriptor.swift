import Glibc
import Synchronization

/// A descriptor held back for the moment when there is no other: whether a process lives has to be known even then.
package final class SpareDescriptor: Sendable {
    package static let ofProcess = SpareDescriptor()
    private let held = Mutex<Int32>(SpareDescriptor.open())

    private static func open() -> Int32 { Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }

    /// Makes sure that it is held.
    package func hold() {
        held.withLock { if $0 < 0 { $0 = Self.open() } }
    }

    /// Runs `body` while there is room for one.
    func lend<R>(_ body: () -> R) -> R {
        held.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            defer { descriptor = Self.open() }
            return body()
        }
    }
}

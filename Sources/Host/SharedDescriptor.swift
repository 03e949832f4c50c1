import Synchronization

/// A descriptor that several tasks know: open until one of them closes it, or takes it to be its own.
package final class SharedDescriptor: Sendable {
    private let held: Mutex<Descriptor?>

    package init(_ descriptor: consuming Descriptor) { held = Mutex(descriptor) }

    /// nil for none.
    package convenience init?(ifAny descriptor: consuming Descriptor?) {
        guard let descriptor else { return nil }
        self.init(descriptor)
    }

    /// nil once it is somebody else's, or closed.
    package func take() -> Descriptor? { held.withLock { $0.take() } }

    package func close() { _ = take() }

    /// What `body` makes of it while nobody closes it; nil once it is gone.
    package func borrow<R>(_ body: (borrowing Descriptor) throws -> R) rethrows -> R? {
        try held.withLock { descriptor in
            switch descriptor {
            case .some(let open): try body(open)
            case .none: nil
            }
        }
    }
}

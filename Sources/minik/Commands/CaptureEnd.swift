import Glibc
import Host
import Synchronization

/// What ends a capture from outside: ctrl-C, or its time.
final class CaptureEnd: Sendable {
    private let state = Atomic(false)
    var hasCome: Bool { state.load(ordering: .relaxed) }

    /// `seconds`: nil is for ever. For one caller a process, as signals are.
    init(after seconds: Double?) {
        Task {
            for await _ in Signals.catching([SIGINT, SIGTERM]) { state.store(true, ordering: .relaxed) }
        }
        guard let seconds else { return }
        Task {
            try await Task.sleep(for: .seconds(seconds))
            state.store(true, ordering: .relaxed)
        }
    }
}

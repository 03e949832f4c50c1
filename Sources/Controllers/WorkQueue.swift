import Model
import Synchronization

/// Keys that wait to be reconciled, in the order in which they came; one that waits already is not added again.
final class WorkQueue: Sendable {
    private struct State {
        var pending: [ObjectKey] = []
        /// How far `pending` is worked off, and what of it still waits.
        var head = 0
        var waiting: Set<ObjectKey> = []
        var wake: AsyncStream<Void>.Continuation?
    }

    private let state = Mutex(State())

    func add(_ keys: some Sequence<ObjectKey>) {
        state.withLock { state in
            for key in keys where state.waiting.insert(key).inserted { state.pending.append(key) }
            if state.head < state.pending.count { state.wake?.yield() }
        }
    }

    private func next() -> ObjectKey? {
        state.withLock { state in
            guard state.head < state.pending.count else { return nil }
            let key = state.pending[state.head]
            state.head += 1
            state.waiting.remove(key)
            if state.head == state.pending.count || state.head > 4096 {
                state.pending.removeFirst(state.head)
                state.head = 0
            }
            return key
        }
    }

    /// Hands over one key after the other until cancelled.
    func follow(isolation: isolated (any Actor)? = #isolation, _ body: (ObjectKey) async throws -> Void) async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { $0.wake = wake }
        wake.yield()
        for await _ in wakes { while let key = next() { try await body(key) } }
        try Task.checkCancellation()
    }
}

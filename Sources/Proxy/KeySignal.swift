import Model
import Synchronization

/// Keys that wait for somebody to look at them; a key that is added again while it waits is looked at once.
package final class KeySignal: Sendable {
    private struct State {
        var keys: Set<ObjectKey> = []
        var wake: AsyncStream<Void>.Continuation?
    }

    private let state = Mutex(State())

    package init() {}

    package func add(_ keys: some Sequence<ObjectKey>) {
        state.withLock { state in
            state.keys.formUnion(keys)
            if !state.keys.isEmpty { state.wake?.yield() }
        }
    }

    /// What waits, and nothing waits any more.
    func take() -> Set<ObjectKey> {
        state.withLock { state in
            defer { state.keys = [] }
            return state.keys
        }
    }

    /// Hands over what waits, all of it at once, until cancelled.
    package func follow(isolation: isolated (any Actor)? = #isolation, _ body: (Set<ObjectKey>) async throws -> Void) async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { $0.wake = wake }
        wake.yield()
        for await _ in wakes {
            let keys = take()
            if !keys.isEmpty { try await body(keys) }
        }
        try Task.checkCancellation()
    }
}

import Synchronization

/// A clock whose time passes when a test says so; whoever sleeps on it wakes then.
final class ManualClock: Clock, Sendable {
    struct Instant: InstantProtocol {
        var offset = Duration.zero
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (a: Instant, b: Instant) -> Bool { a.offset < b.offset }
    }

    private struct Sleeper {
        let deadline: Instant
        let wake: AsyncStream<Void>.Continuation
    }

    private struct State {
        var now = Instant()
        var sleepers: [Int: Sleeper] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Duration { .zero }
    /// How many wait for time to pass.
    var sleepers: Int { state.withLock { $0.sleepers.count } }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try Task.checkCancellation()
        let (stream, wake) = AsyncStream.makeStream(of: Void.self)
        let number: Int? = state.withLock { state in
            if state.now >= deadline { return nil }
            state.next += 1
            state.sleepers[state.next] = Sleeper(deadline: deadline, wake: wake)
            return state.next
        }
        guard let number else { return }
        for await _ in stream {}
        state.withLock { $0.sleepers[number] = nil }
        try Task.checkCancellation()
    }

    func pass(_ duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.value.deadline <= state.now }
            for number in due.keys { state.sleepers[number] = nil }
            return due.values.map(\.wake)
        }
        for wake in due { wake.finish() }
    }
}

@preconcurrency import Dispatch  // its sources may be used from any thread, which their type does not say
import Synchronization

/// The continuous clock, for sleeps that are cancelled as a rule: who is cancelled leaves nothing behind.
///
/// A `Task.sleep` that is cancelled ends, but what was to wake it stays in memory until its time has come: a pod that renews its tokens in
/// an hour, or a look that was put off for ten minutes, leaves it for so long, and with it the page on which it lies.
package struct TimerClock: Clock {
    package typealias Instant = ContinuousClock.Instant

    package init() {}

    package var now: Instant { ContinuousClock.now }
    package var minimumResolution: Duration { .nanoseconds(1) }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let left = now.duration(to: deadline)
        try Task.checkCancellation()
        guard left > .zero else { return }
        let sleeper = Sleeper(left)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { sleeper.wait($0) }
        } onCancel: {
            sleeper.end(.failure(CancellationError()))
        }
    }
}

/// One sleep: it ends once, by its timer or before.
private final class Sleeper: Sendable {
    private enum State {
        case begun
        case waiting(CheckedContinuation<Void, any Error>)
        case ended(Result<Void, any Error>)
    }

    private let state = Mutex(State.begun)
    private let timer: any DispatchSourceTimer

    init(_ left: Duration) {
        timer = DispatchSource.makeTimerSource()
        // Nobody sleeps for centuries.
        let seconds = min(left.components.seconds, 1 << 30)
        timer.schedule(deadline: .now() + .seconds(Int(seconds)) + .nanoseconds(Int(left.components.attoseconds / 1_000_000_000)))
        timer.setEventHandler { [weak self] in self?.end(.success(())) }
        timer.activate()
    }

    func wait(_ continuation: CheckedContinuation<Void, any Error>) {
        let result: Result<Void, any Error>? = state.withLock { state in
            if case .ended(let result) = state { return result }
            state = .waiting(continuation)
            return nil
        }
        if let result { continuation.resume(with: result) }
    }

    func end(_ result: Result<Void, any Error>) {
        let waiting: CheckedContinuation<Void, any Error>? = state.withLock { state in
            if case .ended = state { return nil }
            defer { state = .ended(result) }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        timer.cancel()
        waiting?.resume(with: result)
    }
}

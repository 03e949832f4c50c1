import Model
import Synchronization

/// A clock that moves when a test says so.
final class StandingClock: Sendable {
    private let seconds = Mutex(Fixture.time.seconds)
    var now: Timestamp { Timestamp(seconds: seconds.withLock { $0 }) }
    func pass(_ count: Int) { seconds.withLock { $0 += count } }
}

import Model
import Synchronization

/// A time for each node that a reconciler keeps between its visits: when it was last heard of, since when it has been missing.
final class NodeTimes: Sendable {
    private let times = Mutex<[String: Duration]>([:])

    /// The time of a clock that stands still while the machine sleeps: who was not awake missed no sign of a node.
    static func awake() -> @Sendable () -> Duration { { [start = SuspendingClock.now] in start.duration(to: .now) } }

    func set(_ node: String, _ time: Duration) { times.withLock { $0[node] = time } }
    func forget(_ node: String) { times.withLock { $0[node] = nil } }
    func time(of node: String) -> Duration? { times.withLock { $0[node] } }

    /// The node's time, which is `now` from here on for one that has none.
    func time(of node: String, orSet now: Duration) -> Duration {
        times.withLock { times in
            let time = times[node] ?? now
            times[node] = time
            return time
        }
    }
}

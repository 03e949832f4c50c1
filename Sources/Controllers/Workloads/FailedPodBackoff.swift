import Model

/// How long a DaemonSet leaves a failed pod where it is before it tries again on the node: one second, two, ... a quarter of an hour at
/// most. A node that refuses each pod would otherwise get them without end. (k8s.io/client-go/util/flowcontrol, Backoff)
actor FailedPodBackoff {
    private struct Key: Hashable {
        let set: String
        let node: String
    }

    private var delays: [Key: (seconds: Int, since: Timestamp)] = [:]
    static let first = 1, longest = 15 * 60

    /// The nodes on which the set with this uid has to wait, and for how many seconds yet.
    func waiting(_ set: String, _ now: Timestamp) -> [String: Int] {
        var waits: [String: Int] = [:]
        for (key, delay) in delays where key.set == set {
            let left = delay.since.seconds + delay.seconds - now.seconds
            if left > 0 { waits[key.node] = left }
        }
        return waits
    }

    /// A failed pod goes now: the next has to wait longer, unless the last was long ago.
    func retry(_ set: String, _ node: String, _ now: Timestamp) {
        let key = Key(set: set, node: node)
        let last = delays[key].flatMap { now.seconds - $0.since.seconds > 2 * Self.longest ? nil : $0.seconds }
        delays[key] = (last.map { min(2 * $0, Self.longest) } ?? Self.first, now)
    }

    func forget(_ set: String) { delays = delays.filter { $0.key.set != set } }
}

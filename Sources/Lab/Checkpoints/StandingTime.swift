import Model

/// Time that a cluster did not see pass: what counts from then on, or runs out by the clock, is moved on by as much.
package struct StandingTime {
    package let seconds: Int

    package init(from start: Timestamp, to end: Timestamp) { seconds = max(0, end.seconds - start.seconds) }

    /// The times that something is counted from; * is every entry of a list. What only tells when something happened stays.
    private static let times: [Resource: [[String]]] = [
        .leases: [["spec", "renewTime"], ["spec", "acquireTime"]],
        .nodes: [["spec", "taints", "*", "timeAdded"], ["status", "conditions", "*", "lastHeartbeatTime"]],
        .pods: [["metadata", "deletionTimestamp"], ["status", "startTime"]],
        .jobs: [["status", "startTime"], ["status", "completionTime"], ["status", "conditions", "*", "lastTransitionTime"]],
        .deployments: [["status", "conditions", "*", "lastUpdateTime"]],
    ]

    package func moved(_ resource: Resource, _ object: JSON) -> JSON {
        guard seconds > 0, let paths = Self.times[resource] else { return object }
        return paths.reduce(object) { moved($0, along: $1[...]) }
    }

    private func moved(_ value: JSON, along path: ArraySlice<String>) -> JSON {
        guard let step = path.first else { return value.string.map(moved) ?? value }
        let rest = path.dropFirst()
        if step == "*" { return value.array.map { .array($0.map { moved($0, along: rest) }) } ?? value }
        guard value.object?[step] != nil else { return value }
        var changed = value
        changed[step] = moved(value[step], along: rest)
        return changed
    }

    private func moved(_ text: String) -> JSON {
        guard let time = Timestamp(text) else { return .string(text) }
        let later = Timestamp(seconds: time.seconds + seconds, nanoseconds: time.nanoseconds)
        // MicroTime has six digits, Time none. (k8s.io/apimachinery/pkg/apis/meta/v1)
        return .string(text.contains(".") ? "\(later.precise.dropLast(4))Z" : later.description)
    }
}

import Model

/// How long a Job waits before it replaces failed pods: 10 s, 20 s, ... ten minutes at most, from the last failure on; a success ends it.
/// (k8s.io/kubernetes/pkg/controller/job/backoff_utils.go)
struct JobBackoff: Equatable {
    /// Since the last success.
    private(set) var failures = 0
    private(set) var lastFailure: Timestamp?

    static let first = 10, longest = 600

    mutating func record(succeeded: [Pod], failed: [Pod]) {
        var times = failed.map(\.finishTime)
        if let success = succeeded.map(\.finishTime).max() {
            self = JobBackoff()
            times = times.filter { $0 > success }
        }
        failures += times.count
        if let last = times.max() { lastFailure = last }
    }

    func remaining(_ now: Timestamp) -> Int { lastFailure.map { Self.remaining(failures, since: $0, now) } ?? 0 }

    static func remaining(_ failures: Int, since last: Timestamp, _ now: Timestamp) -> Int {
        guard failures > 0 else { return 0 }
        return max(0, last.seconds + min(first << min(failures - 1, 6), longest) - now.seconds)
    }
}

/// The back-offs of all jobs. They are forgotten when the daemon ends, as upstream's are with the controller manager.
actor JobBackoffs {
    private var records: [String: JobBackoff] = [:]

    subscript(uid: String) -> JobBackoff { records[uid] ?? JobBackoff() }
    func set(_ record: JobBackoff, for uid: String) { records[uid] = record }
    func forget(_ uid: String) { records[uid] = nil }
}

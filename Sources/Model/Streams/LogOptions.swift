/// What `kubectl logs` can ask for.
package struct LogOptions: Sendable {
    package var follow = false
    package var previous = false
    package var timestamps = false
    package var tailLines: Int?
    package var sinceSeconds: Int?
    package var sinceTime: Timestamp?
    package var limitBytes: Int?

    package init(
        follow: Bool = false, previous: Bool = false, timestamps: Bool = false, tailLines: Int? = nil, sinceSeconds: Int? = nil,
        sinceTime: Timestamp? = nil,
        limitBytes: Int? = nil
    ) {
        self.sinceTime = sinceTime
        self.limitBytes = limitBytes
        self.follow = follow
        self.previous = previous
        self.timestamps = timestamps
        self.tailLines = tailLines
        self.sinceSeconds = sinceSeconds
    }

    /// From when on lines are wanted.
    package func since(_ now: Timestamp) -> Timestamp? {
        sinceTime ?? sinceSeconds.map { Timestamp(seconds: now.seconds - $0, nanoseconds: now.nanoseconds) }
    }
}

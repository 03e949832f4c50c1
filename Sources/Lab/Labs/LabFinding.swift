import Model

/// What was seen of one condition.
package struct LabFinding: Sendable, Hashable {
    package let holds: Bool
    package let words: String
    /// Of a packet: what became of it, and what the compiled rules make of it.
    package var verdict: String?
    package var computed: String?
}

/// How one task stands.
package struct LabResult: Sendable {
    package enum State: String, Sendable {
        case passed, open, failed
        /// Another task comes first.
        case waiting
    }

    package let task: LabTask
    package let state: State
    package var findings: [LabFinding] = []
    /// The typical mistake that was made.
    package var mistake: LabHint?

    package var isDone: Bool { state == .passed || (task.isWarning && state != .failed) }
}

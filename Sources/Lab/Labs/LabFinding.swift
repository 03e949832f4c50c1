import Model

/// What was seen of one condition.
package struct LabFinding: Sendable, Hashable {
    package let holds: Bool
    package let words: String
    /// Of a packet: what became of it, and what the compiled rules make of it.
    package var verdict: String?
    package var computed: String?
}

extension LabFinding {
    /// The line of a program's words that says most: the first that tells of an error, else the last that has a word in it. nft ends with
    /// a line of carets below what it complains of.
    package static func gist(of words: String) -> String? {
        let lines = words.split(separator: "\n").map { $0.trimmed }
        return lines.first { $0.lowercased().hasPrefix("error") || $0.lowercased().contains("error:") }
            ?? lines.last { $0.contains { $0.isLetter || $0.isNumber } }
    }
}

/// How one task stands.
package struct LabResult: Sendable {
    package enum State: String, Sendable {
        case passed, open, failed
        /// Another task comes first.
        case waiting
        /// Here nobody can tell.
        case unjudged
    }

    package let task: LabTask
    package let state: State
    package var findings: [LabFinding] = []
    /// The typical mistake that was made.
    package var mistake: LabHint?
    /// How long it took to find out.
    package var time = Duration.zero

    package init(task: LabTask, state: State, findings: [LabFinding] = [], mistake: LabHint? = nil) {
        (self.task, self.state, self.findings, self.mistake) = (task, state, findings, mistake)
    }

    package var isDone: Bool { [.passed, .unjudged].contains(state) || (task.isWarning && state != .failed) }

    /// A judgement whose packets were sent partly before a change and partly after it is one of a state that never was. So a pass counts
    /// when a second judgement, begun after the first has ended, is one, too.
    package static func settled(_ judge: () async throws -> LabResult) async throws -> LabResult {
        let first = try await judge()
        return first.state == .passed ? try await judge() : first
    }
}

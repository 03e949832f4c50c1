import Model
import Runtime

/// `minik lab test`: takes a lab as a learner would who makes every mistake once, and sees that it tells right from wrong.
package struct LabTrial {
    private let session: LabSession
    private let language: LabText.Language
    private let heard: @Sendable (String) -> Void

    /// `heard`: each thing that was seen, a line, as it is seen.
    package init(_ session: LabSession, _ language: LabText.Language = .english, _ heard: @escaping @Sendable (String) -> Void) {
        (self.session, self.language, self.heard) = (session, language, heard)
    }

    /// What was to be seen, and, where it was not, why.
    package struct Step: Sendable {
        package let name: String
        package let failure: String?
        /// How long it took, and what was done before.
        package let time: Duration

        package init(name: String, failure: String?, time: Duration) { (self.name, self.failure, self.time) = (name, failure, time) }
    }

    package func run() async throws -> [Step] {
        var steps: [Step] = [], begun = ContinuousClock.now
        func note(_ name: String, _ failure: String?) {
            let now = ContinuousClock.now
            steps.append(Step(name: name, failure: failure, time: now - begun))
            begun = now
            heard("\(failure == nil ? "✓" : "✗") \(name)\(failure.map { ": \($0)" } ?? "")")
        }
        for task in session.lab.tasks {
            let result = try await session.judge(task)
            note(
                "\(task.name): not done at the start",
                result.state == .open ? nil : "it is \(result.state.rawValue) before anything was done")
        }
        for task in session.lab.tasks {
            try await session.begin(task)
            let before = try await session.judge(task)
            note("\(task.name): not done by what came before it", before.state == .open ? nil : "it is \(before.state.rawValue)")
            for hint in task.hints where !hint.answer.isEmpty {
                note("\(task.name): wrong answer \(hint.name) is refused in its own words", try await refused(hint, task))
            }
            if task.solution.isEmpty, !task.isRead, session.file.scenario != nil {
                heard("  \(task.name): its text has no commands that could be run; what comes after it is not tried")
                break
            }
            guard !task.solution.isEmpty || task.isRead else {
                note("\(task.name): solution", "there is none: how is it known that it can be done?")
                break
            }
            let result = try await session.solve(task)
            note("\(task.name): solution", result.state == .passed ? nil : explanation(result))
            // What comes after it would fail for its sake.
            if result.state != .passed { break }
        }
        return steps
    }

    /// Makes a mistake and takes it back; nil when it was refused as it should be.
    private func refused(_ hint: LabHint, _ task: LabTask) async throws -> String? {
        try await session.perform(hint.answer)
        let result = try await session.watch(task, patience: .seconds(max(task.wait, 1))) {
            $0.state != .open || $0.mistake?.name == hint.name
        }
        let failure: String?
        if result.state == .passed {
            failure = "it is taken for right"
        } else if result.mistake?.name == hint.name {
            let said = LabReport(session.lab, [result], language).lines.joined(separator: "\n")
            let words = hint.text[language].trimmed.split(separator: "\n").first.map(String.init) ?? ""
            failure = said.contains(words) ? nil : "what is said has not its words"
        } else {
            failure =
                "it is taken for \(result.mistake.map { "the mistake \($0.name)" } ?? "no mistake that is known"): \(explanation(result))"
        }
        try await session.perform(hint.undo)
        return failure
    }

    private func explanation(_ result: LabResult) -> String {
        ([result.state.rawValue] + result.findings.filter { !$0.holds }.map(\.words)).joined(separator: "; ")
    }
}

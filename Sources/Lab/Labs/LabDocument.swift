import API
import Model

/// The `Lab` document: what a learner is to find out, to build or to mend in a cluster, and how each of it is judged.
package struct LabDocument: Sendable {
    package let name: String
    package let title: LabText
    package let objectives: [LabText]
    package let difficulty: String
    package let minutes: Int
    /// Where it stands among the others.
    package let order: Int
    /// What is said when it begins, and when all is done.
    package let intro: LabText?
    package let outro: LabText?
    /// Done once, when the cluster and the objects beside the document are up.
    package let setup: [LabStep]
    package let tasks: [LabTask]
    /// Done once, when all tasks are.
    package let ending: [LabStep]
    /// The node that the learner works on; nil: the learner's own shell.
    package let home: String?

    package func task(_ name: String) -> LabTask? { tasks.first { $0.name == name } }

    /// The first of the tasks that come before this one, directly or not, that is not done yet.
    package func firstNeed(of task: LabTask, passed: Set<String>) -> LabTask? {
        let needs = task.needs.compactMap { self.task($0) }
        guard let need = needs.first(where: { !passed.contains($0.name) && $0.obstacle == nil }) else { return nil }
        return firstNeed(of: need, passed: passed) ?? need
    }
}

package struct LabTask: Sendable {
    package let name: String
    package let title: LabText
    /// Markdown.
    package let text: LabText
    /// The tasks that come before it.
    package let needs: [String]
    /// It is done when all of them hold.
    package let checks: [LabCheck]
    /// It is lost when one of them holds.
    package let failChecks: [LabCheck]
    package let hints: [LabHint]
    package let solution: [LabStep]
    package let pass: LabText?
    package let fail: LabText?
    /// How long what was done may take to show, in seconds.
    package let wait: Int
    /// What it wants is good practice: a lab is done without.
    package let isWarning: Bool
    /// Done once, when its turn comes.
    package let setup: [LabStep]
    /// Why nobody can judge it where the lab is taken.
    package var obstacle: String?

    /// There is nothing to do but to read it.
    package var isRead: Bool { checks == [.read] }
}

/// Help, and with a condition of its own what a typical mistake is told by. With an answer it is one that `minik lab test` makes, to see
/// that it is refused in these words.
package struct LabHint: Sendable {
    package let name: String
    package let when: [LabCheck]
    package let text: LabText
    package let answer: [LabStep]
    /// What puts things back, where the solution does not.
    package let undo: [LabStep]
}

/// Something that is done: by the setup, a solution, or a wrong answer.
package enum LabStep: Sendable, Hashable {
    case run(LabCommand)
    /// What it prints is the learner's to see, and however it ends, the lab goes on.
    case show(LabCommand)
    /// Manifests, and the line of the lab's file at which they begin.
    case apply(String, line: Int)

    /// Manifests that stand in a file from this line on, and know it: the file's own place is what a complaint names.
    package static func manifests(_ text: String, file: String, line: Int) throws(ManifestError) -> [Manifest] {
        try Manifest.read(String(repeating: "\n", count: line - 1) + text, file: file)
    }
}

/// A shell's command, and where it runs: nil for the learner's own shell, else `host` (the outside client), a node or `pod/NAME`.
package struct LabCommand: Sendable, Hashable {
    package let text: String
    package let place: String?

    package init(text: String, place: String?) { (self.text, self.place) = (text, place) }

    /// Its programs are the machine's, and no image's that a learner may have chosen.
    var isOnMachine: Bool { place?.hasPrefix("pod/") != true }
}

/// A condition.
package enum LabCheck: Sendable, Hashable {
    /// The command ends with this code and prints something that holds this text.
    case run(LabCommand, exit: Int, output: String?)
    case object(LabObjectCondition)
    case reach([LabExpectation])
    /// The learner's answer is what this command prints, or is as this pattern says.
    case answer(LabCommand)
    /// A pattern as a shell has it: a whole answer, or `veth*`.
    case answerIs(String)
    /// The learner has read the task: `minik lab next`.
    case read
}

/// `TYPE/NAME` has this value at this path; without a value, any; or is not there at all.
package struct LabObjectCondition: Sendable, Hashable {
    package let object: String
    package let namespace: String
    package let path: String?
    package let value: String?
    package let exists: Bool
}

/// What becomes of a real packet.
package struct LabExpectation: Sendable, Hashable {
    package enum Verdict: String, Sendable, CaseIterable {
        case allowed
        /// Nothing comes back.
        case timeout
        /// Somebody answers that there is nobody.
        case refused
        /// There is no way there.
        case unreachable
    }

    /// A pod, `TYPE/NAME` or KEY=VALUE for several, `node/NAME`, `nodes`, `host`, an address.
    package let from: String
    package let to: String
    package let port: String?
    package let namespace: String
    package let verdict: Verdict
    /// The hops that are left where it arrives; of a ping, in the answer.
    package let ttl: Int?
    /// Whom the target takes it to come from: `self`, `node/NAME` or an address.
    package let source: String?
    /// The name by which `from` finds it.
    package let dns: String?

    package init(
        from: String, to: String, port: String?, namespace: String, verdict: Verdict, ttl: Int? = nil, source: String? = nil,
        dns: String? = nil
    ) {
        (self.from, self.to, self.port, self.namespace, self.verdict) = (from, to, port, namespace, verdict)
        (self.ttl, self.source, self.dns) = (ttl, source, dns)
    }

    package var words: String { "\(from) -> \(to)\(port.map { ":\($0)" } ?? "")" }
}

/// Text in English and, where somebody wrote it, in Chinese.
package struct LabText: Sendable, Hashable {
    package enum Language: String, Sendable, CaseIterable { case english = "en", chinese = "zh" }

    package let english: String
    package let chinese: String?

    package subscript(_ language: Language) -> String { language == .chinese ? chinese ?? english : english }
}

import Model

/// How a lab stands, for people and for machines.
package struct LabReport {
    private let lab: LabDocument
    private let results: [LabResult]
    private let language: LabText.Language

    package init(_ lab: LabDocument, _ results: [LabResult], _ language: LabText.Language) {
        (self.lab, self.results, self.language) = (lab, results, language)
    }

    /// 0: done. 2: something is left to do. 3: a task is lost.
    package var exitCode: Int32 {
        if results.contains(where: { $0.state == .failed }) { return 3 }
        return results.allSatisfy(\.isDone) ? 0 : 2
    }

    /// A line a task, and below those that are open what is missing.
    package var lines: [String] {
        let rows = results.flatMap(lines(of:))
        let done = results.filter { $0.state == .passed }.count
        return ["\(lab.title[language])  (\(done)/\(results.count))"] + rows
    }

    package static func mark(_ result: LabResult) -> String {
        switch result.state {
        case .passed: "✓"
        case .failed: "✗"
        case .waiting: "·"
        case .unjudged: "-"
        case .open: result.task.isWarning ? "!" : "○"
        }
    }

    package func lines(of result: LabResult) -> [String] {
        let task = result.task
        var lines = ["\(Self.mark(result)) \(task.name): \(task.title[language])"]
        if result.state == .passed { return lines }
        lines += result.findings.filter { !$0.holds || result.state == .failed }.map { "    \($0.words)" }
        if result.state == .failed { lines += task.fail.map { Self.indented($0[language]) } ?? ["    this task is lost: minik lab reset"] }
        if let mistake = result.mistake { lines += Self.indented(mistake.text[language]) }
        if result.state == .open, result.mistake == nil, let words = task.fail, task.failChecks.isEmpty, !result.findings.isEmpty {
            lines += Self.indented(words[language])
        }
        return lines
    }

    private static func indented(_ text: String) -> [String] { text.trimmed.split(separator: "\n").map { "    \($0)" } }

    package var json: JSON {
        [
            "apiVersion": "minik.dev/v1", "kind": "LabReport", "lab": .string(lab.name), "title": .string(lab.title[language]),
            "passed": .bool(exitCode == 0),
            "tasks": .array(
                results.map { result in
                    [
                        "name": .string(result.task.name), "title": .string(result.task.title[language]),
                        "state": .string(result.state.rawValue),
                        "level": .string(result.task.isWarning ? "warning" : "task"),
                        "mistake": JSON(result.mistake?.name), "words": JSON(result.mistake?.text[language]),
                        "findings": .array(result.findings.map(Self.json)),
                    ]
                }),
        ]
    }

    private static func json(_ finding: LabFinding) -> JSON {
        [
            "holds": .bool(finding.holds), "words": .string(finding.words), "verdict": JSON(finding.verdict),
            "computed": JSON(finding.computed),
        ]
    }

    /// Nothing could be judged.
    package static func junit(_ lab: LabDocument, _ error: any Error) -> JUnit {
        JUnit(suite: "minik lab \(lab.name)", cases: [JUnit.Case("judgement", error: "\(error)")])
    }

    package var junit: JUnit {
        JUnit(
            suite: "minik lab \(lab.name)",
            cases: results.map { result in
                let words = lines(of: result).dropFirst().map(\.trimmed).joined(separator: "\n")
                switch result.state {
                case .passed: return JUnit.Case(result.task.name, time: result.time)
                case .waiting: return JUnit.Case(result.task.name, skipped: "needs \(result.task.needs.joined(separator: ", "))")
                case .unjudged: return JUnit.Case(result.task.name, skipped: words)
                case .open where result.task.isWarning: return JUnit.Case(result.task.name, skipped: words, time: result.time)
                default: return JUnit.Case(result.task.name, failure: words, time: result.time)
                }
            })
    }
}

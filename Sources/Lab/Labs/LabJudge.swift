import API
import Glibc
import Model

/// Looks whether conditions hold in a cluster, now.
struct LabJudge {
    let ground: any LabGround
    let answers: [String: String]

    /// Every state but `waiting`, which is not the task's own.
    func judge(_ task: LabTask) async throws -> LabResult {
        if let obstacle = task.obstacle {
            return LabResult(task: task, state: .unjudged, findings: [LabFinding(holds: false, words: obstacle)])
        }
        for check in task.failChecks {
            let findings = try await look(check, task.name)
            if findings.allSatisfy(\.holds) { return LabResult(task: task, state: .failed, findings: findings) }
        }
        let findings = try await look(all: task.checks, task.name)
        if findings.allSatisfy(\.holds) { return LabResult(task: task, state: .passed, findings: findings) }
        var result = LabResult(task: task, state: .open, findings: findings)
        for hint in task.hints where !hint.when.isEmpty {
            guard try await holds(hint.when, task.name) else { continue }
            result.mistake = hint
            break
        }
        return result
    }

    private func look(all checks: [LabCheck], _ task: String) async throws -> [LabFinding] {
        var findings: [LabFinding] = []
        for check in checks { findings += try await look(check, task) }
        return findings
    }

    private func holds(_ checks: [LabCheck], _ task: String) async throws -> Bool {
        for check in checks { guard try await look(check, task).allSatisfy(\.holds) else { return false } }
        return true
    }

    private func look(_ check: LabCheck, _ task: String) async throws -> [LabFinding] {
        switch check {
        case .run(let command, let exit, let output): [try await look(command, exit, output)]
        case .object(let condition): [try await look(condition)]
        case .reach(let expectations): try await ground.judge(expectations)
        case .answer(let command):
            try await look(answer: task, command)
        case .read:
            [
                answers[task] == nil
                    ? LabFinding(holds: false, words: "read it, then: minik lab next") : LabFinding(holds: true, words: "it has been read")
            ]
        case .answerIs(let pattern):
            look(answer: task) { fnmatch(LabState.plain(pattern), LabState.plain($0), 0) == 0 }
        }
    }

    private func look(answer task: String, _ command: LabCommand) async throws -> [LabFinding] {
        guard answers[task] != nil else { return look(answer: task) { _ in false } }
        let outcome = try await ground.shell.run(command)
        guard outcome.code == 0 else {
            throw UserError("the lab cannot tell the right answer: \(command.text): \(outcome.errors.trimmed)")
        }
        // A command that prints nothing would make an empty answer right.
        return look(answer: task) { LabState.isRight($0, of: outcome.output) }
    }

    private func look(answer task: String, _ isRight: (String) -> Bool) -> [LabFinding] {
        guard let given = answers[task] else {
            return [LabFinding(holds: false, words: "not answered yet: minik lab answer \(task) ANSWER")]
        }
        return [isRight(given)].map { LabFinding(holds: $0, words: $0 ? "\"\(given)\" is right" : "\"\(given)\" is not the answer") }
    }

    private func look(_ command: LabCommand, _ exit: Int, _ output: String?) async throws -> LabFinding {
        let outcome = try await ground.shell.run(command)
        let first = command.text.trimmed.split(separator: "\n").first.map(String.init) ?? ""
        let place = command.place.map { " on \($0)" } ?? ""
        if let missing = outcome.missingProgram, exit != LabShell.notFound, command.isOnMachine {
            throw UserError(
                "the lab's command `\(first)`\(place) cannot be run: \(missing)",
                hint: "that is the lab's fault, not yours: whoever wrote it misspelt a program, or has one that is not here")
        }
        func finding(_ holds: Bool, _ words: String) -> LabFinding { LabFinding(holds: holds, words: "`\(first)`\(place) \(words)") }
        if outcome.code != Int32(exit) {
            let said = (outcome.errors.trimmed.isEmpty ? outcome.output : outcome.errors).trimmed
            // A scenario's script says itself what is missing; what of it is no command is the script's mistake, and told beside that.
            let own = outcome.output.trimmed.split(separator: "\n").last.map(String.init), stray = outcome.strayWords
            let words = stray == nil ? LabFinding.gist(of: said) : own ?? stray
            let gist = (words.map { ": \($0)" } ?? "") + (own == nil ? "" : stray.map { " (the script itself: \($0))" } ?? "")
            let how = outcome.code == LabShell.timedOut ? "did not end in time" : "ended with exit code \(outcome.code)"
            return finding(false, how + gist)
        }
        if let output, !outcome.output.contains(output) { return finding(false, "does not print \"\(output)\"") }
        return finding(true, "ended with exit code \(exit)")
    }

    private func look(_ condition: LabObjectCondition) async throws -> LabFinding {
        let sides = condition.object.split(separator: "/", maxSplits: 1).map(String.init)
        let kind = try ResourceArguments.kind(sides[0])
        let key = ObjectKey(kind.resource.namespaced ? condition.namespace : "", sides[1])
        let found = try await ground.client.find(kind.resource, key)
        guard condition.exists else {
            return LabFinding(holds: found == nil, words: "\(condition.object) is \(found == nil ? "not there" : "there")")
        }
        guard let found else { return LabFinding(holds: false, words: "\(condition.object) is not there") }
        guard let path = condition.path else { return LabFinding(holds: true, words: "\(condition.object) is there") }
        let values = JSONPath(path).all(in: found).map { $0.string ?? $0.text() }
        let shown = values.isEmpty ? "nothing" : values.joined(separator: ", ")
        let holds = condition.value.map { values.contains($0) } ?? !values.isEmpty
        let wish = holds ? "" : condition.value.map { ", wanted \($0)" } ?? ""
        return LabFinding(holds: holds, words: "\(condition.object) \(path) is \(shown)\(wish)")
    }
}

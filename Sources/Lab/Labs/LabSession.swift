import API
import Host
import Model
import Runtime

/// A lab that is under way, and how far its learner has come.
package struct LabSession: Sendable {
    package let file: LabFile
    package let ground: any LabGround
    /// Who is told what a command prints that is for the learner.
    package var heard: @Sendable (String) -> Void = { _ in }
    package var lab: LabDocument { file.lab }
    package var shell: LabShell { ground.shell }

    /// The lab that a cluster was brought up for.
    package init(_ paths: ClusterPaths) throws {
        guard LabState.exists(paths) else {
            throw UserError("cluster \"\(paths.cluster)\" runs no lab", hint: "see: minik lab list")
        }
        let file = try LabFile(try LabState(LabState.path(paths)).file)
        self.init(file, on: try OwnGround(paths, file))
    }

    init(_ file: LabFile, on ground: any LabGround) { (self.file, self.ground) = (file, ground) }

    /// The clusters of this machine that run labs.
    package static func running() -> [String] { RunningCluster.all().filter { LabState.exists($0.paths) }.map(\.name) }

    package func state() throws -> LabState { try LabState(ground.stateFile) }

    // MARK: Judging

    /// How every task stands. One that was done stays done, whatever became of it later; `again`: all are looked at.
    package func results(again: Bool = false) async throws -> [LabResult] {
        var state = try state(), results: [LabResult] = []
        for task in lab.tasks {
            if !again, state.passed.contains(task.name) {
                results.append(LabResult(task: task, state: .passed))
            } else if lab.firstNeed(of: task, passed: state.passed) != nil {
                results.append(LabResult(task: task, state: .waiting))
            } else {
                try await begin(task)
                let result = try await judge(task)
                if result.state == .passed { state.passed.insert(task.name) }
                try note(result)
                results.append(result)
            }
        }
        if lab.tasks.allSatisfy({ state.passed.contains($0.name) }) { try await beginOnce("", lab.ending) }
        return results
    }

    /// Does what belongs to a task's beginning, once.
    package func begin(_ task: LabTask) async throws { try await beginOnce(task.name, task.setup) }

    private func beginOnce(_ name: String, _ steps: [LabStep]) async throws {
        guard !steps.isEmpty else { return }
        var state = try state()
        guard state.begun.insert(name).inserted else { return }
        try state.write(ground.stateFile)
        try await perform(steps)
    }

    /// One task, whatever it needs.
    func judge(_ task: LabTask) async throws -> LabResult {
        try ground.requireAnswer()
        let begun = ContinuousClock.now
        do {
            var result = try await LabResult.settled {
                try await LabJudge(ground: ground, answers: try state().answers).judge(task)
            }
            result.time = ContinuousClock.now - begun
            return result
        } catch {
            // It may have ended meanwhile; then that is what there is to say.
            try ground.requireAnswer()
            throw error
        }
    }

    /// Looks again and again, until `isContent` or for `patience`.
    func watch(_ task: LabTask, patience: Duration, _ isContent: @escaping @Sendable (LabResult) -> Bool) async throws -> LabResult {
        try await LabWatch(client: ground.client).until(patience: patience) {
            let result = try await judge(task)
            return (result, isContent(result))
        }
    }

    /// Looks at all tasks until there is nothing left to do, or for `patience`; `changed` hears of each look that found something new.
    package func results(
        patience: Duration, again: Bool = false, changed: @escaping @Sendable ([LabResult]) -> Void = { _ in }
    ) async throws -> [LabResult] {
        try await LabWatch(client: ground.client).until(patience: patience) {
            let results = try await results(again: again)
            changed(results)
            return (results, results.allSatisfy { $0.isDone || $0.state == .failed })
        }
    }

    /// What is noted is read anew: somebody may have answered meanwhile.
    private func note(_ result: LabResult) throws {
        var state = try state()
        let name = result.task.name, (passed, lost) = (state.passed, state.lost)
        if result.state == .passed { state.passed.insert(name) }
        if result.state == .failed { state.lost.insert(name) } else { state.lost.remove(name) }
        if (state.passed, state.lost) != (passed, lost) { try state.write(ground.stateFile) }
    }

    package func answer(_ task: String, _ text: String) throws {
        var state = try state()
        state.answers[task] = text
        try state.write(ground.stateFile)
    }

    // MARK: Doing

    /// Does what a setup, a solution or a wrong answer consists of.
    package func perform(_ steps: [LabStep]) async throws {
        try ground.requireAnswer()
        for step in steps {
            switch step {
            case .apply(let text, let line):
                for manifest in try LabStep.manifests(text, file: file.path, line: line) {
                    _ = try await Applier(client: ground.client, defaultNamespace: "default").apply(try ground.placed(manifest))
                }
            case .show(let command):
                let outcome = try await shell.run(command, seconds: 300)
                let words = (outcome.output + outcome.errors).trimmed
                if !words.isEmpty { heard(words) }
                if outcome.code == LabShell.timedOut { heard("\(command.text) did not end within 5 minutes") }
            case .run(let command):
                let outcome = try await shell.run(command, seconds: 60)
                guard outcome.code == 0 else {
                    let place = command.place.map { " on \($0)" } ?? ""
                    throw UserError(
                        "the lab's command\(place) ended with exit code \(outcome.code): \(command.text.trimmed)",
                        hint: (outcome.errors + outcome.output).trimmed)
                }
            }
        }
    }

    /// Throws when a task cannot be done now. One that comes before it and is not done may be what its solution stands on.
    package func requireReady(for task: LabTask) throws {
        try ground.requireAnswer()
        guard let first = lab.firstNeed(of: task, passed: try state().passed) else { return }
        throw UserError("task \(task.name) needs \(first.name)", hint: "do that first, or have it done: minik lab solve \(first.name)")
    }

    /// Does a task for the learner, and waits until it shows.
    package func solve(_ task: LabTask) async throws -> LabResult {
        if task.isRead { try answer(task.name, "read") }
        guard !task.solution.isEmpty || task.isRead else { throw UserError("task \(task.name) has no solution that is written down") }
        try await perform(task.solution)
        let result = try await watch(task, patience: .seconds(task.wait)) { $0.state != .open }
        if result.state != .open { try note(result) }
        return result
    }

    /// What helps with a task: the words about the mistake that was made, else the next of its general hints.
    package func hint(_ task: LabTask) async throws -> LabHint? {
        if let mistake = try await judge(task).mistake { return mistake }
        let general = task.hints.filter { $0.when.isEmpty }
        guard !general.isEmpty else { return nil }
        var state = try state()
        let shown = state.hints[task.name] ?? 0
        state.hints[task.name] = shown + 1
        try state.write(ground.stateFile)
        return general[min(shown, general.count - 1)]
    }
}

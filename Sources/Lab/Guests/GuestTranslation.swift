import Model

/// Says in a cluster's words what a task says in its lab's.
struct GuestTranslation {
    let names: GuestNames
    /// The lab's own, by its own words.
    let namespaces: Set<String>

    /// Of several expectations some may be left.
    private func obstacle(_ checks: [LabCheck]) -> String? {
        var expectations: [LabExpectation] = []
        for check in checks {
            switch check {
            case .run(let command, _, _), .answer(let command): if let obstacle = GuestLab.obstacle(command) { return obstacle }
            case .object, .answerIs, .read: break
            case .reach(let some): expectations += some
            }
        }
        return expectations.contains { obstacle($0) == nil } ? nil : expectations.first.flatMap(obstacle)
    }

    private func obstacle(_ wanted: LabExpectation) -> String? { GuestLab.obstacle(wanted, namespaces) }

    func task(_ task: LabTask) -> (task: LabTask, losses: [String]) {
        let obstacle = obstacle(task.checks)
        var losses: [String] = []
        if let obstacle {
            losses.append("not judged here: \(obstacle)")
        } else {
            losses += task.checks.flatMap(aspects)
            losses += task.failChecks.compactMap { self.obstacle([$0]) }.map { "that it is lost is not seen: \($0)" }
            if let step = task.solution.lazy.compactMap(GuestLab.obstacle).first {
                losses.append("minik lab solve does not do it: \(step)")
            }
        }
        let isSolvable = !task.solution.contains { GuestLab.obstacle($0) != nil }
        var own = LabTask(
            name: task.name, title: names.text(task.title), text: names.text(task.text), needs: task.needs,
            checks: task.checks.map(check), failChecks: task.failChecks.filter { self.obstacle([$0]) == nil }.map(check),
            hints: task.hints.filter { $0.when.allSatisfy { !isPartly($0) } }.map(hint),
            solution: isSolvable ? task.solution.map(step) : [], pass: task.pass.map(names.text), fail: task.fail.map(names.text),
            // An API that is far away, and images that are not there yet.
            wait: max(task.wait, 60), isWarning: task.isWarning, setup: task.setup.map(step))
        own.obstacle = obstacle
        return (own, losses)
    }

    /// What of an expectation only a node's own eyes see: the rest is judged.
    private func aspects(_ check: LabCheck) -> [String] {
        guard case .reach(let expectations) = check else { return [] }
        return expectations.flatMap { wanted in
            if let obstacle = obstacle(wanted) { return ["not judged here: \(obstacle)"] }
            return (wanted.source.map { ["\(wanted.words): that it comes from \($0) is not judged"] } ?? [])
                + (wanted.port != "icmp" ? wanted.ttl.map { ["\(wanted.words): its TTL of \($0) is not judged"] } ?? [] : [])
        }
    }

    /// A mistake that is told by less than it was meant to be would be seen where it is not.
    private func isPartly(_ check: LabCheck) -> Bool {
        guard case .reach(let expectations) = check else { return obstacle([check]) != nil }
        return expectations.contains { obstacle($0) != nil }
    }

    private func hint(_ hint: LabHint) -> LabHint {
        LabHint(name: hint.name, when: hint.when.map(check), text: names.text(hint.text), answer: [], undo: [])
    }

    func step(_ step: LabStep) -> LabStep {
        switch step {
        case .run(let command): .run(self.command(command))
        case .show(let command): .show(self.command(command))
        case .apply: step
        }
    }

    private func command(_ command: LabCommand) -> LabCommand { LabCommand(text: names.command(command.text), place: command.place) }

    private func check(_ check: LabCheck) -> LabCheck {
        switch check {
        case .run(let command, let exit, let output): .run(self.command(command), exit: exit, output: output.map { names.text($0) })
        case .object(let condition):
            .object(
                LabObjectCondition(
                    object: names.text(condition.object), namespace: names.namespace(condition.namespace), path: condition.path,
                    value: condition.value.map { names.text($0) }, exists: condition.exists))
        case .reach(let expectations): .reach(expectations.filter { obstacle($0) == nil }.map(expectation))
        case .answer(let command): .answer(self.command(command))
        case .answerIs(let pattern): .answerIs(names.text(pattern))
        case .read: .read
        }
    }

    private func expectation(_ wanted: LabExpectation) -> LabExpectation {
        LabExpectation(
            from: place(wanted.from), to: place(wanted.to), port: wanted.port, namespace: names.namespace(wanted.namespace),
            verdict: wanted.verdict, ttl: wanted.port == "icmp" ? wanted.ttl : nil, source: nil,
            dns: wanted.dns.map(names.text))
    }

    /// `default/NAME` after a type or alone is the lab's own namespace, too.
    private func place(_ text: String) -> String {
        names.text(text).replacing(/^((?:pod|svc|service)\/)?default\//) { "\($0.1 ?? "")\(GuestNames.namespace)/" }
    }
}

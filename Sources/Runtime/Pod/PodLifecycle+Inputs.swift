import Model
import ShimProtocol

/// What becomes of each thing that happens to a pod.
extension PodLifecycle {
    package mutating func handle(_ input: Input) -> [Action] {
        switch input {
        case .sandboxAdopted: return sandboxAdopted()
        case .sandboxReady: return sandboxReady()
        case .sandboxLost(let time): return sandboxLost(time)
        case .sandboxMissing(let time): return sandboxMissing(time)
        case .started(let record): return started(record)
        case .startFailed(let name, let reason, let message): return startFailed(name, reason, message)
        case .startError(let name, let message, let time): return startError(name, message, time)
        case .startPostponed(let name):
            update(name) { $0.isStarting = false }
            return isEnding ? goOnEnding() : [.schedule(.restart(container: name), seconds: Self.volumePause)]
        case .configurationChanged: return configurationChanged()
        case .pullNeeded(let name, let image): return pullNeeded(name, image)
        case .pulled(let name, let message): return pulled(name, message)
        case .pullFailed(let name, let message): return pullFailed(name, message)
        case .imageRefused(let name, let reason, let event, let message): return imageRefused(name, reason, event, message)
        case .exited(let record): return exited(record)
        case .probed(let name, let ready):
            update(name) { $0.isReady = ready }
            return []
        case .startupDone(let name):
            update(name) {
                $0.hasStarted = true
                if !$0.hasReadinessProbe { $0.isReady = true }
            }
            return advance()
        case .unhealthy(let name, let probe, let grace):
            guard !isEnding, let entry = entry(name) else { return [] }
            return renew(entry, "failed \(probe) probe, will be restarted", within: grace)
        case .deletionRequested(let grace): return end(within: grace)
        case .deadline(let seconds, let remaining):
            deadline = seconds
            return seconds.map { [.schedule(.deadline(seconds: $0), seconds: max(0, remaining))] } ?? []
        case .timer(let timer): return ended(timer)
        case .rejected(let reason, let message):
            failure = Failure(reason: reason, message: "Pod was rejected: \(message)")
            isEnding = true
            isRejected = true
            return [.event(type: "Warning", reason: reason, message: message, container: nil)] + tearDown()
        case .ephemeral(let container): return ephemeral(container)
        case .imageChanged(let name, let image): return imageChanged(name, image)
        case .resizeNeedsRestart(let name): return isEnding ? [] : entry(name).map { renew($0, "resize requires restart") } ?? []
        }
    }

    func entry(_ name: String) -> Entry? { entries.first { $0.name == name } }

    private mutating func sandboxAdopted() -> [Action] {
        hasSandbox = true
        isAdopting = true
        return []
    }

    private mutating func sandboxReady() -> [Action] {
        hasSandbox = true
        isAdopting = false
        return advance()
    }

    private mutating func started(_ record: ContainerRecord) -> [Action] {
        update(record.name) {
            $0.isStarting = false
            $0.state = .running(record)
            // A life that an earlier daemon reported on is what it was: a restart of ours makes nobody unready.
            let known = $0.readyBefore.flatMap { $0.startedAt.seconds == record.startedAt.seconds ? $0.isReady : nil }
            $0.hasStarted = !$0.hasStartupProbe || known == true
            $0.isReady = known ?? (!$0.hasReadinessProbe && $0.hasStarted)
            $0.readyBefore = nil
            // It began in a life that was not reported any more.
            if $0.isRestart { $0.restartCount += 1 }
            $0.isRestart = false
        }
        return (isEnding ? [.stop(container: record.name, force: hasGraceEnded)] : [])
            + (isAdopting
                ? []
                : [
                    Self.created(record.name),
                    .event(type: "Normal", reason: "Started", message: "Container started", container: record.name),
                ])
            + advance()
    }

    /// It is made and started in one step: that it was made is known when it runs, or when its program is at fault.
    private static func created(_ name: String) -> Action {
        .event(type: "Normal", reason: "Created", message: "Container created", container: name)
    }

    private mutating func startFailed(_ name: String, _ reason: String, _ message: String) -> [Action] {
        update(name) {
            $0.isStarting = false
            $0.state = .waiting(reason: reason, message: message)
        }
        if isEnding { return goOnEnding() }
        let event = Action.event(type: "Warning", reason: "Failed", message: "Error: \(message)", container: name)
        return [event]
            + (reason == Self.configurationError ? [.schedule(.restart(container: name), seconds: Self.configurationPause)] : retry(name))
    }

    private mutating func startError(_ name: String, _ message: String, _ time: Timestamp) -> [Action] {
        var record = ContainerRecord(name: name, pid: 0, startedAt: Timestamp(seconds: 0))
        (record.finishedAt, record.exitCode, record.reason, record.message) = (time, 128, Self.startError, message)
        return [Self.created(name), .event(type: "Warning", reason: "Failed", message: "Error: \(message)", container: name)]
            + exited(record)
    }

    private mutating func configurationChanged() -> [Action] {
        guard hasSandbox, !isAdopting, !isEnding else { return [] }
        let waiting = entries.filter { if case .waiting(Self.configurationError, _) = $0.state { !$0.isStarting } else { false } }
        return waiting.flatMap { start($0.name) } + advance()
    }

    private mutating func ended(_ timer: Timer) -> [Action] {
        switch timer {
        case .restart(let name):
            guard !isEnding, hasSandbox, let entry = entry(name), !entry.isStarting else { return [] }
            if case .running = entry.state { return [] }
            return start(name)
        case .pullBackOff(let name): return isEnding || entry(name)?.lacksImage != true ? [] : backOff(name)
        case .pullAgain(let image):
            pullsBackingOff.remove(image)
            guard hasSandbox, !isEnding else { return [] }
            return entries.filter { $0.needed == image && $0.lacksImage }.flatMap { start($0.name) }
        case .lastWarning(let name, let life):
            guard let entry = entry(name), entry.restartCount == life, case .running = entry.state else { return [] }
            return [.stop(container: name, force: true)]
        case .graceEnds:
            hasGraceEnded = true
            return entries.compactMap { if case .running = $0.state { .stop(container: $0.name, force: true) } else { nil } }
        case .deadline(let seconds):
            guard deadline == seconds, !isEnding else { return [] }
            let words = "Pod was active on the node longer than the specified deadline"
            failure = Failure(reason: "DeadlineExceeded", message: words)
            return [.event(type: "Normal", reason: "DeadlineExceeded", message: words, container: nil)] + end(within: gracePeriod)
        }
    }

    private mutating func ephemeral(_ container: Container) -> [Action] {
        guard entry(container.name) == nil else { return [] }
        entries.append(
            Entry(
                name: container.name, image: container.image, isInit: false, isEphemeral: true, hasReadinessProbe: false,
                hasStartupProbe: false,
                state: .waiting(reason: "ContainerCreating", message: nil)))
        return hasSandbox && !isEnding ? start(container.name) : []
    }
}

/// The end of a sandbox, and of all that ran in it.
extension PodLifecycle {
    private mutating func sandboxLost(_ time: Timestamp) -> [Action] {
        hasSandbox = false
        hasInitialized = false
        for index in entries.indices {
            if case .running(var record) = entries[index].state {
                record.pid = 0
                record.exitCode = 137
                record.signal = 9
                record.finishedAt = time
                lose(index, record)
            } else if entries[index].isRestart || entries[index].isStarting {
                // Whatever it waited for, the next sandbox starts it.
                entries[index].state = .waiting(reason: "ContainerCreating", message: nil)
            }
            entries[index].isStarting = false
            entries[index].isReady = false
            entries[index].hasStarted = false
        }
        beginInitAgain()
        return stopPulls() + afterLoss()
    }

    /// What init containers have set up may have gone with the sandbox: they run again where anything after them does.
    private mutating func beginInitAgain() {
        let goesOn = entries.contains { entry in
            if !entry.isInit, !entry.isEphemeral, case .waiting = entry.state { true } else { false }
        }
        guard goesOn, restartPolicy != "Never", !isEnding else { return }
        for index in entries.indices where entries[index].isInit && !entries[index].isSidecar {
            guard case .terminated(let record) = entries[index].state else { continue }
            entries[index].last = record
            entries[index].isRestart = true
            entries[index].state = .waiting(reason: "PodInitializing", message: nil)
        }
    }

    private mutating func sandboxMissing(_ time: Timestamp) -> [Action] {
        let isNews = entries.contains { $0.readyBefore != nil }
        for index in entries.indices {
            if let began = entries[index].readyBefore?.startedAt {
                var record = ContainerRecord(name: entries[index].name, pid: 0, startedAt: began)
                (record.finishedAt, record.exitCode, record.reason, record.message) = (time, 137, Self.unknownEnd, Self.unknownEndWords)
                entries[index].readyBefore = nil
                lose(index, record)
            } else if case .terminated(let record) = entries[index].state {
                lose(index, record)
            }
        }
        beginInitAgain()
        return isNews ? afterLoss() : []
    }

    /// A container's life ended with its sandbox, or before that was made anew: it waits for the next, if it is to have one.
    private mutating func lose(_ index: Int, _ record: ContainerRecord) {
        guard restarts(entries[index], failed: record.exitCode != 0) else { return entries[index].state = .terminated(record) }
        entries[index].last = record
        entries[index].isRestart = true
        entries[index].state = .waiting(reason: "ContainerCreating", message: nil)
    }

    /// What follows when the sandbox is gone: another, or the pod's end if nothing of it starts again.
    private mutating func afterLoss() -> [Action] {
        if isEnding { return tearDown() }
        let initFailed = entries.contains { entry in
            if entry.isInit, !entry.isSidecar, case .terminated(let record) = entry.state { record.exitCode != 0 } else { false }
        }
        let end = finishIfDone(initFailed: initFailed)
        if !end.isEmpty { return end }
        return [
            .event(
                type: "Normal", reason: "SandboxChanged", message: "Pod sandbox changed, it will be killed and re-created.", container: nil)
        ]
    }
}

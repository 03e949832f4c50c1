import Model
import ShimProtocol

/// What the kubelet reports of a pod: phase, conditions, and the state of each container.
extension PodLifecycle {
    package var phase: String {
        // A pod is over when nothing of it runs any more, whatever is known of its end already.
        let isOver = !entries.contains(where: \.isAlive)
        if failure != nil, isOver { return "Failed" }
        let initFailed =
            restartPolicy == "Never"
            && entries.contains { entry in
                guard entry.isInit, !entry.isSidecar, case .terminated(let record) = entry.state else { return false }
                return record.exitCode != 0
            }
        if initFailed, isOver { return "Failed" }
        let main = entries.filter { !$0.isInit && !$0.isEphemeral }
        let everStarted = main.allSatisfy { entry in
            if entry.restartCount > 0 || entry.isRestart { return true }
            if case .waiting = entry.state { return false }
            return true
        }
        if !isInitialized || !everStarted { return "Pending" }
        if main.allSatisfy({ if case .terminated = $0.state { !$0.isStarting } else { false } }) {
            guard isOver else { return "Running" }
            let failed = main.contains { if case .terminated(let record) = $0.state { record.exitCode != 0 } else { false } }
            return failed ? "Failed" : "Succeeded"
        }
        return "Running"
    }

    /// The init containers are through; sidecars that have ended with the pod are, too.
    private var isInitialized: Bool {
        hasInitialized || entries.allSatisfy { !$0.isInit || $0.isPassed }
            || entries.contains { !$0.isInit && !$0.isEphemeral && $0.hasRun }
    }

    /// Fills in what the kubelet reports of a pod.
    package func report(
        into pod: inout Pod, addresses: [IPAddress], hosts: [IPAddress], image: (Container) -> ImageFacts?, now: Timestamp
    ) {
        var status = pod.status
        status["observedGeneration"] = .int(pod.generation)
        status["phase"] = .string(phase)
        if let failure, phase == "Failed" {
            status["reason"] = .string(failure.reason)
            status["message"] = .string(failure.message)
        }
        if status["startTime"].isNull { status["startTime"] = .string(now.description) }
        Self.place(&status, addresses: addresses, hosts: hosts)
        func statuses(_ isInit: Bool, isEphemeral: Bool = false) -> JSON {
            let list = entries.filter { $0.isInit == isInit && $0.isEphemeral == isEphemeral }
            return list.isEmpty || isRejected ? .null : .array(list.map { $0.status(of: pod, image: image) })
        }
        func total(_ half: String) -> JSON {
            let amounts = PodResources.total(pod.spec, half)
            return amounts.isEmpty ? .null : JSON(amounts.mapValues(\.description))
        }
        status["resources"] = ["limits": total("limits"), "requests": total("requests")]
        status["allocatedResources"] = total("requests")
        status["initContainerStatuses"] = statuses(true)
        status["containerStatuses"] = statuses(false)
        status["ephemeralContainerStatuses"] = statuses(false, isEphemeral: true)
        let conditions = conditions(of: pod, status["conditions"], now)
        // What others say of the pod stands first, then the kubelet's own in its order.
        let others = conditions.items.filter { !Self.conditionOrder.contains($0["type"].string ?? "") }
        status["conditions"] = .array(
            others + Self.conditionOrder.compactMap { type in conditions.items.first { $0["type"].string == type } })
        pod.status = status
    }

    /// Says where the pod is.
    static func place(_ status: inout JSON, addresses: [IPAddress], hosts: [IPAddress]) {
        func list(_ addresses: [IPAddress]) -> JSON { .array(addresses.map { ["ip": .string($0.description)] }) }
        status["hostIP"] = JSON(hosts.first?.description)
        status["hostIPs"] = list(hosts)
        guard let first = addresses.first else { return }
        status["podIP"] = .string(first.description)
        status["podIPs"] = list(addresses)
    }

    /// The pod's conditions after what the kubelet says of it now; `old` are those that it has, of others too.
    private func conditions(of pod: Pod, _ old: JSON, _ now: Timestamp) -> JSON {
        var conditions = old
        func set(_ type: String, _ value: Bool, _ reason: String? = nil, _ message: String? = nil) {
            conditions.setCondition(type, value, reason: reason, message: message, observedGeneration: pod.generation, now: now)
        }
        set("PodReadyToStartContainers", hasSandbox && !isTornDown)
        let incomplete = isInitialized ? [] : entries.filter { $0.isInit && !$0.isPassed }.map(\.name)
        if incomplete.isEmpty {
            set("Initialized", true, phase == "Succeeded" ? "PodCompleted" : nil)
        } else {
            set(
                "Initialized", false, "ContainersNotInitialized",
                "containers with incomplete status: [\(incomplete.joined(separator: " "))]")
        }
        let unready = entries.filter { (!$0.isInit || $0.isSidecar) && !$0.isEphemeral && !$0.isReady }.map(\.name)
        let isDone = phase == "Succeeded" || phase == "Failed"
        let isReady = unready.isEmpty && incomplete.isEmpty && !isDone
        let gate = pod.spec["readinessGates"].items.compactMap { $0["conditionType"].string }.first { conditions.condition($0) != "True" }
        for type in ["Ready", "ContainersReady"] {
            if isReady, type == "Ready", let gate {
                let found = conditions.condition(gate) ?? "corresponding condition of pod readiness gate \"\(gate)\" does not exist"
                set(type, false, "ReadinessGatesNotReady", "the status of pod readiness gate \"\(gate)\" is not \"True\", but \(found)")
            } else if isReady {
                set(type, true)
            } else if isDone {
                set(type, false, phase == "Succeeded" ? "PodCompleted" : "PodFailed")
            } else {
                set(type, false, "ContainersNotReady", "containers with unready status: [\(unready.joined(separator: " "))]")
            }
        }
        set("PodScheduled", true)
        return conditions
    }
}

extension PodLifecycle {
    private static let conditionOrder = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]

    /// What a container's status tells of the image it runs.
    package struct ImageFacts: Sendable, Hashable {
        /// The image's full name, and the digest of its configuration.
        package let name: String
        package let id: String
        package let user: ContainerUser

        package init(name: String, id: String, user: ContainerUser) {
            self.name = name
            self.id = id
            self.user = user
        }
    }
}

extension PodLifecycle.Entry {
    fileprivate func status(of pod: Pod, image facts: (Container) -> PodLifecycle.ImageFacts?) -> JSON {
        let uid = pod.uid
        // A life that ended is counted when the next begins.
        let lastLife = restartCount - (isRestart ? 0 : 1)
        var life: Int? = restartCount
        let stateJSON: JSON
        var isRunning = false
        switch state {
        case .waiting(let reason, let message):
            life = last == nil ? nil : lastLife
            stateJSON = ["waiting": ["reason": .string(reason), "message": JSON(message)]]
        case .running(let record):
            stateJSON = ["running": ["startedAt": .string(record.startedAt.description)]]
            isRunning = true
        case .terminated(let record): stateJSON = ["terminated": record.status(uid: uid, life: restartCount)]
        }
        let container = pod.allContainers.first { $0.name == name } ?? Container(.null)
        let made = life == nil ? nil : facts(container)
        // Nothing holds a container to its resources, so what is asked for is what it has.
        let resources = container.json["resources"]
        return [
            "name": .string(name), "state": stateJSON,
            "lastState": last.map { ["terminated": $0.status(uid: uid, life: lastLife)] } ?? .emptyObject,
            "ready": .bool(isReady || (isInit && isComplete)), "restartCount": .int(restartCount), "image": .string(made?.name ?? image),
            "imageID": .string(made?.id ?? ""), "containerID": life.map { .string(ContainerRecord.id(uid, name, $0)) } ?? .null,
            "started": .bool(isRunning && hasStarted), "allocatedResources": isRunning ? resources["requests"] : .null,
            "resources": isEphemeral || life == nil ? .null : resources.isNull ? .emptyObject : resources,
            "volumeMounts": made == nil || container.volumeMounts.isEmpty ? .null : .array(container.volumeMounts.map(Self.mount)),
            "user": made?.user.status ?? .null,
        ]
    }

    private static func mount(_ mount: JSON) -> JSON {
        let isReadOnly = mount["readOnly"].bool == true
        return [
            "name": mount["name"], "mountPath": mount["mountPath"], "readOnly": isReadOnly ? true : .null,
            "recursiveReadOnly": isReadOnly ? "Disabled" : .null,
        ]
    }

    private var isComplete: Bool { if case .terminated(let record) = state { !isSidecar && record.exitCode == 0 } else { false } }

    fileprivate var hasRun: Bool { if case .waiting = state { restartCount > 0 || isRestart } else { true } }
}

extension ContainerRecord {
    /// The name of one life of a container.
    fileprivate static func id(_ uid: String, _ name: String, _ life: Int) -> String { "minik://\(number(uid, name, life))" }

    /// The same without the runtime's name.
    static func number(_ uid: String, _ name: String, _ life: Int) -> String { ShortHash.hex("\(uid)/\(name)/\(life)", digits: 64) }

    fileprivate func status(uid: String, life: Int) -> JSON {
        let reason = reason ?? (exitCode == 0 ? "Completed" : "Error")
        return [
            "exitCode": .int(exitCode ?? 0), "reason": .string(reason), "message": JSON(message),
            "startedAt": .string(startedAt.description), "finishedAt": .string((finishedAt ?? startedAt).description),
            "containerID": .string(Self.id(uid, name, life)),
        ]
    }

    /// What a stored status says of a container that has ended.
    init?(status: JSON, name: String) {
        guard let code = status["exitCode"].int else { return nil }
        self.init(name: name, pid: 0, startedAt: status["startedAt"].string.flatMap(Timestamp.init) ?? Timestamp(seconds: 0))
        exitCode = code
        signal = status["signal"].int ?? 0
        reason = status["reason"].string
        message = status["message"].string
        finishedAt = status["finishedAt"].string.flatMap(Timestamp.init)
    }
}

import Glibc
import Model
import ShimProtocol

/// What is done beside a running container: its probes, and its hooks after its start and before its end.
extension PodWorker {
    /// Probes this life of a container for as long as it lasts.
    func startProbes(_ record: ContainerRecord, _ group: inout DiscardingTaskGroup) {
        guard let container = pod.probedContainers.first(where: { $0.name == record.name }), let address = addresses.first,
            Probe.Kind.allCases.contains(where: { Probe($0, of: container) != nil })
        else { return }
        let prober = Prober(pod: pod, container: container, address: address, node: node.spec.name, paths: paths)
        group.addTask { await prober.run { await self.note($0, of: record) } }
    }

    /// Takes a probe's finding; false when the life it is about is over.
    func note(_ finding: Prober.Finding, of record: ContainerRecord) async -> Bool {
        guard lifecycle.isRunning(record) else { return false }
        // While a pod ends, who is ready still matters: its Services want to know. Nobody restarts it any more.
        guard !pod.isBeingDeleted || finding.kind == .readiness else { return false }
        switch finding {
        case .failed(let kind, let words):
            await node.client.recordEvent(
                about: pod, type: "Warning", reason: "Unhealthy", message: "\(kind.title) probe failed: \(words)", component: "kubelet",
                node: node.spec.name, fieldPath: pod.fieldPath(ofContainer: record.name))
        case .decided(.readiness, let isReady):
            if lifecycle.isReady(record.name) != isReady { inbox.post(.input(.probed(container: record.name, ready: isReady))) }
        case .decided(.startup, true): inbox.post(.input(.startupDone(container: record.name)))
        case .decided(.liveness, true): break
        case .decided(let kind, false):
            inbox.post(
                .input(.unhealthy(container: record.name, probe: kind.rawValue, grace: probe(kind, of: record)?.terminationGracePeriod)))
        }
        return true
    }

    private func probe(_ kind: Probe.Kind, of record: ContainerRecord) -> Probe? {
        pod.probedContainers.first { $0.name == record.name }.flatMap { Probe(kind, of: $0) }
    }

    /// Asks a container to end, after its preStop hook if it has one; or ends it.
    func stop(_ name: String, force: Bool, _ group: inout DiscardingTaskGroup) async {
        let container = pod.allContainers.first { $0.name == name }
        let signal = force ? Int(SIGKILL) : await image(of: container)?.configuration.stopSignal ?? Int(SIGTERM)
        guard !force, let container, let address = addresses.first, !container.json["lifecycle"]["preStop"].isNull else {
            try? connection?.send(.signal(container: name, signal: signal))
            return
        }
        let hook = container.json["lifecycle"]["preStop"], limit = pod.terminationGracePeriod
        let prober = Prober(pod: pod, container: container, address: address, node: node.spec.name, paths: paths)
        let connection = connection
        group.addTask {
            if await prober.perform(hook: hook, seconds: max(1, limit)) != nil {
                await self.tell("Warning", "FailedPreStopHook", "PreStopHook failed", name)
            }
            try? connection?.send(.signal(container: name, signal: signal))
        }
    }

    /// Runs a container's postStart hook; one whose hook fails is ended.
    func afterStart(_ record: ContainerRecord, _ group: inout DiscardingTaskGroup) {
        guard let container = pod.allContainers.first(where: { $0.name == record.name }), let address = addresses.first,
            !container.json["lifecycle"]["postStart"].isNull
        else { return }
        let hook = container.json["lifecycle"]["postStart"]
        let prober = Prober(pod: pod, container: container, address: address, node: node.spec.name, paths: paths)
        let connection = connection
        group.addTask {
            guard await prober.perform(hook: hook, seconds: 3600) != nil else { return }
            await self.tell("Warning", "FailedPostStartHook", "PostStartHook failed", record.name)
            await self.tell("Normal", "Killing", "FailedPostStartHook", record.name)
            try? connection?.send(.signal(container: record.name, signal: Int(SIGKILL)))
        }
    }

    func tell(_ type: String, _ reason: String, _ message: String, _ container: String?) async {
        await node.client.recordEvent(
            about: pod, type: type, reason: reason, message: message, component: "kubelet", node: node.spec.name,
            fieldPath: container.flatMap(pod.fieldPath(ofContainer:)))
    }
}

extension Pod {
    /// Which container an event is about.
    func fieldPath(ofContainer name: String) -> String? {
        for list in ["initContainers", "containers", "ephemeralContainers"]
        where spec[list].items.contains(where: { $0["name"].string == name }) {
            return "spec.\(list){\(name)}"
        }
        return nil
    }

    /// Init containers that go on beside the others are probed like those.
    fileprivate var probedContainers: [Container] { containers + initContainers.filter { $0.json["restartPolicy"].string == "Always" } }
}

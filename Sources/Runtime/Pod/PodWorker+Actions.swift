import Glibc
import Model
import ShimProtocol

/// What a pod's life cycle asks for, done.
extension PodWorker {
    func perform(_ actions: [PodLifecycle.Action], _ group: inout DiscardingTaskGroup) async {
        for action in actions {
            switch action {
            case .start(let name): await start(name, &group)
            case .pull(let name): await pull(name, &group)
            case .stopPull(let name): pulls.removeValue(forKey: name)?.cancel()
            case .create(let name): await create(name, &group)
            case .stop(let name, let force):
                await stop(name, force: force, &group)
                if force { expect(.end(container: name, life: lifecycle.attempt(name)), &group) }
            case .schedule(let timer, let seconds): postLater(.input(.timer(timer)), after: seconds, &group)
            case .event(let type, let reason, let message, let container):
                await tell(type, reason, message, container)
            case .tearDown:
                isSandboxWanted = false
                await report(&group)  // the last word on the containers, while their address still stands
                await node.release(pod)
                await releaseSandbox()
            }
        }
        if !lifecycle.isTornDown { await report(&group) }
    }

    /// What a container that has ended left as its last words.
    func withMessage(_ input: PodLifecycle.Input) -> PodLifecycle.Input {
        guard case .exited(var record) = input, let container = pod.allContainers.first(where: { $0.name == record.name }) else {
            return input
        }
        let attempt = lifecycle.attempt(record.name)
        record.message = TerminationMessage(pod: pod, container: container, attempt: attempt, node: node.spec.name, paths: paths).read(
            failed: record.exitCode != 0)
        return .exited(record)
    }

    /// Writes what is known of the pod to the API; later, if it cannot be written now.
    func report(_ group: inout DiscardingTaskGroup) async {
        let lifecycle = lifecycle, addresses = addresses.isEmpty ? lastAddresses : addresses, hosts = node.spec.addresses, now = node.now()
        var found: [String: PodLifecycle.ImageFacts] = [:]
        for container in pod.allContainers {
            guard let image = await image(of: container), let name = ImageReference(container.image) else { continue }
            found[container.name] = PodLifecycle.ImageFacts(
                name: name.description, id: image.statusID(name), user: ContainerUser(pod: pod, container: container, image: image))
        }
        do {
            try await node.client.mutateStatus(Pod.self, pod.key) { [uid = pod.uid, facts = found] current in
                guard current.uid == uid else { return }
                lifecycle.report(into: &current, addresses: addresses, hosts: hosts, image: { facts[$0.name] }, now: now)
            }
            reportPause = Self.firstPause
        } catch {
            node.report("pod \(pod.key): write its status: \(error); next try in \(reportPause)s")
            postLater(.reportOwed, after: reportPause, &group)
            reportPause = min(reportPause * 2, Self.longestPause)
        }
    }
}

extension PodLifecycle {
    /// Whether an answer to a start or an end is still to come.
    func isStarting(_ name: String, life: Int) -> Bool {
        entries.contains { $0.name == name && $0.restartCount == life && $0.isStarting && !$0.isPulling }
    }
    func isRunning(_ name: String, life: Int) -> Bool {
        entries.contains { if $0.name == name, $0.restartCount == life, case .running = $0.state { true } else { false } }
    }

    /// Which life of a container this is, from 0.
    func attempt(_ name: String) -> Int { entries.first { $0.name == name }?.restartCount ?? 0 }

    func isReady(_ name: String) -> Bool { entries.first { $0.name == name }?.isReady ?? false }

    /// True while this very life of a container lasts.
    func isRunning(_ record: ContainerRecord) -> Bool {
        guard let entry = entries.first(where: { $0.name == record.name }), case .running(let now) = entry.state else { return false }
        return now.pid == record.pid && now.startedAt.precise == record.startedAt.precise
    }
}

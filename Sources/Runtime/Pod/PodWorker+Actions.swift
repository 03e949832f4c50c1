import Glibc
import Model
import ShimProtocol

/// What a pod's life cycle asks for, done.
extension PodWorker {
    func perform(_ actions: [PodLifecycle.Action], _ group: inout DiscardingTaskGroup) async {
        for action in actions {
            switch action {
            case .start(let name):
                await start(name)
                expect(.start(container: name, life: lifecycle.attempt(name)), &group)
            case .stop(let name, let force):
                await stop(name, force: force, &group)
                if force { expect(.end(container: name, life: lifecycle.attempt(name)), &group) }
            case .schedule(let timer, let seconds): postLater(.input(.timer(timer)), after: seconds, &group)
            case .event(let type, let reason, let message, let container):
                await node.client.recordEvent(
                    about: pod, type: type, reason: reason, message: message, component: "kubelet", node: node.spec.name,
                    fieldPath: container.flatMap(pod.fieldPath(ofContainer:)))
            case .tearDown:
                isSandboxWanted = false
                await report(&group)  // the last word on the containers, while their address still stands
                await node.release(pod)
                await releaseSandbox()
            }
        }
        if !lifecycle.isTornDown { await report(&group) }
    }

    func start(_ name: String) async {
        guard let container = pod.allContainers.first(where: { $0.name == name }) else { return }
        func event(_ reason: String, _ message: String) async {
            await node.client.recordEvent(
                about: pod, reason: reason, message: message, component: "kubelet", node: node.spec.name,
                fieldPath: pod.fieldPath(ofContainer: name))
        }
        guard shimVersion >= (pod.processes == .own ? ShimVersion.confining : ShimVersion.sharing) else { return await leaveOldShim() }
        do {
            try await plan.volumes.refresh()
            guard let reference = ImageReference(container.image) else { return refuse(container, "InvalidImageName") }
            guard let image = try await resolve(reference, for: container) else {
                if container.json["imagePullPolicy"].string == "Never" { return refuse(container, "ErrImageNeverPull") }
                throw ImageNotFound(reference: reference, names: node.images.names)
            }
            await event("Pulled", "Container image \"\(container.image)\" already present on machine and can be accessed by the pod")
            let spec = try await plan.spec(container, image: image, attempt: lifecycle.attempt(name))
            await event("Created", "Container created")
            try connection?.send(.start(spec))
        } catch let error as PodVolumes.MountError {
            await tellUnmounted(error)
            inbox.post(.input(.startPostponed(container: name)))
        } catch let error as ImageNotFound {
            inbox.post(.input(.imageMissing(container: name, message: error.description)))
        } catch let error as ImageFailure {
            inbox.post(.input(.startFailed(container: name, reason: PodLifecycle.inspectError, message: error.description)))
        } catch let error as ContainerPlan.CreationError {
            inbox.post(.input(.startFailed(container: name, reason: PodLifecycle.creationError, message: error.description)))
        } catch {
            inbox.post(.input(.startFailed(container: name, reason: PodLifecycle.configurationError, message: "\(error)")))
        }
    }

    /// What no other try would make better: a name that is none, an image that is not to be looked for.
    private func refuse(_ container: Container, _ reason: String) {
        let name = "\"\(container.image)\""
        let isName = reason != "InvalidImageName"
        let words =
            isName
            ? "Container image \(name) is not present with pull policy of Never"
            : "Failed to apply default image tag \(name): couldn't parse image name \(name): invalid reference format"
        inbox.post(
            .input(
                .imageRefused(container: container.name, reason: reason, event: isName ? reason : "InspectFailed", message: words)))
    }

    /// What has images failed, which says nothing about whether there is this one.
    private struct ImageFailure: Error, CustomStringConvertible { let description: String }

    private func resolve(_ reference: ImageReference, for container: Container) async throws -> Image? {
        do { return try await node.images.resolve(reference, for: use(of: container)) } catch {
            throw ImageFailure(description: "Failed to inspect image \"\(container.image)\": \("\(error)".replacing("\n  ", with: "; "))")
        }
    }

    private func use(of container: Container) -> ImageUse {
        ImageUse(state: paths.podState(pod.uid), container: container.name, pod: pod.key)
    }

    /// The image that a container runs from; nil where there is none, or none can be asked for just now. A name may have become another
    /// image's since the container began.
    func image(of container: Container?) async -> Image? {
        guard let container, let reference = ImageReference(container.image) else { return nil }
        do {
            if let digest = use(of: container).digest, let held = ImageReference("\(reference.registry)/\(reference.repository)@\(digest)"),
                let image = try await node.images.resolve(held)
            {
                return image
            }
            return try await node.images.resolve(reference)
        } catch {
            node.report("pod \(pod.key): image \(reference): \(error)")
            return nil
        }
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
        let lifecycle = lifecycle, address = address ?? lastAddress, host = node.spec.address, now = node.now()
        var found: [String: PodLifecycle.ImageFacts] = [:]
        for container in pod.allContainers {
            guard let image = await image(of: container), let name = ImageReference(container.image) else { continue }
            found[container.name] = PodLifecycle.ImageFacts(
                name: name.description, id: image.statusID(name), user: ContainerUser(pod: pod, container: container, image: image))
        }
        do {
            try await node.client.mutateStatus(Pod.self, pod.key) { [uid = pod.uid, facts = found] current in
                guard current.uid == uid else { return }
                lifecycle.report(into: &current, address: address, host: host, image: { facts[$0.name] }, now: now)
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
    func isStarting(_ name: String, life: Int) -> Bool { entries.contains { $0.name == name && $0.restartCount == life && $0.isStarting } }
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

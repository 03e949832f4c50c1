import CSandbox
import Glibc
import Model
import Netlink
import ShimProtocol

/// Drives one pod on one node: its sandbox, its containers, its status, its end. All decisions are `PodLifecycle`'s.
actor PodWorker {
    enum Message: Sendable {
        case changed(Pod)
        case input(PodLifecycle.Input)
        /// A ConfigMap or Secret that the pod reads has changed.
        case configurationChanged
        case connectionEnded
        /// The shim speaks another version of the protocol than we.
        case speaks(version: Int)
        /// The time for an answer is up.
        case overdue(Owed)
    }

    let node: NodeAgent
    var pod: Pod
    var lifecycle: PodLifecycle
    var address: IPv4Address?
    var connection: ShimConnection?
    var shim: ProcessIdentity?
    /// What the shim that is connected speaks.
    var shimVersion = ShimVersion.current
    private var isSandboxWanted = true
    private let seen = Timestamp.now()
    private var deadline: Int?
    let (inbox, post) = AsyncStream.makeStream(of: Message.self)

    init(node: NodeAgent, pod: Pod) {
        self.node = node
        self.pod = pod
        lifecycle = PodLifecycle(pod)
    }

    func configurationChanged(_ key: ObjectKey, isSecret: Bool) {
        if key.namespace == pod.namespace, PodVolumes.reads(pod, key.name, isSecret: isSecret) { post.yield(.configurationChanged) }
    }

    nonisolated func send(_ message: Message) { post.yield(message) }

    var paths: ClusterPaths { node.paths }
    private var files: PodFiles { PodFiles(pod: pod, address: address, paths: paths, node: node.spec.name, cluster: node.cluster) }
    private var plan: ContainerPlan {
        ContainerPlan(
            pod: pod, address: address, hostAddress: node.spec.address, paths: paths, node: node.spec.name, client: node.client, seen: seen,
            deviceControl: node.deviceControl,
            hostname: { [files] in try files.kernelHostname() })
    }

    /// Runs until the pod is gone from the node.
    func run() async {
        await withDiscardingTaskGroup { group in
            if pod.isFinished {
                // It ended before the daemon did: only its record is left.
                await releaseSandbox()
            } else if ProcessIdentity(file: identityPath) == nil, let refusal = await admission().refusal(of: pod) {
                await perform(lifecycle.handle(.rejected(reason: refusal.reason, message: refusal.message)), &group)
            } else {
                await noteDeadline(&group)
                await establish(&group)
                group.addTask { await self.renewTokens() }
            }
            if pod.isBeingDeleted { await perform(lifecycle.handle(.deletionRequested(gracePeriod: pod.terminationGracePeriod)), &group) }
            for await message in inbox {
                switch message {
                case .changed(let new):
                    let resized = zip(pod.containers, new.containers).filter { ContainerResize($0, $1).needsRestart }.map(\.1.name)
                    let isRefreshDue = pod.labels != new.labels || pod.annotations != new.annotations || pod.spec != new.spec
                    let isNewDeletion = new.isBeingDeleted && (!pod.isBeingDeleted || new.terminationGracePeriod < pod.terminationGracePeriod)
                    pod = new
                    if isNewDeletion {
                        let actions = lifecycle.handle(.deletionRequested(gracePeriod: pod.terminationGracePeriod))
                        await perform(actions, &group)
                    }
                    for container in pod.initContainers + pod.containers {
                        let actions = lifecycle.handle(.imageChanged(container: container.name, image: container.image))
                        if !actions.isEmpty { await perform(actions, &group) }
                    }
                    for name in resized { await perform(lifecycle.handle(.resizeNeedsRestart(container: name)), &group) }
                    for container in pod.ephemeralContainers where !lifecycle.entries.contains(where: { $0.name == container.name }) {
                        await perform(lifecycle.handle(.ephemeral(container)), &group)
                    }
                    await noteDeadline(&group)
                    if isRefreshDue { await refresh(&group) }
                    if isReportDue, !lifecycle.isTornDown, connection != nil { await report() }
                case .speaks(let version): shimVersion = version
                case .overdue(let owed): if isOwed(owed) { await endShim(owed) }
                case .input(let input):
                    if case .exited(let record) = input { plan.cgroup(record.name, attempt: lifecycle.attempt(record.name)).delete() }
                    await perform(lifecycle.handle(withMessage(input)), &group)
                    if case .started(let record) = input {
                        startProbes(record, &group)
                        afterStart(record, &group)
                    }
                case .configurationChanged: await refresh(&group)
                case .connectionEnded:
                    guard connection != nil else { break }
                    connection = nil
                    await perform(lifecycle.handle(.sandboxLost(at: .now())), &group)
                    if isSandboxWanted, !lifecycle.isTornDown {
                        await releaseSandbox()
                        await establish(&group)
                    }
                }
                if lifecycle.isTornDown, pod.isBeingDeleted { break }
            }
            group.cancelAll()
        }
        await finish()
    }

    /// The deadline may come, go and change while the pod runs.
    private func noteDeadline(_ group: inout DiscardingTaskGroup) async {
        let seconds = pod.spec["activeDeadlineSeconds"].int
        guard seconds != deadline else { return }
        deadline = seconds
        let now = Timestamp.now(), began = pod.status["startTime"].string.flatMap(Timestamp.init) ?? now
        await perform(lifecycle.handle(.deadline(seconds: seconds, remaining: began.seconds + (seconds ?? 0) - now.seconds)), &group)
    }

    private var isPastDeadline: Bool {
        guard let deadline, let began = pod.status["startTime"].string.flatMap(Timestamp.init) else { return false }
        return Timestamp.now().seconds >= began.seconds + deadline
    }

    /// Volumes whose tokens grow old are written anew, for as long as the pod runs.
    private func renewTokens() async {
        while !lifecycle.isTornDown, let pause = plan.volumes.nextRenewal(now: .now()) {
            guard (try? await Task.sleep(for: .seconds(pause))) != nil else { return }
            post.yield(.configurationChanged)
        }
    }

    /// Volumes follow what they show; and what could not be made for want of it may be made now.
    private func refresh(_ group: inout DiscardingTaskGroup) async {
        guard connection != nil, !lifecycle.isTornDown else { return }
        try? await plan.volumes.refresh()
        let actions = lifecycle.handle(.configurationChanged)
        if !actions.isEmpty { await perform(actions, &group) }
    }

    private func admission() async -> NodeAdmission {
        let labels = (try? await node.client.find(Node.self, ObjectKey("", node.spec.name)))??.labels ?? [:]
        // Only host ports are anybody else's affair, and few pods have them.
        let others = pod.hostPorts.isEmpty ? [] : await node.podsBefore(pod)
        return NodeAdmission(node: node.spec, labels: labels, others: others)
    }

    /// What was asked for since the last report has been seen; and who opens a readiness gate is somebody else, but that it is
    /// open is ours to say.
    private var isReportDue: Bool {
        (pod.status["observedGeneration"].int ?? 0) < pod.generation || !pod.spec["readinessGates"].items.isEmpty
    }

    // MARK: The sandbox

    /// Adopts the sandbox that stands, or makes one, again and again until it works or the pod is to go.
    private func establish(_ group: inout DiscardingTaskGroup) async {
        var delay = 1
        while isSandboxWanted, !Task.isCancelled {
            do {
                if try await adopt(&group) { return }
                try plan.checkUser()
                try await plan.volumes.refresh()
                try await createSandbox()
                try connect(&group)
                await perform(lifecycle.handle(.sandboxReady), &group)
                return
            } catch let error as PodVolumes.MountError {
                // As the kubelet, which has no sandbox made before the volumes stand.
                await report()
                await tellUnmounted(error)
                try? await Task.sleep(for: .seconds(2))
                guard await isStillWanted() else { return }
            } catch {
                await releaseSandbox()
                await node.client.recordEvent(
                    about: pod, type: "Warning", reason: "FailedCreatePodSandBox", message: "Failed to create pod sandbox: \(error)",
                    component: "kubelet", node: node.spec.name)
                try? await Task.sleep(for: .seconds(delay))
                delay = min(delay * 2, 30)
                guard await isStillWanted() else { return }
            }
        }
    }

    /// The pod is there, and neither asked to go nor past its time.
    private func isStillWanted() async -> Bool {
        guard let now = try? await node.client.find(Pod.self, pod.key) else { return false }
        return now.uid == pod.uid && !now.isBeingDeleted && !isPastDeadline
    }

    private func tellUnmounted(_ error: PodVolumes.MountError) async {
        await node.client.recordEvent(
            about: pod, type: "Warning", reason: "FailedMount", message: "\(error)", component: "kubelet", node: node.spec.name)
    }

    var socketPath: String { "\(paths.podRun(pod.uid))/shim.sock" }
    private var identityPath: String { "\(paths.podRun(pod.uid))/shim.pid" }
    private var addressPath: String { "\(paths.podState(pod.uid))/address" }

    /// Takes over a sandbox that an earlier daemon left running; false when there is none.
    private func adopt(_ group: inout DiscardingTaskGroup) async throws -> Bool {
        guard connection == nil, let identity = ProcessIdentity(file: identityPath) else { return false }
        shim = identity
        address = pod.isHostNetwork ? node.spec.address : Files.text(addressPath).flatMap { IPv4Address($0.trimmed) }
        if let address, !pod.isHostNetwork {
            await node.reserve(address)
            try await node.hooks.admit(pod, address)
            await node.network.note(pod, namespace: paths.podNetns(pod.key), address: address, process: identity.pid)
        }
        try connect(&group)
        _ = lifecycle.handle(.sandboxAdopted)  // what runs already is told by the shim's answer; nothing is started before it
        try connection?.send(.state)
        expect(.state, &group)
        return true
    }

    private func createSandbox() async throws {
        let run = paths.podRun(pod.uid)
        try Files.makeDirectory("\(run)/shm", mode: 0o700)
        if pod.isHostNetwork {
            address = node.spec.address
        } else if address == nil {
            address = try await node.allocate()
        }
        try files.write()
        let settings = try plan.volumes.memory() + pod.standardSysctls + pod.sysctls
        if let address { try Files.write("\(address)\n", to: addressPath) }
        let hostname = try files.kernelHostname()
        let nodePID = try await node.initPID()
        let identity = try await SmallProgram.startShim(
            ["pod", socketPath, hostname, "\(run)/shm", "\(nodePID)", pod.isHostNetwork ? "node" : "own"] + settings.map(\.word))
        shim = identity
        try identity.write(to: identityPath)
        guard let address, !pod.isHostNetwork else { return }
        let name = paths.podNetns(pod.key)
        NetworkNamespace.delete(path: name)
        try NetworkNamespace.bind(pid: identity.pid, path: name)
        // Isolation first: when the pod's first process runs, its policies are in the kernel.
        try await node.hooks.admit(pod, address)
        try await node.network.attach(pod, namespace: name, address: address, process: identity.pid)
    }

    /// Gives everything back that the sandbox held. Goes on past what is not there.
    private func releaseSandbox() async {
        if let connection {
            self.connection = nil
            try? connection.send(.shutdown)
            connection.disconnect()
        }
        if let shim = shim ?? ProcessIdentity(file: identityPath) {
            let ended = try? await SmallProgram.blocking { shim.awaitEnd(milliseconds: 2000) }
            if ended != true { shim.signal(SIGKILL) }
        }
        shim = nil
        let group = plan.podCgroup
        let left = try? await SmallProgram.blocking { group.delete(milliseconds: 1000) }
        for problem in left ?? [] { node.hooks.report("node \(node.spec.name): pod \(pod.key): \(problem)") }
        NetworkNamespace.delete(path: paths.podNetns(pod.key))
        if !pod.isHostNetwork {
            do {
                try await node.network.detach(pod)
                if let address { await node.release(address) }
            } catch {
                // An address that still stands on the bridge is nobody else's.
                node.hooks.report("node \(node.spec.name): pod \(pod.key): \(error); its address \(address?.description ?? "") is kept")
            }
        }
        address = nil
        Files.removeTree(paths.podRun(pod.uid))
    }

    // MARK: Actions

    private func perform(_ actions: [PodLifecycle.Action], _ group: inout DiscardingTaskGroup) async {
        for action in actions {
            switch action {
            case .start(let name):
                await start(name)
                expect(.start(container: name, life: lifecycle.attempt(name)), &group)
            case .stop(let name, let force):
                await stop(name, force: force, &group)
                if force { expect(.end(container: name, life: lifecycle.attempt(name)), &group) }
            case .schedule(let timer, let seconds):
                group.addTask { [post] in
                    try? await Task.sleep(for: .seconds(Timestamp.bounded(seconds)))
                    if !Task.isCancelled { post.yield(.input(.timer(timer))) }
                }
            case .event(let type, let reason, let message, let container):
                await node.client.recordEvent(
                    about: pod, type: type, reason: reason, message: message, component: "kubelet", node: node.spec.name,
                    fieldPath: container.flatMap(pod.fieldPath(ofContainer:)))
            case .tearDown:
                isSandboxWanted = false
                await report()  // the last word on the containers, while their address still stands
                await node.hooks.release(pod.key)
                await releaseSandbox()
            }
        }
        if !lifecycle.isTornDown { await report() }
    }

    private func start(_ name: String) async {
        guard let container = pod.allContainers.first(where: { $0.name == name }) else { return }
        func event(_ reason: String, _ message: String) async {
            await node.client.recordEvent(
                about: pod, reason: reason, message: message, component: "kubelet", node: node.spec.name, fieldPath: pod.fieldPath(ofContainer: name))
        }
        guard shimVersion >= ShimVersion.confining else { return await leaveOldShim() }
        do {
            try await plan.volumes.refresh()
            let image = try node.images.image(container.image)
            await event("Pulled", "Container image \"\(container.image)\" already present on machine and can be accessed by the pod")
            let spec = try await plan.spec(container, image: image, attempt: lifecycle.attempt(name))
            await event("Created", "Container created")
            try connection?.send(.start(spec))
        } catch let error as PodVolumes.MountError {
            await tellUnmounted(error)
            post.yield(.input(.startPostponed(container: name)))
        } catch let error as ImageNotFound where container.json["imagePullPolicy"].string == "Never" {
            let words = "Container image \"\(error.reference)\" is not present with pull policy of Never"
            post.yield(.input(.imageRefused(container: name, reason: "ErrImageNeverPull", event: "ErrImageNeverPull", message: words)))
        } catch let error as ImageNotFound where !Image.isReference(error.reference) {
            let name = "\"\(error.reference)\""
            let words = "Failed to apply default image tag \(name): couldn't parse image name \(name): invalid reference format"
            post.yield(.input(.imageRefused(container: container.name, reason: "InvalidImageName", event: "InspectFailed", message: words)))
        } catch let error as ImageNotFound {
            post.yield(.input(.imageMissing(container: name, message: error.description)))
        } catch {
            post.yield(.input(.startFailed(container: name, reason: PodLifecycle.configurationError, message: "\(error)")))
        }
    }

    /// What a container that has ended left as its last words.
    private func withMessage(_ input: PodLifecycle.Input) -> PodLifecycle.Input {
        guard case .exited(var record) = input, let container = pod.allContainers.first(where: { $0.name == record.name }) else { return input }
        let attempt = lifecycle.attempt(record.name)
        record.message = TerminationMessage(pod: pod, container: container, attempt: attempt, node: node.spec.name, paths: paths).read(failed: record.exitCode != 0)
        return .exited(record)
    }

    /// Writes what is known of the pod to the API.
    private func report() async {
        let lifecycle = lifecycle, address = address, host = node.spec.address, images = node.images, pod = pod
        try? await node.client.mutateStatus(Pod.self, pod.key) { [uid = pod.uid] current in
            guard current.uid == uid else { return }
            lifecycle.report(
                into: &current, address: address, host: host,
                image: { container in
                    (try? images.image(container.image)).map {
                        PodLifecycle.ImageFacts(
                            name: Image.fullName(container.image), id: $0.id,
                            user: ContainerUser(pod: pod, container: container, image: $0))
                    }
                }, now: .now())
        }
    }

    private func finish() async {
        await node.hooks.release(pod.key)
        await releaseSandbox()
        Files.removeTree(paths.podState(pod.uid))
        Files.removeTree(paths.podLogs(pod, node: node.spec.name))
        do { try await node.client.delete(.pods, pod.key, gracePeriod: 0, uid: pod.uid) } catch {
            if (error as? StatusError)?.reason != "NotFound" { node.hooks.report("pod \(pod.key): \(error)") }
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

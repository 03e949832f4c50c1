import Glibc
import Model
import Netlink
import ShimProtocol

/// Drives one pod on one node: its sandbox, its containers, its status, its end. All decisions are `PodLifecycle`'s.
actor PodWorker {
    enum Message: Sendable {
        case changed(Pod)
        case input(PodLifecycle.Input)
        case connectionEnded
    }

    private let node: NodeAgent
    private var pod: Pod
    private var lifecycle: PodLifecycle
    private var address: IPv4Address?
    private var connection: ShimConnection?
    private var shim: ProcessIdentity?
    private var isSandboxWanted = true
    private var pulled: Set<String> = []
    private let (inbox, post) = AsyncStream.makeStream(of: Message.self)

    init(node: NodeAgent, pod: Pod) {
        self.node = node
        self.pod = pod
        lifecycle = PodLifecycle(pod)
    }

    nonisolated func send(_ message: Message) { post.yield(message) }

    private var paths: ClusterPaths { node.paths }
    private var plan: ContainerPlan {
        ContainerPlan(pod: pod, address: address, hostAddress: node.spec.address, paths: paths, node: node.spec.name, client: node.client)
    }

    /// Runs until the pod is gone from the node.
    func run() async {
        await withDiscardingTaskGroup { group in
            if pod.isFinished {
                // It ended before the daemon did: only its record is left.
                await releaseSandbox()
            } else {
                await establish(&group)
            }
            if pod.isBeingDeleted { await perform(lifecycle.handle(.deletionRequested(gracePeriod: pod.terminationGracePeriod)), &group) }
            for await message in inbox {
                switch message {
                case .changed(let new):
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
                    for container in pod.ephemeralContainers where !lifecycle.entries.contains(where: { $0.name == container.name }) {
                        await perform(lifecycle.handle(.ephemeral(container)), &group)
                    }
                    if isReportDue, !lifecycle.isTornDown, connection != nil { await report() }
                case .input(let input):
                    await perform(lifecycle.handle(withMessage(input)), &group)
                    if case .started(let record) = input {
                        startProbes(record, &group)
                        afterStart(record, &group)
                    }
                case .connectionEnded:
                    guard connection != nil else { break }
                    connection = nil
                    await perform(lifecycle.handle(.sandboxLost), &group)
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
                try await createSandbox()
                try connect(&group)
                await perform(lifecycle.handle(.sandboxReady), &group)
                return
            } catch {
                await releaseSandbox()
                await node.client.recordEvent(
                    about: pod, type: "Warning", reason: "FailedCreatePodSandBox", message: "Failed to create pod sandbox: \(error)",
                    component: "kubelet", node: node.spec.name)
                try? await Task.sleep(for: .seconds(delay))
                delay = min(delay * 2, 30)
                guard let now = try? await node.client.find(Pod.self, pod.key), now.uid == pod.uid, !now.isBeingDeleted else { return }
            }
        }
    }

    private var socketPath: String { "\(paths.podRun(pod.uid))/shim.sock" }
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
        }
        try connect(&group)
        _ = lifecycle.handle(.sandboxReady)  // what runs already is told by the shim's answer; nothing is started before it
        try connection?.send(.state)
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
        try plan.writePodFiles(cluster: node.cluster)
        if let address { try Files.write("\(address)\n", to: addressPath) }
        let hostname = ContainerPlan.hostname(pod, node: node.spec.name)
        let nodePID = await node.initPID
        let identity = try await SmallProgram.startShim(
            ["pod", socketPath, hostname, "\(run)/shm", "\(nodePID)", pod.isHostNetwork ? "node" : "own"])
        shim = identity
        try identity.write(to: identityPath)
        guard let address, !pod.isHostNetwork else { return }
        let name = paths.podNetns(pod.key)
        NetworkNamespace.delete(path: name)
        try NetworkNamespace.bind(pid: identity.pid, path: name)
        // Isolation first: when the pod's first process runs, its policies are in the kernel.
        try await node.hooks.admit(pod, address)
        try await node.network.attach(pod, namespace: name, address: address)
    }

    private func connect(_ group: inout DiscardingTaskGroup) throws {
        let connection = try ShimConnection(socket: socketPath)
        self.connection = connection
        group.addTask { [post] in
            for await message in connection.messages {
                if let descriptor = message.descriptor { close(descriptor) }
                switch message.reply {
                case .started(let record): post.yield(.input(.started(record)))
                case .exited(let record): post.yield(.input(.exited(record)))
                case .failed(let container, let stage, let errno):
                    let words = "\(stage): \(String(cString: strerror(Int32(errno))))"
                    post.yield(
                        .input(
                            .startFailed(
                                container: container, reason: "RunContainerError",
                                message: "failed to create container: \(words)")))
                case .state(let records):
                    for record in records { post.yield(.input(record.pid > 0 ? .started(record) : .exited(record))) }
                case .joined, .ended: break
                }
            }
            post.yield(.connectionEnded)
        }
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
        NetworkNamespace.delete(path: paths.podNetns(pod.key))
        if !pod.isHostNetwork { try? await node.network.detach(pod) }
        if let address, !pod.isHostNetwork { await node.release(address) }
        address = nil
        Files.removeTree(paths.podRun(pod.uid))
    }

    // MARK: Actions

    private func perform(_ actions: [PodLifecycle.Action], _ group: inout DiscardingTaskGroup) async {
        for action in actions {
            switch action {
            case .start(let name): await start(name)
            case .stop(let name, let force): await stop(name, force: force, &group)
            case .schedule(let timer, let seconds):
                group.addTask { [post] in
                    try? await Task.sleep(for: .seconds(seconds))
                    if !Task.isCancelled { post.yield(.input(.timer(timer))) }
                }
            case .event(let type, let reason, let message, let container):
                await node.client.recordEvent(
                    about: pod, type: type, reason: reason, message: message, component: "kubelet", node: node.spec.name,
                    fieldPath: container.map { "spec.containers{\($0)}" })
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
                about: pod, reason: reason, message: message, component: "kubelet", node: node.spec.name, fieldPath: "spec.containers{\(name)}")
        }
        do {
            let image = try node.images.image(container.image)
            if pulled.insert(name).inserted { await event("Pulled", "Container image \"\(container.image)\" already present on machine") }
            let spec = try await plan.spec(container, image: image, attempt: lifecycle.attempt(name))
            await event("Created", "Created container: \(name)")
            try connection?.send(.start(spec))
        } catch let error as ImageNotFound {
            post.yield(.input(.imageMissing(container: name, message: error.description)))
        } catch {
            post.yield(.input(.startFailed(container: name, reason: "CreateContainerConfigError", message: "\(error)")))
        }
    }

    /// Probes this life of a container for as long as it lasts.
    private func startProbes(_ record: ContainerRecord, _ group: inout DiscardingTaskGroup) {
        guard let container = pod.containers.first(where: { $0.name == record.name }), let address,
            Probe.Kind.allCases.contains(where: { Probe($0, of: container) != nil })
        else { return }
        let prober = Prober(pod: pod, container: container, address: address, node: node.spec.name, paths: paths)
        group.addTask { await prober.run { await self.note($0, of: record) } }
    }

    /// Takes a probe's finding; false when the life it is about is over.
    private func note(_ finding: Prober.Finding, of record: ContainerRecord) async -> Bool {
        guard lifecycle.isRunning(record), !pod.isBeingDeleted else { return false }
        switch finding {
        case .failed(let kind, let words):
            await node.client.recordEvent(
                about: pod, type: "Warning", reason: "Unhealthy", message: "\(kind.title) probe failed: \(words)", component: "kubelet",
                node: node.spec.name, fieldPath: "spec.containers{\(record.name)}")
        case .decided(.readiness, let isReady): if lifecycle.isReady(record.name) != isReady { post.yield(.input(.probed(container: record.name, ready: isReady))) }
        case .decided(.startup, true): post.yield(.input(.startupDone(container: record.name)))
        case .decided(.liveness, true): break
        case .decided(let kind, false): post.yield(.input(.unhealthy(container: record.name, probe: kind.rawValue)))
        }
        return true
    }

    /// Asks a container to end, after its preStop hook if it has one; or ends it.
    private func stop(_ name: String, force: Bool, _ group: inout DiscardingTaskGroup) async {
        let container = pod.allContainers.first { $0.name == name }
        let signal = force ? Int(SIGKILL) : (try? node.images.image(container?.image ?? "").stopSignal) ?? Int(SIGTERM)
        guard !force, let container, let address, !container.json["lifecycle"]["preStop"].isNull else {
            try? connection?.send(.signal(container: name, signal: signal))
            return
        }
        let hook = container.json["lifecycle"]["preStop"], limit = pod.terminationGracePeriod
        let prober = Prober(pod: pod, container: container, address: address, node: node.spec.name, paths: paths)
        let connection = connection
        group.addTask {
            if let problem = await prober.perform(hook: hook, seconds: max(1, limit)) {
                await self.tellFailedHook("FailedPreStopHook", "PreStopHook failed: \(problem)", name)
            }
            try? connection?.send(.signal(container: name, signal: signal))
        }
    }

    /// Runs a container's postStart hook; one whose hook fails is ended.
    private func afterStart(_ record: ContainerRecord, _ group: inout DiscardingTaskGroup) {
        guard let container = pod.allContainers.first(where: { $0.name == record.name }), let address, !container.json["lifecycle"]["postStart"].isNull else { return }
        let hook = container.json["lifecycle"]["postStart"]
        let prober = Prober(pod: pod, container: container, address: address, node: node.spec.name, paths: paths)
        let connection = connection
        group.addTask {
            guard let problem = await prober.perform(hook: hook, seconds: 3600) else { return }
            await self.tellFailedHook("FailedPostStartHook", "PostStartHook failed: \(problem)", record.name)
            try? connection?.send(.signal(container: record.name, signal: Int(SIGKILL)))
        }
    }

    private func tellFailedHook(_ reason: String, _ message: String, _ container: String) async {
        await node.client.recordEvent(
            about: pod, type: "Warning", reason: reason, message: message, component: "kubelet", node: node.spec.name, fieldPath: "spec.containers{\(container)}")
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
        let lifecycle = lifecycle, address = address, host = node.spec.address, images = node.images
        try? await node.client.mutateStatus(Pod.self, pod.key) { [uid = pod.uid] current in
            guard current.uid == uid else { return }
            lifecycle.report(
                into: &current, address: address, host: host,
                imageID: { (try? images.image($0)).map { "minik/\($0.name)" } ?? "" }, now: .now())
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
    /// Which life of a container this is, from 0.
    func attempt(_ name: String) -> Int { entries.first { $0.name == name }?.restartCount ?? 0 }

    func isReady(_ name: String) -> Bool { entries.first { $0.name == name }?.isReady ?? false }

    /// True while this very life of a container lasts.
    func isRunning(_ record: ContainerRecord) -> Bool {
        guard let entry = entries.first(where: { $0.name == record.name }), case .running(let now) = entry.state else { return false }
        return now.pid == record.pid && now.startedAt.precise == record.startedAt.precise
    }
}

import Glibc
import Host
import Model
import ShimProtocol

/// Drives one pod on one node: its sandbox, its containers, its status, its end. All decisions are `PodLifecycle`'s.
actor PodWorker: PodRunner {
    let node: NodeAgent
    var pod: Pod
    var lifecycle: PodLifecycle
    /// One of each family, the primary first; none as long as it has no sandbox.
    var addresses: [IPAddress] = []
    var sandbox: (any PodSandbox)?
    var connection: ShimConnection?
    /// What the shim that is connected speaks.
    var shimVersion = ShimVersion.current
    var isSandboxWanted = true
    /// Where the pod was, for the last word on it.
    var lastAddresses: [IPAddress] = []
    private let seen: Timestamp
    private var deadline: Int?
    private var volumePause = PodWorker.firstVolumePause
    private var isRefreshDue = false
    var reportPause = PodWorker.firstPause
    let inbox = PodInbox()
    /// By the containers that wait for them.
    var pulls: [String: Task<Void, Never>] = [:]

    /// Seconds until what failed is tried again, the first time and at most. What fails at the API or in the kernel may work a moment
    /// later; volumes wait as the kubelet's do. (pkg/volume/util: exponential back-off up to 2m2s)
    static let firstPause = 1, longestPause = 30
    private static let firstVolumePause = 2, longestVolumePause = 122

    init(node: NodeAgent, pod: Pod) {
        self.node = node
        self.pod = pod
        seen = node.now()
        lifecycle = PodLifecycle(pod)
    }

    func configurationChanged(_ key: ObjectKey, isSecret: Bool) {
        if key.namespace == pod.namespace, PodVolumes.reads(pod, key.name, isSecret: isSecret) { inbox.post(.configurationChanged) }
    }

    nonisolated func changed(_ pod: Pod) { inbox.post(.changed(pod)) }
    nonisolated func send(_ message: PodInbox.Message) { inbox.post(message) }

    var paths: ClusterPaths { node.paths }
    var files: PodFiles { PodFiles(pod: pod, addresses: addresses, paths: paths, node: node.spec.name, cluster: node.cluster) }
    var plan: ContainerPlan {
        ContainerPlan(
            pod: pod, addresses: addresses, hostAddresses: node.spec.addresses, paths: paths, node: node.spec.name, client: node.client,
            seen: seen,
            deviceControl: node.deviceControl, isStanding: { [node] in node.sandboxes.find($0) != nil },
            hostname: { [files] in try files.kernelHostname() })
    }

    /// Runs until the pod is gone from the node. When it is cancelled, the pod goes on without it.
    func run() async {
        await withDiscardingTaskGroup { group in
            await begin(&group)
            while !isDone, let message = await inbox.next() { await take(message, &group) }
            inbox.close()
            group.cancelAll()
        }
        if isDone { await finish() }
    }

    /// Nothing of the pod is left, and its record is to go.
    private var isDone: Bool { lifecycle.isTornDown && pod.isBeingDeleted }

    private func begin(_ group: inout DiscardingTaskGroup) async {
        if pod.isFinished {
            // It ended before the daemon did: only its record is left.
            await releaseSandbox()
        } else if node.sandboxes.find(pod.uid) != nil {
            await follow(&group)
        } else if let refusal = await refusal() {
            await perform(lifecycle.handle(.rejected(reason: refusal.reason, message: refusal.message)), &group)
        } else if !Task.isCancelled {
            await follow(&group)
        }
        if pod.isBeingDeleted { await perform(lifecycle.handle(.deletionRequested(gracePeriod: pod.terminationGracePeriod)), &group) }
    }

    private func follow(_ group: inout DiscardingTaskGroup) async {
        await noteDeadline(&group)
        await establish(&group)
        group.addTask { await self.renewTokens() }
    }

    private func take(_ message: PodInbox.Message, _ group: inout DiscardingTaskGroup) async {
        switch message {
        case .changed(let new): await take(new, &group)
        case .speaks(let version): shimVersion = version
        case .overdue(let owed): if isOwed(owed) { await endShim(owed) }
        case .input(let input):
            if case .exited(let record) = input { plan.cgroup(record.name, attempt: lifecycle.attempt(record.name)).delete() }
            await perform(lifecycle.handle(withMessage(input)), &group)
            if case .started(let record) = input {
                startProbes(record, &group)
                afterStart(record, &group)
            }
        case .pullEnded(let name, let image, let result, let waited):
            if let input = pullEnded(name, image, result, waited) { await perform(lifecycle.handle(input), &group) }
        case .configurationChanged: await refresh(&group)
        case .reportOwed: await report(&group)
        case .connectionEnded(let ended):
            guard connection === ended else { break }
            connection = nil
            await perform(lifecycle.handle(.sandboxLost(at: node.now())), &group)
            if isSandboxWanted, !lifecycle.isTornDown {
                await releaseSandbox()
                await establish(&group)
            }
        }
    }

    /// Takes in what somebody has changed of the pod.
    private func take(_ new: Pod, _ group: inout DiscardingTaskGroup) async {
        let resized = zip(pod.containers, new.containers).filter { ContainerResize($0, $1).needsRestart }.map(\.1.name)
        let isRefreshDue = pod.labels != new.labels || pod.annotations != new.annotations || pod.spec != new.spec
        let isNewDeletion = new.isBeingDeleted && (!pod.isBeingDeleted || new.terminationGracePeriod < pod.terminationGracePeriod)
        pod = new
        if isNewDeletion { await perform(lifecycle.handle(.deletionRequested(gracePeriod: pod.terminationGracePeriod)), &group) }
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
        if isReportDue, !lifecycle.isTornDown, connection != nil { await report(&group) }
    }

    /// The deadline may come, go and change while the pod runs.
    private func noteDeadline(_ group: inout DiscardingTaskGroup) async {
        let seconds = pod.spec["activeDeadlineSeconds"].int
        guard seconds != deadline else { return }
        deadline = seconds
        let now = node.now(), began = pod.status["startTime"].string.flatMap(Timestamp.init) ?? now
        await perform(lifecycle.handle(.deadline(seconds: seconds, remaining: began.seconds + (seconds ?? 0) - now.seconds)), &group)
    }

    /// The pod as it was last told is neither asked to go nor past its time.
    var isStillWanted: Bool {
        let newest = inbox.newest ?? pod
        if newest.isBeingDeleted { return false }
        guard let seconds = newest.spec["activeDeadlineSeconds"].int, let began = pod.status["startTime"].string.flatMap(Timestamp.init)
        else { return true }
        return node.now().seconds < began.seconds + seconds
    }

    /// Volumes whose tokens grow old are written anew, for as long as the pod runs.
    private func renewTokens() async {
        while !lifecycle.isTornDown, let pause = plan.volumes.nextRenewal(now: node.now()) {
            guard await sleep(pause) else { return }
            inbox.post(.configurationChanged)
        }
    }

    /// Volumes follow what they show; and what could not be made for want of it may be made now.
    private func refresh(_ group: inout DiscardingTaskGroup) async {
        guard connection != nil, !lifecycle.isTornDown else { return }
        do {
            try await plan.volumes.refresh()
            volumePause = Self.firstVolumePause
        } catch {
            await tellUnmounted(error)
            postLater(.configurationChanged, after: volumePause, &group)
            volumePause = min(volumePause * 2, Self.longestVolumePause)
        }
        let actions = lifecycle.handle(.configurationChanged)
        if !actions.isEmpty { await perform(actions, &group) }
    }

    func tellUnmounted(_ error: any Error) async {
        await node.client.recordEvent(
            about: pod, type: "Warning", reason: (error as? MountError)?.reason ?? "FailedMount", message: "\(error)", component: "kubelet",
            node: node.spec.name)
    }

    /// Why the node does not take the pod; nil when it does.
    private func refusal() async -> NodeAdmission.Refusal? {
        let labels = await insisting("look the node up") { [node] in
            try await node.client.find(Node.self, ObjectKey("", node.spec.name))?.labels ?? [:]
        }
        guard let labels else { return nil }
        // Only host ports are anybody else's affair, and few pods have them.
        let others = pod.hostPorts.isEmpty ? [] : await node.podsBefore(pod)
        return NodeAdmission(node: node.spec, labels: labels, others: others).refusal(of: pod)
    }

    /// What was asked for since the last report has been seen; who opens a readiness gate is somebody else, but that it is open is
    /// ours to say; and so is where the pod is, and whether it is ready.
    private var isReportDue: Bool {
        (pod.status["observedGeneration"].int ?? 0) < pod.generation || !pod.spec["readinessGates"].items.isEmpty || isMisplaced
            || isDoubted
    }

    /// Somebody took it for not ready while this node was silent: its containers were, as was told last.
    private var isDoubted: Bool {
        let conditions = pod.status["conditions"]
        return conditions.condition("Ready") == "False" && conditions.condition("ContainersReady") == "True"
    }

    /// Somebody else has written where the pod is.
    private var isMisplaced: Bool {
        guard !addresses.isEmpty, !pod.status["podIP"].isNull else { return false }
        var status = pod.status
        PodLifecycle.place(&status, addresses: addresses, hosts: node.spec.addresses)
        return status != pod.status
    }

    // MARK: Time

    /// False when the worker was cancelled meanwhile.
    func sleep(_ seconds: Int) async -> Bool {
        do { try await node.clock.sleep(for: .seconds(Timestamp.bounded(seconds))) } catch { return false }
        return true
    }

    func postLater(_ message: PodInbox.Message, after seconds: Int, _ group: inout DiscardingTaskGroup) {
        group.addTask { [inbox] in
            if await self.sleep(seconds) { inbox.post(message) }
        }
    }

    /// Does what has to be done, again after an error for as long as it takes; nil when the worker was cancelled meanwhile.
    func insisting<R: Sendable>(_ what: String, _ body: @Sendable () async throws -> R) async -> R? {
        var pause = Self.firstPause
        while !Task.isCancelled {
            do { return try await body() } catch {
                node.report("pod \(pod.key): \(what): \(error); next try in \(pause)s")
            }
            guard await sleep(pause) else { return nil }
            pause = min(pause * 2, Self.longestPause)
        }
        return nil
    }

    // MARK: The end

    private func finish() async {
        let state = paths.podState(pod.uid), logs = ContainerLogFiles(pod: pod, node: node.spec.name, paths: paths)
        _ = await insisting("remove its files") {
            try await SmallProgram.blocking {
                Files.removeTree(state)
                logs.remove()
            }
        }
        _ = await insisting("delete its record") { [node, pod] in
            // A record that is gone, or of another pod by now, is none of ours.
            do { try await node.client.delete(.pods, pod.key, gracePeriod: 0, uid: pod.uid) } catch let error as StatusError
                where error.reason == .notFound || error.reason == .conflict
            {}
        }
    }
}

import Host
import Model
import Netlink

/// The kubelet of one emulated node: runs the pods that the API assigns to it.
package actor NodeAgent {
    package nonisolated let spec: Cluster.NodeSpec
    nonisolated let cluster: Cluster
    nonisolated let paths: ClusterPaths
    nonisolated let client: any Client
    nonisolated let network: any PodNetwork
    nonisolated let guards: [any PodGuard]
    nonisolated let sandboxes: any PodSandboxes
    nonisolated let images: any ImageSource
    nonisolated let puller: ImagePuller
    nonisolated let dockerConfiguration: String
    /// Where this machine's root has logged in to registries, which is what a kubelet reads.
    package static let dockerConfiguration = "/root/.docker/config.json"
    nonisolated let object: @Sendable (_ networkTrouble: String?, Timestamp) -> JSON
    private nonisolated let tell: @Sendable (String) -> Void
    nonisolated let deviceControl: Cgroups.DeviceControl?
    nonisolated let clock: any Clock<Duration>
    nonisolated let now: @Sendable () -> Timestamp
    private nonisolated let isReached: @Sendable () async -> Bool
    private var identity: ProcessIdentity
    /// One of each family, the primary first.
    private var pools: [AddressPool]
    private lazy var workers = PodWorkers(node: spec.name) { [self] in PodWorker(node: self, pod: $0) }

    /// `guards`: in the order in which they admit a pod. `object`: the Node to register. `isReached`: whether the API is to be reached.
    package init(
        node: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths, client: any Client, network: any PodNetwork,
        guards: [any PodGuard], sandboxes: any PodSandboxes, images: any ImageSource, puller: ImagePuller,
        identity: ProcessIdentity, dockerConfiguration: String = NodeAgent.dockerConfiguration,
        deviceControl: Cgroups.DeviceControl? = Cgroups.ofMachine().deviceControl(), clock: any Clock<Duration> = TimerClock(),
        now: @escaping @Sendable () -> Timestamp = { .now() }, isReached: @escaping @Sendable () async -> Bool = { true },
        object: @escaping @Sendable (_ networkTrouble: String?, Timestamp) -> JSON,
        report: @escaping @Sendable (String) -> Void
    ) {
        spec = node
        self.cluster = cluster
        self.paths = paths
        self.client = client
        self.network = network
        self.sandboxes = sandboxes
        self.images = images
        self.puller = puller
        self.dockerConfiguration = dockerConfiguration
        self.identity = identity
        self.guards = guards
        self.object = object
        tell = report
        self.deviceControl = deviceControl
        self.clock = clock
        self.now = now
        self.isReached = isReached
        pools = node.podCIDRs.map(AddressPool.init)
    }

    nonisolated var report: @Sendable (String) -> Void { { [tell, spec] in tell("node \(spec.name): \($0)") } }

    /// When this returns, all that must hold for the pod does.
    nonisolated func admit(_ pod: Pod, addresses: [IPAddress]) async throws {
        for one in guards { try await one.admit(pod, addresses: addresses) }
    }

    /// Takes it all back; what cannot be taken just now holds nothing up, and its keeper goes on trying.
    nonisolated func release(_ pod: Pod) async {
        for one in guards.reversed() {
            do { try await one.release(pod) } catch { report("pod \(pod.key): \(error)") }
        }
    }

    struct InitEnded: Error, CustomStringConvertible {
        let node: String
        var description: String { "the init of node \(node) has ended; the node is being made again" }
    }

    /// The node's init, which pods are born below.
    func initPID() throws -> Int {
        guard identity.isAlive else { throw InitEnded(node: spec.name) }
        return identity.pid
    }

    /// Pods are born below another init from now on; its network and its tables stand.
    package func turn(to identity: ProcessIdentity) async throws {
        guard self.identity != identity else { return }
        self.identity = identity
        try await register()
    }

    /// The pods that it runs.
    package func pods() async -> [Pod] { await workers.pods }

    /// Registers the node and runs its pods until cancelled. Pods outlive this: a later agent takes them over. `before`: those that an
    /// earlier one ran; what of them is there no more is wound up.
    package func run(after before: [Pod] = []) async throws {
        try await comeUp()
        // Addresses of pods that already run are theirs before any other pod asks for one.
        for pod in try await client.list(Pod.self) where pod.nodeName == spec.name {
            let addresses = PodFiles.addresses(of: pod.uid, paths)
            reserve(addresses)
            if addresses.isEmpty { continue }
            // Its files are the node's, and anybody's on it.
            do { try await network.keep(addresses, of: pod) } catch { report("pod \(pod.key): its leases: \(error)") }
        }
        let pods = Reflector(.pods, client: client, clock: clock, report: report)
        let networkTrouble: @Sendable () async -> String? = { [network] in await network.trouble() }
        let heartbeat = NodeHeartbeat(
            node: spec, leaseSeconds: cluster.nodeMonitorGracePeriod, client: client, clock: clock, now: now, report: report,
            images: { [images] in ImageListing.status(try await images.listings()) },
            ailment: { await self.ailment(pods) }, networkTrouble: network.givesAddresses ? networkTrouble : nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await heartbeat.run() }
            group.addTask { try await self.workers.run(pods, after: before) }
            for kind in [Resource.configMaps, .secrets] { group.addTask { try await self.followConfiguration(kind) } }
            try await group.waitForAll()
        }
    }

    /// Why the node should be taken for dead though its agent lives: who does not hear of pods starts and ends none.
    private func ailment(_ pods: Reflector) async -> String? {
        if !identity.isAlive { return "its init has ended" }
        if await !isReached() { return "it does not reach the API" }
        return pods.isFollowing ? nil : "it does not hear of its pods"
    }

    /// Tells the pods that read a ConfigMap or Secret of its changes.
    private func followConfiguration(_ kind: Resource) async throws {
        // What is there already every container has read as it began.
        var isListed = false
        try await Reflector(kind, client: client, clock: clock, report: report).run { change in
            if isListed { await workers.configurationChanged(change.key, isSecret: kind == .secrets) }
        } listed: {
            isListed = true
        }
    }

    /// Who claimed ports of the node before this pod did.
    func podsBefore(_ pod: Pod) async -> [Pod] { await workers.podsBefore(pod) }

    /// Registers as soon as the API is reached.
    private func comeUp() async throws {
        while await !isReached() { try await clock.sleep(for: NodeHeartbeat.pause) }
        try await register()
    }

    /// Tells the API of the node; a Node that somebody deleted is there again. Who is cut off tells it later.
    package func register() async throws {
        guard await isReached() else { return }
        let now = now(), trouble = await network.trouble()
        let wanted = object(trouble, now)
        let key = ObjectKey("", spec.name)
        let known = try await client.find(Node.self, key)
        if known == nil { _ = try await client.create(.nodes, wanted) }
        try await client.mutateStatus(Node.self, key) { node in
            let conditions = NodeSandbox.conditions(after: node.status["conditions"], networkTrouble: trouble, now: now)
            let images = node.status["images"]
            node.status = wanted["status"]
            node.status["images"] = images
            node.status["conditions"] = conditions
        }
        guard let known else { return }
        await NodeHeartbeat.tell(client, known, isReady: trouble == nil)
        let boot = wanted["status"]["nodeInfo"]["bootID"].string ?? ""
        guard let last = known.status["nodeInfo"]["bootID"].string, !last.isEmpty, last != boot else { return }
        await client.recordEvent(
            about: known, type: "Warning", reason: "Rebooted", message: "Node \(spec.name) has been rebooted, boot id: \(boot)",
            component: "kubelet", node: spec.name)
    }

    struct PoolExhausted: Error, CustomStringConvertible {
        let network: IPNetwork
        var description: String { "no IP addresses available in range set: \(network[1])-\(network.last)" }
    }

    /// An address of each family, by the network's rules or the node's own.
    func allocate(for pod: Pod) async throws -> [IPAddress] {
        if let given = try await network.assign(pod) { return given }
        var addresses: [IPAddress] = []
        for index in pools.indices {
            guard let address = pools[index].allocate() else {
                release(addresses)
                throw PoolExhausted(network: spec.podCIDRs[index])
            }
            addresses.append(address)
        }
        return addresses
    }

    func reserve(_ addresses: [IPAddress]) {
        for index in pools.indices { for address in addresses { pools[index].reserve(address) } }
    }

    func release(_ addresses: [IPAddress]) {
        for index in pools.indices { for address in addresses { pools[index].release(address) } }
    }
}

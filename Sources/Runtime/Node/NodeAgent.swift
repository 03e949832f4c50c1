import Model
import Netlink

/// What an agent needs of rooms it does not know.
package struct AgentHooks: Sendable {
    /// Puts the policies of a pod with this address into the kernel; returns when they hold.
    package let admit: @Sendable (Pod, IPv4Address) async throws -> Void
    /// Takes back what stands for this pod, and not what its successor of the same name has got meanwhile.
    package let release: @Sendable (Pod) async -> Void
    package let report: @Sendable (String) -> Void

    package init(
        admit: @escaping @Sendable (Pod, IPv4Address) async throws -> Void, release: @escaping @Sendable (Pod) async -> Void,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.admit = admit
        self.release = release
        self.report = report
    }
}

/// The kubelet of one emulated node: runs the pods that the API assigns to it.
package actor NodeAgent {
    package nonisolated let spec: Cluster.NodeSpec
    nonisolated let cluster: Cluster
    nonisolated let paths: ClusterPaths
    nonisolated let client: any Client
    nonisolated let network: any PodNetwork
    nonisolated let sandboxes: any PodSandboxes
    nonisolated let images: ImageStore
    nonisolated let hooks: AgentHooks
    nonisolated let deviceControl: Cgroups.DeviceControl?
    nonisolated let clock: any Clock<Duration>
    nonisolated let now: @Sendable () -> Timestamp
    private var identity: ProcessIdentity
    private var pool: AddressPool
    private var workers: [String: PodWorker] = [:]
    /// The pods that want ports of the node, in the order in which they came.
    private var hostPortClaims: [Pod] = []

    package init(
        node: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths, client: any Client, network: any PodNetwork, sandboxes: any PodSandboxes,
        images: ImageStore, identity: ProcessIdentity, hooks: AgentHooks,
        deviceControl: Cgroups.DeviceControl? = Cgroups.ofMachine().deviceControl(), clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Timestamp = { .now() }
    ) {
        spec = node
        self.cluster = cluster
        self.paths = paths
        self.client = client
        self.network = network
        self.sandboxes = sandboxes
        self.images = images
        self.identity = identity
        self.hooks = hooks
        self.deviceControl = deviceControl
        self.clock = clock
        self.now = now
        pool = AddressPool(network: node.podCIDR)
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
    package func turn(to identity: ProcessIdentity) { self.identity = identity }

    /// Registers the node and runs its pods until cancelled. Pods outlive this: a later agent takes them over.
    package func run() async throws {
        try await register()
        // Addresses of pods that already run are theirs before any other pod asks for one.
        for pod in try await client.list(Pod.self) where pod.nodeName == spec.name {
            if let address = Files.text("\(paths.podState(pod.uid))/address").flatMap({ IPv4Address($0.trimmed) }) { pool.reserve(address) }
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.beat() }
            for kind in [Resource.configMaps, .secrets] { group.addTask { await self.followConfiguration(kind) } }
            while !Task.isCancelled {
                do {
                    for try await event in try await client.watch(.pods, namespace: nil, from: nil) where event.kind != .bookmark {
                        take(event, &group)
                    }
                    break
                } catch let error as StatusError where error.reason == "Expired" { continue } catch {
                    hooks.report("node \(spec.name): watch pods: \(error)")
                    break
                }
            }
        }
    }

    private func take(_ event: WatchEvent, _ group: inout DiscardingTaskGroup) {
        let pod = Pod(event.object)
        guard pod.nodeName == spec.name else { return }
        if event.kind == .deleted || pod.isFinished {
            hostPortClaims.removeAll { $0.uid == pod.uid }
        } else if workers[pod.uid] == nil, !pod.hostPorts.isEmpty {
            hostPortClaims.append(pod)
        }
        if let worker = workers[pod.uid] {
            var last = pod.json
            if event.kind == .deleted {
                // The record is gone, perhaps past its grace: what runs of it ends at once.
                if !pod.isBeingDeleted { last["metadata"]["deletionTimestamp"] = .string(Timestamp.now().description) }
                last["metadata"]["deletionGracePeriodSeconds"] = 0
            }
            worker.send(.changed(Pod(last)))
            return
        }
        guard event.kind != .deleted else { return }
        let worker = PodWorker(node: self, pod: pod)
        workers[pod.uid] = worker
        group.addTask {
            await worker.run()
            await self.forget(pod.uid)
        }
    }

    /// Tells the pods that read a ConfigMap or Secret of its changes.
    private func followConfiguration(_ kind: Resource) async {
        while !Task.isCancelled {
            do {
                // What is there already every container has read as it began.
                let revision = try await client.list(kind, namespace: nil, selector: nil).revision
                for try await event in try await client.watch(kind, namespace: nil, from: revision) where event.kind != .bookmark {
                    let key = ObjectKey(event.object["metadata"]["namespace"].string ?? "", event.object["metadata"]["name"].string ?? "")
                    for worker in workers.values { await worker.configurationChanged(key, isSecret: kind == .secrets) }
                }
                return
            } catch let error as StatusError where error.reason == "Expired" { continue } catch {
                return hooks.report("node \(spec.name): watch \(kind.plural): \(error)")
            }
        }
    }

    /// Who claimed ports of the node before this pod did.
    func podsBefore(_ pod: Pod) -> [Pod] { Array(hostPortClaims.prefix { $0.uid != pod.uid }) }

    private func forget(_ uid: String) { workers[uid] = nil }

    /// Tells the API of the node; a Node that somebody deleted is there again.
    package func register() async throws {
        let wanted = NodeSandbox(node: spec, cluster: cluster, paths: paths).object(now: .now())
        let key = ObjectKey("", spec.name)
        if try await client.find(Node.self, key) == nil { _ = try await client.create(.nodes, wanted) }
        let status = wanted["status"]
        try await client.mutateStatus(Node.self, key) { node in
            var status = status
            for type in status["conditions"].items.compactMap({ $0["type"].string }) {
                // A condition that holds already keeps its time.
                let old = node.status["conditions"].items.first {
                    $0["type"].string == type && $0["status"] == status["conditions"].items.first { $0["type"].string == type }?["status"]
                }
                if let old, var list = status["conditions"].array, let index = list.firstIndex(where: { $0["type"].string == type }) {
                    list[index] = old
                    status["conditions"] = .array(list)
                }
            }
            node.status = status
        }
    }

    private static let leaseSeconds = 40, beatSeconds = 10, reportSeconds = 300

    /// The node's sign of life: its Lease, and now and then the time in its conditions.
    /// (kubernetes.io/docs/concepts/architecture/nodes, "Node heartbeats")
    private func beat() async {
        let key = ObjectKey("kube-node-lease", spec.name)
        var beats = 0
        while !Task.isCancelled {
            let time = "\(Timestamp.now().precise.dropLast(4))Z"
            do {
                var lease = try await client.get(.leases, key)
                lease["spec"]["renewTime"] = .string(time)
                lease["metadata"]["resourceVersion"] = .null
                _ = try await client.update(.leases, lease)
            } catch let error as StatusError where error.reason == "NotFound" {
                await makeLease(key, time)
            } catch { hooks.report("node \(spec.name): renew the lease: \(error)") }
            if beats % (Self.reportSeconds / Self.beatSeconds) == 0 {
                let now = JSON.string(Timestamp.now().description)
                try? await client.mutateStatus(Node.self, ObjectKey("", spec.name)) { node in
                    guard var conditions = node.status["conditions"].array else { return }
                    for index in conditions.indices { conditions[index]["lastHeartbeatTime"] = now }
                    node.status["conditions"] = .array(conditions)
                }
            }
            beats += 1
            try? await Task.sleep(for: .seconds(Self.beatSeconds))
        }
    }

    /// The lease goes with its Node; a node that is not registered has none.
    private func makeLease(_ key: ObjectKey, _ time: String) async {
        do {
            guard let node = try await client.find(Node.self, ObjectKey("", spec.name)) else { return }
            let owner: JSON = ["apiVersion": "v1", "kind": "Node", "name": .string(spec.name), "uid": .string(node.uid)]
            _ = try await client.create(
                .leases,
                [
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": ["name": .string(spec.name), "namespace": .string(key.namespace), "ownerReferences": [owner]],
                    "spec": ["holderIdentity": .string(spec.name), "leaseDurationSeconds": .int(Self.leaseSeconds), "renewTime": .string(time)],
                ])
        } catch { hooks.report("node \(spec.name): make the lease: \(error)") }
    }

    struct PoolExhausted: Error, CustomStringConvertible {
        let network: CIDR
        var description: String { "no IP addresses available in range set: \(network[1])-\(network.last)" }
    }

    func allocate() throws -> IPv4Address {
        guard let address = pool.allocate() else { throw PoolExhausted(network: spec.podCIDR) }
        return address
    }

    func reserve(_ address: IPv4Address) { pool.reserve(address) }
    func release(_ address: IPv4Address) { pool.release(address) }
}

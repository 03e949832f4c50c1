import Model
import Rules

/// One node's policy engine: follows NetworkPolicies, pods and namespaces and feeds the node's `kube-netpol` table.
package actor PolicyProxy: PodGuard {
    private let node: NodeView
    private let client: any Client
    private let connections: any ConnectionTracking
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void
    package nonisolated let keeper: TableKeeper<PolicyPart>
    private var engine: PolicyEngine
    /// The pods that have an address of this node, by uid: from their admission to their release, whatever becomes of their records
    /// meanwhile.
    private var admitted: [String: PolicyPod] = [:]
    /// The uid of the admitted pod that the engine knows by each name: the newest of that name.
    private var bearers: [ObjectKey: String] = [:]

    private static let followed: [Resource] = [.namespaces, .networkPolicies, .pods, .clusterNetworkPolicies, .nodes]
    /// What has not been listed yet: until everything is known, the table is left as an earlier daemon left it.
    private var unlisted = Set(followed)
    /// The revision up to which each kind is known.
    private var known: [Resource: Int] = [:]
    private var waiting: [AsyncStream<Void>.Continuation] = []
    private let changed = KeySignal()
    private let turn = Turnstile()
    /// Parts that may deny what was allowed before.
    private var restricted: Set<PolicyPart> = []
    private let cut = KeySignal()

    package init(
        node: NodeView, client: any Client, target: any RulesetTarget, connections: any ConnectionTracking,
        clock: any Clock<Duration> = ContinuousClock(), report: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        self.client = client
        self.connections = connections
        self.clock = clock
        self.report = { report("node \(node.name): \($0)") }
        engine = PolicyEngine(node: node)
        let cut = cut
        keeper = TableKeeper(
            table: PolicyCompiler.id(node.family), base: PolicyCompiler.base(node.family), target: target, clock: clock,
            report: self.report,
            synced: { _ in cut.add([Self.anything]) })
    }

    /// What the signals tell: that there is something to do.
    private static let anything = ObjectKey("", "")

    /// Follows until cancelled; `ready` is called when the table is in step for the first time.
    package func run(ready: @escaping @Sendable () -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for resource in Self.followed {
                let reflector = Reflector(resource, client: client, clock: clock, report: report)
                group.addTask {
                    try await reflector.run {
                        await self.take($0, resource)
                    } listed: {
                        await self.noteListed(resource, at: reflector.revision)
                    }
                }
            }
            group.addTask {
                try await self.everythingListed()
                await self.feed()
                async let keeping: Void = self.keeper.run(ready: ready)
                try await self.changed.follow { _ in await self.feed() }
                try await keeping
            }
            group.addTask { try await self.cut.follow { _ in try await self.cutOff() } }
            try await group.waitForAll()
        }
    }

    /// Puts the policies of a pod that is about to start into the kernel. When this returns they hold for its address.
    package func admit(_ pod: Pod, addresses: [IPAddress]) async throws {
        guard let address = addresses.of(node.family), let entry = PolicyPod(pod, node.family, address: address, node: node.name) else {
            return
        }
        try await everythingListed()
        // A policy older than the pod must hold, even if its event has not arrived here yet; most times all have.
        if try await isBehind(.networkPolicies) {
            for item in try await client.list(.networkPolicies, namespace: pod.namespace, selector: nil).items {
                engine.set(NetworkPolicy(item))
            }
        }
        if try await isBehind(.clusterNetworkPolicies) {
            for item in try await client.list(.clusterNetworkPolicies, namespace: nil, selector: nil).items {
                engine.set(ClusterNetworkPolicy(item))
            }
        }
        setAside(pod.key, for: pod)
        admitted[pod.uid] = entry
        bearers[pod.key] = pod.uid
        engine.set(entry)
        await feed()
        try await keeper.sync()
    }

    /// Whether something has happened to objects of a kind that has not arrived here.
    private func isBehind(_ resource: Resource) async throws -> Bool {
        let latest = try await client.latest(resource)
        return known[resource] ?? 0 < latest
    }

    /// Forgets a pod whose address is given back.
    package func release(_ pod: Pod) {
        guard let entry = admitted.removeValue(forKey: pod.uid) else { return }
        if bearers[entry.key] == pod.uid { bearers[entry.key] = nil }
        engine.set(entry.key, nil)
        changed.add([Self.anything])
    }

    /// A pod of this name whose record is gone may run for a while: its successor has the name now, it keeps its address and its policies.
    private func setAside(_ key: ObjectKey, for successor: Pod) {
        guard let uid = bearers[key], uid != successor.uid, let entry = admitted[uid] else { return }
        bearers[key] = nil
        // No object's name holds an underscore.
        let old = entry.renamed(ObjectKey(key.namespace, "\(key.name)_\(uid)"))
        admitted[uid] = old
        engine.set(key, nil)
        engine.set(old)
    }

    // MARK: Objects

    private func noteListed(_ resource: Resource, at revision: Int) {
        known[resource] = max(known[resource] ?? 0, revision)
        unlisted.remove(resource)
        guard unlisted.isEmpty else { return }
        for waiter in waiting { waiter.finish() }
        waiting = []
    }

    private func everythingListed() async throws {
        if unlisted.isEmpty { return }
        let (listing, isListed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        waiting.append(isListed)
        for await _ in listing {}
        try Task.checkCancellation()
    }

    private func take(_ change: Reflector.Change, _ resource: Resource) {
        let key = change.key, object = change.new
        defer { known[resource] = max(known[resource] ?? 0, change.object.metadata.revision) }
        switch resource {
        case .namespaces: engine.set(namespace: key.name, object.map { Namespace($0).labels })
        case .networkPolicies: engine.set(key, policy: object.map { NetworkPolicy($0) })
        case .clusterNetworkPolicies: engine.set(key, clusterPolicy: object.map { ClusterNetworkPolicy($0) })
        case .nodes: engine.set(node: key.name, object.flatMap { PolicyNode(Node($0), node.family) })
        default: take(key, object.map { Pod($0) })
        }
        if engine.isDirty { changed.add([Self.anything]) }
    }

    private func take(_ key: ObjectKey, _ pod: Pod?) {
        guard let pod else {
            // What still runs of a pod whose record is gone is held by its policies until it is released.
            if bearers[key] == nil { engine.set(key, nil) }
            return
        }
        setAside(key, for: pod)
        let own = admitted[pod.uid], entry = PolicyPod(pod, node.family, address: own?.address, node: node.name)
        if own != nil, let entry { admitted[pod.uid] = entry }
        engine.set(key, entry ?? (pod.isFinished ? nil : own))
    }

    /// Hands the keeper what changed, in the order in which it changed.
    private func feed() async {
        guard unlisted.isEmpty else { return }
        await turn.withTurn {
            let restricts = engine.restricts
            let parts = engine.changedParts()
            if parts.isEmpty { return }
            await keeper.set(parts)
            if restricts {
                restricted.formUnion(parts.keys)
                cut.add([Self.anything])
            }
        }
    }

    // MARK: Connections

    /// Ends connections that were allowed once and are not any more: their entries are forgotten, so that the next packet is
    /// judged as the first of a connection would be. (Kubernetes leaves this to the plugin.)
    private func cutOff() async throws {
        // Listing the kernel's connections costs milliseconds whatever there is: only where something may be denied now.
        guard !restricted.isEmpty else { return }
        let parts = restricted
        restricted = []
        // The keeper tells when the kernel has them at last.
        guard await keeper.isInStepWithAll else {
            restricted.formUnion(parts)
            return
        }
        let pods = engine.pods(of: parts)
        if pods.isEmpty { return }
        do {
            func ends(_ connection: TrackedConnection) -> [ObjectKey] {
                [connection.packet.source, connection.packet.destination].compactMap { pods[$0] }
            }
            let concerned = try await connections.connections().filter { !ends($0).isEmpty }
            if concerned.isEmpty { return }
            // What decides over these pods, and no copy of the table: most changes concern pods that hardly anybody is connected to.
            let table = await keeper.excerpt(engine.deciding(over: Set(concerned.flatMap(ends))))
            let tracer = Tracer(tables: [PolicyCompiler.id(node.family): table])
            try await connections.forget(concerned.filter { isDenied($0, tracer) })
        } catch {
            report("connections that policies deny now: \(error)")
            restricted.formUnion(parts)
            try await clock.sleep(for: .seconds(1))
            cut.add([Self.anything])
        }
    }

    private func isDenied(_ connection: TrackedConnection, _ tracer: Tracer) -> Bool {
        let packet = connection.packet
        let point: Hook.Point = node.isOwn(packet.source) ? .output : node.isOwn(packet.destination) ? .input : .forward
        return tracer.traverse(packet, point).contains { $0.outcome != .accept }
    }
}

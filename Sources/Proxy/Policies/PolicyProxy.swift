import Model
import Rules

/// One node's policy engine: watches NetworkPolicies, pods and namespaces and keeps the node's `kube-netpol` table in step.
package actor PolicyProxy {
    private let compiler: PolicyCompiler
    private let client: any Client
    private let report: @Sendable (String) -> Void
    private var snapshot = PolicySnapshot()
    /// Pods this node has given an address to and not yet reported: the watch does not know them yet.
    private var admitted: [ObjectKey: PolicyPod] = [:]
    private var table: TableSync
    private let connections: any ConnectionTracking
    /// Counts changes of the snapshot, and says which of them the table holds.
    private var version = 0, synced = -1
    private let turn = Turnstile()
    private let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    /// Told when the table has changed: what it no longer allows is to be cut off.
    private let (cuts, cut) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private var applied = Ruleset()

    package init(
        node: NodeView, client: any Client, target: any RulesetTarget, connections: any ConnectionTracking,
        report: @escaping @Sendable (String) -> Void
    ) {
        compiler = PolicyCompiler(node: node)
        self.client = client
        self.connections = connections
        self.report = report
        table = TableSync(table: PolicyCompiler.table, target: target)
    }

    /// Syncs once, calls `ready`, then follows changes until cancelled.
    package func run(ready: @Sendable () -> Void) async throws {
        var isFirst = true
        while !Task.isCancelled {
            do {
                try await follow {
                    if isFirst { ready() }
                    isFirst = false
                }
            } catch let error as StatusError {
                // A watch that fell too far behind starts over from a new list.
                if error.reason != "Expired" { throw error }
            }
        }
    }

    private func follow(_ isSynced: () -> Void) async throws {
        let namespaces = try await client.list(.namespaces, namespace: nil, selector: nil)
        let policies = try await client.list(.networkPolicies, namespace: nil, selector: nil)
        let pods = try await client.list(.pods, namespace: nil, selector: nil)
        let clusterPolicies = try await client.list(.clusterNetworkPolicies, namespace: nil, selector: nil)
        let nodes = try await client.list(.nodes, namespace: nil, selector: nil)
        snapshot = PolicySnapshot()
        for (key, pod) in admitted { snapshot.pods[key] = pod }
        for item in namespaces.items { note(Namespace(item), exists: true) }
        for item in policies.items { note(NetworkPolicy(item), exists: true) }
        for item in pods.items { note(Pod(item), exists: true) }
        for item in clusterPolicies.items { note(ClusterNetworkPolicy(item), exists: true) }
        for item in nodes.items { note(Node(item), exists: true) }
        try await sync()
        isSynced()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.follow(.namespaces, from: namespaces.revision) { await $0.note(Namespace($1), exists: $2) } }
            group.addTask { try await self.follow(.networkPolicies, from: policies.revision) { await $0.note(NetworkPolicy($1), exists: $2) } }
            group.addTask { try await self.follow(.pods, from: pods.revision) { await $0.note(Pod($1), exists: $2) } }
            group.addTask {
                try await self.follow(.clusterNetworkPolicies, from: clusterPolicies.revision) { await $0.note(ClusterNetworkPolicy($1), exists: $2) }
            }
            group.addTask { try await self.follow(.nodes, from: nodes.revision) { await $0.note(Node($1), exists: $2) } }
            group.addTask { for await _ in self.wakes { await self.syncOrReport() } }
            group.addTask { for await _ in self.cuts { await self.cutOff() } }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Puts the policies of a pod that is about to start into the kernel. When this returns they hold for `address`.
    package func admit(_ pod: Pod, address: IPv4Address) async throws {
        guard let entry = PolicyPod(pod, address: address, node: compiler.node.name) else { return }
        // A policy older than the pod must hold, even if its event has not arrived here yet.
        for item in try await client.list(.networkPolicies, namespace: pod.namespace, selector: nil).items {
            let policy = NetworkPolicy(item)
            snapshot.policies[policy.key] = policy
        }
        for item in try await client.list(.clusterNetworkPolicies, namespace: nil, selector: nil).items {
            let policy = ClusterNetworkPolicy(item)
            snapshot.clusterPolicies[policy.key] = policy
        }
        admitted[pod.key] = entry
        snapshot.pods[pod.key] = entry
        version += 1
        try await sync()
    }

    /// Forgets a pod whose address is given back.
    package func release(_ pod: ObjectKey) {
        admitted[pod] = nil
        snapshot.pods[pod] = nil
        changed()
    }

    private nonisolated func follow(
        _ resource: Resource, from revision: Int, _ note: @escaping @Sendable (PolicyProxy, JSON, Bool) async -> Void
    ) async throws {
        for try await event in try await client.watch(resource, namespace: nil, from: revision) where event.kind != .bookmark {
            await note(self, event.object, event.kind != .deleted)
        }
    }

    private func note(_ namespace: Namespace, exists: Bool) {
        let labels = exists ? namespace.labels : nil
        guard snapshot.namespaces[namespace.name] != labels else { return }
        snapshot.namespaces[namespace.name] = labels
        changed()
    }

    private func note(_ policy: NetworkPolicy, exists: Bool) {
        snapshot.policies[policy.key] = exists ? policy : nil
        changed()
    }

    private func note(_ policy: ClusterNetworkPolicy, exists: Bool) {
        snapshot.clusterPolicies[policy.key] = exists ? policy : nil
        changed()
    }

    private func note(_ node: Node, exists: Bool) {
        let entry = exists ? PolicyNode(node) : nil
        guard snapshot.nodes[node.name] != entry else { return }
        snapshot.nodes[node.name] = entry
        changed()
    }

    private func note(_ pod: Pod, exists: Bool) {
        var entry = exists ? PolicyPod(pod, address: admitted[pod.key]?.address, node: compiler.node.name) : nil
        if !exists { admitted[pod.key] = nil }
        if entry == nil, exists, !pod.isFinished { entry = admitted[pod.key] }
        guard snapshot.pods[pod.key] != entry else { return }
        snapshot.pods[pod.key] = entry
        changed()
    }

    private func changed() {
        version += 1
        wake.yield()
    }

    private func syncOrReport() async {
        do { try await sync() } catch { report("node \(compiler.node.name): table \(PolicyCompiler.table): \(error)") }
    }

    /// Returns when the table holds at least what is known now. One at a time; whoever waited finds its change done by others.
    private func sync() async throws {
        let wanted = version
        try await turn.withTurn {
            guard synced < wanted else { return }
            let now = version, rules = compiler.compile(snapshot)
            var table = table
            let result: Result<Void, any Error>
            do { result = .success(try await table.apply(rules)) } catch { result = .failure(error) }
            self.table = table
            try result.get()
            synced = now
            if rules != applied { cut.yield() }
            applied = rules
        }
    }

    /// Ends connections that were allowed once and are not any more: their entries are forgotten, so that the next packet is
    /// judged as the first of a connection would be. (Kubernetes leaves this to the plugin.)
    private func cutOff() async {
        guard applied.elements.contains(where: { $0.key.hasPrefix("isolated-") && !$0.value.isEmpty }) else { return }
        let tracer = Tracer(tables: [PolicyCompiler.table: applied])
        do {
            let denied = try await connections.connections().filter { connection in
                let point: Hook.Point = compiler.node.isOwn(connection.packet.source) ? .output : .forward
                return tracer.traverse(connection.packet, point).contains { $0.outcome != .accept }
            }
            try await connections.forget(denied)
        } catch { report("node \(compiler.node.name): connections: \(error)") }
    }
}

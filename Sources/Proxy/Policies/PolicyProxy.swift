import Model
import Rules

/// One node's policy engine: watches NetworkPolicies, pods and namespaces and keeps the node's `kube-netpol` table in step.
package actor PolicyProxy {
    private let node: NodeView
    private let client: any Client
    private let report: @Sendable (String) -> Void
    private var engine: PolicyEngine
    /// Pods this node has given an address to and not yet reported: the watch does not know them yet.
    private var admitted: [ObjectKey: PolicyPod] = [:]
    private let target: any RulesetTarget
    private let connections: any ConnectionTracking
    /// False until the first sync, and again after a failure: then the kernel's table is looked at.
    private var isInStep = false
    /// Which engine it is, of those that lists have begun.
    private var epoch = 0
    /// Counts what has gone in, and says how much of it the table holds.
    private var version = 0, synced = -1
    private let turn = Turnstile()
    private let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    /// Told when the table has changed: what it no longer allows is to be cut off.
    private let (cuts, cut) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    package init(
        node: NodeView, client: any Client, target: any RulesetTarget, connections: any ConnectionTracking,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        engine = PolicyEngine(node: node)
        self.client = client
        self.connections = connections
        self.report = report
        self.target = target
    }

    /// Syncs once, calls `ready`, then follows changes until cancelled.
    package func run(ready: @Sendable () -> Void) async throws {
        var isFirst = true
        try await untilCancelled {
            try await follow {
                if isFirst { ready() }
                isFirst = false
            }
        }
    }

    private func follow(_ isSynced: () -> Void) async throws {
        let namespaces = try await client.list(.namespaces, namespace: nil, selector: nil)
        let policies = try await client.list(.networkPolicies, namespace: nil, selector: nil)
        let pods = try await client.list(.pods, namespace: nil, selector: nil)
        let clusterPolicies = try await client.list(.clusterNetworkPolicies, namespace: nil, selector: nil)
        let nodes = try await client.list(.nodes, namespace: nil, selector: nil)
        engine = PolicyEngine(node: node)
        isInStep = false
        epoch += 1
        for pod in admitted.values { engine.set(pod) }
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
        guard let entry = PolicyPod(pod, address: address, node: node.name) else { return }
        // A policy older than the pod must hold, even if its event has not arrived here yet.
        for item in try await client.list(.networkPolicies, namespace: pod.namespace, selector: nil).items {
            engine.set(NetworkPolicy(item))
        }
        for item in try await client.list(.clusterNetworkPolicies, namespace: nil, selector: nil).items {
            engine.set(ClusterNetworkPolicy(item))
        }
        admitted[pod.key] = entry
        engine.set(entry)
        version += 1
        try await sync()
    }

    /// Forgets a pod whose address is given back.
    package func release(_ pod: ObjectKey) {
        admitted[pod] = nil
        engine.set(pod, nil)
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
        engine.set(namespace: namespace.name, exists ? namespace.labels : nil)
        changed()
    }

    private func note(_ policy: NetworkPolicy, exists: Bool) {
        engine.set(policy.key, policy: exists ? policy : nil)
        changed()
    }

    private func note(_ policy: ClusterNetworkPolicy, exists: Bool) {
        engine.set(policy.key, clusterPolicy: exists ? policy : nil)
        changed()
    }

    private func note(_ node: Node, exists: Bool) {
        engine.set(node: node.name, exists ? PolicyNode(node) : nil)
        changed()
    }

    private func note(_ pod: Pod, exists: Bool) {
        var entry = exists ? PolicyPod(pod, address: admitted[pod.key]?.address, node: node.name) : nil
        if !exists { admitted[pod.key] = nil }
        if entry == nil, exists, !pod.isFinished { entry = admitted[pod.key] }
        engine.set(pod.key, entry)
        changed()
    }

    private func changed() {
        guard engine.isDirty else { return }
        version += 1
        wake.yield()
    }

    private func syncOrReport() async {
        do { try await sync() } catch { report("node \(node.name): table \(PolicyCompiler.table): \(error)") }
    }

    /// Returns when the table holds at least what is known now. One at a time; whoever waited finds its change done by others.
    private func sync() async throws {
        let wanted = version
        try await turn.withTurn {
            guard synced < wanted || !isInStep else { return }
            let now = version, current = epoch
            let restricts = engine.restricts, changes = engine.changes()
            do {
                guard isInStep else { throw OutOfStep() }
                isInStep = false
                if !changes.isEmpty { try await target.apply(changes, table: PolicyCompiler.table) }
            } catch {
                // The first time, or somebody else changed the table: look at it and mend it.
                try await TableSync(table: PolicyCompiler.table, target: target).apply(engine.ruleset)
            }
            // A new engine that has begun meanwhile looks at the table itself.
            isInStep = epoch == current
            synced = now
            // Listing the kernel's connections costs milliseconds whatever there is: only where something may be denied now.
            if restricts, !changes.isEmpty { cut.yield() }
        }
    }

    private struct OutOfStep: Error {}

    /// Ends connections that were allowed once and are not any more: their entries are forgotten, so that the next packet is
    /// judged as the first of a connection would be. (Kubernetes leaves this to the plugin.)
    private func cutOff() async {
        guard engine.isolatesAnyone else { return }
        let tracer = Tracer(tables: [PolicyCompiler.table: engine.ruleset])
        do {
            let denied = try await connections.connections().filter { connection in
                let point: Hook.Point = node.isOwn(connection.packet.source) ? .output : .forward
                return tracer.traverse(connection.packet, point).contains { $0.outcome != .accept }
            }
            try await connections.forget(denied)
        } catch { report("node \(node.name): connections: \(error)") }
    }
}

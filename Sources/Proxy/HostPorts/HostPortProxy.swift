import Model
import Rules

/// Keeps one node's host ports in the kernel: a pod's are there before its first process runs, and go with it.
package struct HostPortProxy: Sendable {
    private let node: NodeView
    private let client: any Client
    /// The node's table of host ports; a node without them has none.
    package let keeper: TableKeeper<ObjectKey>

    package init(
        node: NodeView, client: any Client, target: any RulesetTarget, clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        self.client = client
        keeper = TableKeeper(
            table: HostPortTable.name, base: HostPortTable.base(node), isOptional: true, target: target, clock: clock,
            report: { report("node \(node.name): \($0)") })
    }

    /// Takes in the pods that an earlier daemon left.
    package func start() async throws {
        var parts: [ObjectKey: Ruleset] = [:]
        for pod in try await client.list(Pod.self) where pod.nodeName == node.name && !pod.isFinished && !pod.isHostNetwork {
            if let address = pod.ip, !pod.hostPorts.isEmpty { parts[pod.key] = HostPortTable.compile(pod, address) }
        }
        await keeper.set(parts)
    }

    /// Keeps the table in step until cancelled, again by the clock when the kernel refused.
    package func run() async throws { try await keeper.run() }

    /// Leads the node's ports to a pod that is about to start. When this returns the kernel does so.
    package func admit(_ pod: Pod, _ address: IPv4Address) async throws {
        guard !pod.hostPorts.isEmpty else { return }
        await keeper.set([pod.key: HostPortTable.compile(pod, address)])
        try await keeper.sync()
    }

    /// Takes a pod's ports back, before its address is given to another.
    package func release(_ key: ObjectKey) async throws {
        await keeper.set([key: Ruleset()])
        try await keeper.sync()
    }
}

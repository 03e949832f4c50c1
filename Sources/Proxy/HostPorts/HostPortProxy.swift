import Model
import Rules

/// Keeps one node's host ports in the kernel: a pod's are there before its first process runs, and go with it.
package actor HostPortProxy: PodGuard {
    private let node: NodeView
    private let client: any Client
    private let connections: any ConnectionTracking
    /// The node's table of host ports; a node without them has none.
    package nonisolated let keeper: TableKeeper<ObjectKey>
    private var claims: [ObjectKey: Claim] = [:]

    /// Whose a name's ports are: a pod's successor of the same name takes them over.
    private struct Claim {
        let uid: String
        let ports: [HostPort]

        init(_ pod: Pod) {
            uid = pod.uid
            ports = pod.hostPorts
        }
    }

    package init(
        node: NodeView, client: any Client, target: any RulesetTarget, connections: any ConnectionTracking,
        clock: any Clock<Duration> = ContinuousClock(), report: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        self.client = client
        self.connections = connections
        keeper = TableKeeper(
            table: HostPortTable.id(node.family), base: HostPortTable.base(node), isOptional: true, target: target, clock: clock,
            report: { report("node \(node.name): \($0)") })
    }

    /// Takes in the pods that an earlier daemon left.
    package func start() async throws {
        var parts: [ObjectKey: Ruleset] = [:]
        for pod in try await client.list(Pod.self) where pod.nodeName == node.name && !pod.isFinished && !pod.isHostNetwork {
            guard let address = pod.ip(node.family), !pod.hostPorts.isEmpty else { continue }
            claims[pod.key] = Claim(pod)
            parts[pod.key] = HostPortTable.compile(pod, address)
        }
        await keeper.set(parts)
    }

    /// Keeps the table in step until cancelled, again by the clock when the kernel refused.
    package func run() async throws { try await keeper.run() }

    /// Leads the node's ports to a pod that is about to start. When this returns the kernel does so.
    package func admit(_ pod: Pod, addresses: [IPAddress]) async throws {
        guard !pod.hostPorts.isEmpty, let address = addresses.of(node.family) else { return }
        claims[pod.key] = Claim(pod)
        await keeper.set([pod.key: HostPortTable.compile(pod, address)])
        try await keeper.sync()
        try await endConnections(pod.hostPorts)
    }

    /// Takes a pod's ports back, before its address is given to another; not those of its successor of the same name.
    package func release(_ pod: Pod) async throws {
        guard let claim = claims[pod.key], claim.uid == pod.uid else { return }
        await keeper.set([pod.key: Ruleset()])
        try await keeper.sync()
        try await endConnections(claim.ports)
        if claims[pod.key]?.uid == pod.uid { claims[pod.key] = nil }
    }

    /// A UDP client that goes on sending keeps being led where it was led first: to the node itself before the pod came, to nobody after it
    /// went. (containernetworking/plugins portmap does the same.)
    private func endConnections(_ ports: [HostPort]) async throws {
        let ports = ports.filter { $0.proto == .udp }
        guard !ports.isEmpty else { return }
        let stale = try await connections.connections().filter { connection in
            let sent = connection.sent
            return sent.proto == TransportProtocol.udp.number
                && ports.contains {
                    $0.port == sent.destinationPort && ($0.address.map { $0 == sent.destination } ?? node.isOwn(sent.destination))
                }
        }
        try await connections.forget(stale)
    }
}

import Model
import Synchronization

/// A node's sign of life: its Lease, and now and then the time in its conditions. A node that ails is silent, so that it is taken for what
/// it is. (kubernetes.io/docs/concepts/architecture/nodes, "Node heartbeats")
package struct NodeHeartbeat: Sendable {
    private let node: Cluster.NodeSpec
    private let client: any Client
    private let clock: any Clock<Duration>
    private let now: @Sendable () -> Timestamp
    private let report: @Sendable (String) -> Void
    private let images: @Sendable () async throws -> JSON
    private let ailment: @Sendable () async -> String?
    private let networkTrouble: (@Sendable () async -> String?)?

    package static let pause = Duration.seconds(1)
    private static let beatsAReport = 30
    /// For how long a sign of life counts. It is given four times as often, as a kubelet does.
    private let leaseSeconds: Int
    private var interval: Duration { .seconds(leaseSeconds) / 4 }

    /// `images`: those that the node has, as its status tells them. `ailment` says why the node should be taken for dead, if it should;
    /// `networkTrouble` why it cannot connect pods just now; nil: it always can.
    package init(
        node: Cluster.NodeSpec, leaseSeconds: Int = 40, client: any Client, clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        report: @escaping @Sendable (String) -> Void, images: @escaping @Sendable () async throws -> JSON = { .null },
        ailment: @escaping @Sendable () async -> String?, networkTrouble: (@Sendable () async -> String?)? = nil
    ) {
        self.node = node
        self.leaseSeconds = leaseSeconds
        self.client = client
        self.clock = clock
        self.now = now
        self.report = report
        self.images = images
        self.ailment = ailment
        self.networkTrouble = networkTrouble
    }

    /// Beats until cancelled; at once when the node's network is ready, or is no more.
    package func run() async throws {
        var beats = 0, trouble: String?
        // Whoever has just started has not heard of anything yet.
        try await clock.sleep(for: Self.pause)
        while true {
            let reason = await ailment()
            if let reason, reason != trouble { report("no heartbeat: \(reason)") }
            trouble = reason
            let network = await networkTrouble?()
            if reason == nil {
                do {
                    try await renewLease()
                    try await post(isDue: beats % Self.beatsAReport == 0, network)
                    beats += 1
                } catch  where !Task.isCancelled { report("heartbeat: \(error)") }
            }
            if reason == nil { try await rest(network) } else { try await clock.sleep(for: Self.pause) }
        }
    }

    /// Until the next beat, which comes early when the network has become ready, or is no more.
    private func rest(_ before: String?) async throws {
        guard let networkTrouble else { return try await clock.sleep(for: interval) }
        for _ in 0..<max(1, Int(interval / Self.pause)) {
            try await clock.sleep(for: Self.pause)
            if await networkTrouble() != before { return }
        }
    }

    private func renewLease() async throws {
        let key = ObjectKey("kube-node-lease", node.name), time = JSON.string("\(now().precise.dropLast(4))Z")
        do {
            _ = try await client.patch(.leases, key, ["spec": ["renewTime": time]])
        } catch let error as StatusError where error.reason == .notFound {
            // The lease goes with its Node; a node that is not registered has none.
            guard let node = try await client.find(Node.self, ObjectKey("", node.name)) else { return }
            let owner: JSON = ["apiVersion": "v1", "kind": "Node", "name": .string(node.name), "uid": .string(node.uid)]
            _ = try await client.create(
                .leases,
                [
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": ["name": .string(node.name), "namespace": .string(key.namespace), "ownerReferences": [owner]],
                    "spec": ["holderIdentity": .string(node.name), "leaseDurationSeconds": .int(leaseSeconds), "renewTime": time],
                ])
        }
    }

    /// Where a node answers, and its name, as its status has them.
    static func addresses(of node: Cluster.NodeSpec) -> JSON {
        .array(
            node.addresses.map { ["type": "InternalIP", "address": .string($0.description)] } + [
                ["type": "Hostname", "address": .string(node.name)]
            ])
    }

    /// Says that all is well, when it is time to and when somebody has had reason to doubt it; and where the node is, when somebody has
    /// written something else; and which images it has.
    private func post(isDue: Bool, _ trouble: String?) async throws {
        let now = now(), addresses = Self.addresses(of: node), images = try await images(), before = Mutex<Node?>(nil)
        try await client.mutateStatus(Node.self, ObjectKey("", node.name)) { node in
            before.withLock { [node] in $0 = node }
            node.status["addresses"] = addresses
            node.status["images"] = images.items.isEmpty ? .null : images
            guard isDue || !node.isReady || trouble != nil else { return }
            node.status["conditions"] = NodeSandbox.conditions(after: node.status["conditions"], networkTrouble: trouble, now: now)
        }
        if let before = before.withLock({ $0 }) { await Self.tell(client, before, isReady: trouble == nil) }
    }

    /// That a node is ready that was not, or is no more. (k8s.io/kubernetes/pkg/kubelet/nodestatus, ReadyCondition)
    static func tell(_ client: any Client, _ before: Node, isReady: Bool) async {
        guard before.status["conditions"].condition("Ready") != nil, before.isReady != isReady else { return }
        let reason = isReady ? "NodeReady" : "NodeNotReady"
        await client.recordEvent(
            about: before, reason: reason, message: "Node \(before.name) status is now: \(reason)", component: "kubelet",
            node: before.name)
    }
}

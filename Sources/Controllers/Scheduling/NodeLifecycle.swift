import Model

/// Takes a node whose agent gives no sign of life for what it is: its conditions become Unknown, its pods not ready, and taints keep new
/// pods away and drive those out that do not bear them. (k8s.io/kubernetes/pkg/controller/nodelifecycle)
package struct NodeLifecycle: Reconciler {
    /// Without a sign of life for so long a node is unreachable, unless the cluster's document says otherwise.
    package static let grace = Duration.seconds(40)
    private static let leaseNamespace = "kube-node-lease"

    private let grace: Duration
    private let now: @Sendable () -> Timestamp
    private let elapsed: @Sendable () -> Duration
    /// When each node was last heard of; one that has just been met begins with a full grace.
    private let heard = NodeTimes()

    /// `elapsed` is the time of the clock that silence is counted by.
    package init(
        grace: Duration = NodeLifecycle.grace, now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        elapsed: @escaping @Sendable () -> Duration = NodeTimes.awake()
    ) {
        self.grace = grace
        self.now = now
        self.elapsed = elapsed
    }

    package var sources: [Source] {
        [
            .own(.nodes),
            Source(.leases) { [heard, elapsed] change, _ in
                // When it came counts, not what it says: the clocks of two machines may differ.
                if change.key.namespace == Self.leaseNamespace, change.new != nil { heard.set(change.key.name, elapsed()) }
                return []
            },
        ]
    }

    package var reads: [Resource] { [.pods] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard var node = try await client.find(Node.self, key) else { return heard.forget(key.name) }
        let time = elapsed()
        if time - heard.time(of: key.name, orSet: time) >= grace {
            try await giveUp(node, client)
            node = try await client.get(Node.self, key)
        }
        try await taint(node, client)
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        heard.time(of: key.name) == nil ? nil : grace / 8
    }

    private func giveUp(_ node: Node, _ client: any Client) async throws {
        let time = now(), wasReady = node.isReady
        try await client.mutateStatus(Node.self, node.key) { node in
            for type in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
                var conditions = node.status["conditions"].items
                let place = conditions.firstIndex { $0["type"].string == type }
                if let place, conditions[place]["status"].string == "Unknown" { continue }
                var condition = place.map { conditions[$0] } ?? ["type": .string(type)]
                condition["status"] = "Unknown"
                condition["reason"] = place == nil ? "NodeStatusNeverUpdated" : "NodeStatusUnknown"
                condition["message"] = place == nil ? "Kubelet never posted node status." : "Kubelet stopped posting node status."
                condition["lastTransitionTime"] = .string(time.description)
                if let place { conditions[place] = condition } else { conditions.append(condition) }
                node.status["conditions"] = .array(conditions)
            }
        }
        // What runs there may not serve anybody: endpoints let it go.
        for pod in try await client.list(Pod.self) where pod.nodeName == node.name && pod.isReady {
            try await client.mutateStatus(Pod.self, pod.key) { current in
                guard current.uid == pod.uid else { return }
                current.status["conditions"].setCondition("Ready", false, observedGeneration: current.generation, now: time)
            }
            await client.recordEvent(
                about: pod, type: "Warning", reason: "NodeNotReady", message: "Node is not ready", component: "node-controller")
        }
        guard wasReady else { return }
        await client.recordEvent(
            about: node, reason: "NodeNotReady", message: "Node \(node.name) status is now: NodeNotReady", component: "node-controller")
    }

    // MARK: Taints

    /// Puts the taints that a node's conditions make in the place of those that they made.
    private func taint(_ node: Node, _ client: any Client) async throws {
        let wanted = ConditionTaints.wanted(on: node), unready = ConditionTaints.readinessKey(of: node)
        let eviction =
            unready == nil
            ? ZoneState.Eviction(begins: true, goesOn: true) : ZoneState.eviction(of: node.zone, among: try await client.list(Node.self))
        var taints = node.taints.filter { taint in
            let name = taint["key"].string ?? ""
            switch taint["effect"].string {
            case "NoSchedule": return !ConditionTaints.keys.contains(name) || wanted.contains(name)
            case "NoExecute": return !ConditionTaints.readiness.contains(name) || (name == unready && eviction.goesOn)
            default: return true
            }
        }
        var all = wanted.map { (name: $0, effect: "NoSchedule") }
        if let unready, eviction.begins { all.append((name: unready, effect: "NoExecute")) }
        for (name, effect) in all where !taints.contains(where: { $0["key"].string == name && $0["effect"].string == effect }) {
            taints.append(["key": .string(name), "effect": .string(effect), "timeAdded": .string(now().description)])
        }
        guard taints != node.taints else { return }
        var changed = node.json
        changed["spec"]["taints"] = taints.isEmpty ? .null : .array(taints)
        _ = try await client.update(.nodes, changed)
    }
}

import Model

/// Gives each new pod a node: the ones it tolerates and selects, and of those the one with the fewest of its siblings.
package struct Scheduler: Reconciler {
    private let now: @Sendable () -> Timestamp
    private let placed = PlacedPods()

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            Source(.pods) { [placed] change, informers in
                placed.take(change)
                let pod = Pod(change.object)
                guard change.new != nil, pod.nodeName == nil else {
                    // One that has come or gone may be what others waited for.
                    let isNew = change.new != nil && change.old.map { Pod($0).nodeName == nil } ?? false
                    let isGone = change.new == nil || !pod.isActive && change.old.map { Pod($0).isActive } ?? false
                    guard isNew || isGone else { return [] }
                    return placed.waiting
                }
                // What is said of it alone, by us for one, makes no other node suit.
                if let old = change.old, old["spec"] == pod.spec, old["metadata"]["labels"] == pod.json["metadata"]["labels"] { return [] }
                return pod.spec["schedulingGates"].items.isEmpty ? [pod.key] : []
            },
            // A node that comes or changes may take pods that found no place.
            Source(.nodes) { _, informers in Self.unplaced(informers).map(\.key) },
            // So may what happens to volumes those that wait for one.
            Source(.persistentVolumeClaims) { change, informers in
                Self.unplaced(informers).filter { pod in
                    pod.namespace == change.key.namespace && PersistentVolumeClaim.names(of: pod).contains { $0.claim == change.key.name }
                }.map(\.key)
            },
            Source(.persistentVolumes) { _, informers in Self.claiming(informers) },
            Source(.storageClasses) { _, informers in Self.claiming(informers) },
        ]
    }

    package var reads: [Resource] { [.namespaces] }

    private static func claiming(_ informers: Informers) -> [ObjectKey] {
        unplaced(informers).filter { !PersistentVolumeClaim.names(of: $0).isEmpty }.map(\.key)
    }

    private static func unplaced(_ informers: Informers) -> [Pod] {
        informers[.pods]?.list(.node, "").map { Pod($0) }.filter(\.isActive) ?? []
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        placed.wait(key)
        guard let pod = try await client.find(Pod.self, key), pod.nodeName == nil, pod.isActive,
            [nil, "default-scheduler"].contains(pod.spec["schedulerName"].string)
        else { return placed.settle(key) }
        let nodes = try await client.list(Node.self)
        if nodes.isEmpty { return }
        let volumes: VolumeBinding?
        do { volumes = try await VolumeBinding.of(pod, client) } catch let refusal as VolumeBinding.Refusal {
            // As the scheduler words it when no node was even looked at.
            return try await refuse(pod, "0/\(nodes.count) nodes are available: \(refusal.words). not found", client)
        }
        let known = placed.now
        let spreads = !pod.spec["affinity"].isNull || !pod.spec["topologySpreadConstraints"].items.isEmpty || !known.repelling.isEmpty
        // Only who minds the others' labels asks after them.
        let others = spreads || !known.isFed ? try await client.list(Pod.self).filter { $0.isActive && $0.nodeName != nil } : []
        let namespaces = spreads || others.contains { !$0.spec["affinity"].isNull } ? try await client.list(Namespace.self) : []
        let place = Self.place(
            pod, nodes: nodes, loads: known.isFed ? known.loads : NodeLoad.of(others), pods: others,
            namespaces: Dictionary(namespaces.map { ($0.name, $0.labels) }, uniquingKeysWith: { $1 }), volumes: volumes)
        switch place {
        case .success(let node):
            // What is bound or made for it is heard of, and brings the pod back here.
            if let volumes, try await !volumes.bind(on: node, client) { return }
            var bound = pod.json
            bound["spec"]["nodeName"] = .string(node.name)
            let binding: JSON = [
                "metadata": ["name": .string(pod.name), "namespace": .string(pod.namespace), "uid": .string(pod.uid)],
                "target": ["kind": "Node", "name": .string(node.name)],
            ]
            try await placed.assuming(Pod(bound)) { _ = try await client.bind(key, binding) }
            placed.settle(key)
            await client.recordEvent(
                about: pod, reason: "Scheduled", message: "Successfully assigned \(key) to \(node.name)", component: "default-scheduler")
        case .failure(let reasons): try await refuse(pod, reasons.description, client)
        }
    }

    /// Leaves the pod without a node, and says why.
    private func refuse(_ pod: Pod, _ words: String, _ client: any Client) async throws {
        let time = now()
        try await client.mutateStatus(Pod.self, pod.key) {
            $0.json["status"]["conditions"].setCondition(
                "PodScheduled", false, reason: "Unschedulable", message: words, observedGeneration: $0.generation, now: time)
        }
        await client.recordEvent(about: pod, type: "Warning", reason: "FailedScheduling", message: words, component: "default-scheduler")
    }

    /// Why no node would do, in the scheduler's words.
    package struct Unschedulable: Error, CustomStringConvertible {
        let reasons: [String: Int]
        let total: Int

        package var description: String {
            let list = reasons.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            return "0/\(total) nodes are available: \(list)."
        }
    }

    /// Chooses a node; pure.
    package static func place(
        _ pod: Pod, nodes: [Node], pods: [Pod], namespaces: [String: [String: String]] = [:]
    ) -> Result<Node, Unschedulable> {
        place(pod, nodes: nodes, loads: NodeLoad.of(pods), pods: pods, namespaces: namespaces, volumes: nil)
    }

    /// `pods` are those that the pod's affinity, its spread or others' aversions may ask after.
    private static func place(
        _ pod: Pod, nodes: [Node], loads: [String: NodeLoad], pods: [Pod], namespaces: [String: [String: String]],
        volumes: VolumeBinding?
    ) -> Result<Node, Unschedulable> {
        var reasons: [String: Int] = [:]
        let resources = NodeResources(pod), affinity = PodAffinity(pod, nodes: nodes, pods: pods, namespaces: namespaces)
        let spread = TopologySpread(pod, nodes: nodes.filter { suits(pod, $0) }, pods: pods)
        let fitting = nodes.filter { node in
            let here = loads[node.name] ?? NodeLoad()
            let reason =
                obstacle(pod, node) ?? (here.portsConflict(pod) ? "node(s) didn't have free ports for the requested pod ports" : nil)
                ?? resources.obstacle(node, here)
                ?? volumes?.obstacle(node) ?? spread.obstacle(node) ?? affinity.obstacle(node)
            guard let reason else { return true }
            reasons[reason, default: 0] += 1
            return false
        }
        /// What speaks against a node, the weightiest first.
        func load(_ node: Node) -> [Int] {
            let here = loads[node.name] ?? NodeLoad()
            let discouraged = node.taints.filter { $0["effect"].string == "PreferNoSchedule" && !isTolerated($0, by: pod) }
            return [
                discouraged.count, -preference(pod, node) - affinity.preference(node), spread.unevenness(node),
                here.siblings(of: pod.controllerOwner?.uid), here.count,
            ]
        }
        let ranked = fitting.map { (node: $0, load: load($0)) }
        let best = ranked.min { $0.load == $1.load ? $0.node.name < $1.node.name : $0.load.lexicographicallyPrecedes($1.load) }
        guard let best else { return .failure(Unschedulable(reasons: reasons, total: nodes.count)) }
        return .success(best.node)
    }

    /// Whether a pod could be placed on a node now, leaving its readiness aside: what a DaemonSet asks.
    static func fits(_ pod: Pod, _ node: Node) -> Bool { obstacle(pod, node, minding: false) == nil }

    /// Whether a pod that is there may stay: only what would drive it out counts.
    static func mayStay(_ pod: Pod, _ node: Node) -> Bool {
        node.taints.allSatisfy { taint in taint["effect"].string != "NoExecute" || isTolerated(taint, by: pod) } && suits(pod, node)
    }

    private static func obstacle(_ pod: Pod, _ node: Node, minding readiness: Bool = true) -> String? {
        let unschedulable: JSON = ["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"]
        if node.isUnschedulable, !isTolerated(unschedulable, by: pod) { return "node(s) were unschedulable" }
        for taint in node.taints where ["NoSchedule", "NoExecute"].contains(taint["effect"].string) && !isTolerated(taint, by: pod) {
            // A cordon is a taint as well, which the node's controller adds.
            if taint["key"].string == "node.kubernetes.io/unschedulable" { return "node(s) were unschedulable" }
            return "node(s) had untolerated taint {\(taint["key"].string ?? ""): \(taint["value"].string ?? "")}"
        }
        if !suits(pod, node) { return "node(s) didn't match Pod's node affinity/selector" }
        return node.isReady || !readiness ? nil : "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"
    }

    /// Node selector and required node affinity.
    private static func suits(_ pod: Pod, _ node: Node) -> Bool {
        let required = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].items
        let matchesAffinity = required.isEmpty || required.contains { NodeSelectorTerms.matches($0, node) }
        return LabelSelector(matching: pod.spec["nodeSelector"].stringMap).matches(node.labels) && matchesAffinity
    }

    /// How much a pod's node affinity would like a node.
    private static func preference(_ pod: Pod, _ node: Node) -> Int {
        pod.spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].items
            .reduce(0) { $0 + (NodeSelectorTerms.matches($1["preference"], node) ? $1["weight"].int ?? 0 : 0) }
    }

    private static func isTolerated(_ taint: JSON, by pod: Pod) -> Bool { pod.spec["tolerations"].items.contains { tolerates($0, taint) } }

    static func tolerates(_ toleration: JSON, _ taint: JSON) -> Bool {
        let effect = toleration["effect"].string ?? ""
        guard effect.isEmpty || effect == taint["effect"].string else { return false }
        let key = toleration["key"].string ?? ""
        if toleration["operator"].string == "Exists" { return key.isEmpty || key == taint["key"].string }
        return key == taint["key"].string && (toleration["value"].string ?? "") == (taint["value"].string ?? "")
    }
}

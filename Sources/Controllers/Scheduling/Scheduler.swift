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
                    let isGone = change.new == nil || pod.isFinished && change.old.map { !Pod($0).isFinished } ?? false
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
        let others = spreads || !known.isFed ? try await client.list(Pod.self).filter { !$0.isFinished && $0.nodeName != nil } : []
        let namespaces = spreads || others.contains { !$0.spec["affinity"].isNull } ? try await client.list(Namespace.self) : []
        let labels = Dictionary(namespaces.map { ($0.name, $0.labels) }, uniquingKeysWith: { $1 })
        let place = Placement(
            pod, nodes: nodes, loads: known.isFed ? known.loads(for: pod) : NodeLoad.of(others), pods: others, namespaces: labels,
            volumes: volumes
        ).best()
        switch place {
        case .success(let node):
            // What is bound or made for it is heard of, and brings the pod back here.
            if let volumes, try await !volumes.bind(on: node, client) { return }
            try await bind(pod, to: node, client)
        case .failure(let reasons):
            let words = try await preempt(pod, reasons, nodes, volumes, client)
            try await refuse(pod, words.map { "\(reasons) no new claims to deallocate, preemption: \($0)" } ?? "\(reasons)", client)
        }
    }

    private func bind(_ pod: Pod, to node: Node, _ client: any Client) async throws {
        var bound = pod.json
        bound["spec"]["nodeName"] = .string(node.name)
        let binding: JSON = [
            "metadata": ["name": .string(pod.name), "namespace": .string(pod.namespace), "uid": .string(pod.uid)],
            "target": ["kind": "Node", "name": .string(node.name)],
        ]
        try await placed.assuming(Pod(bound)) { _ = try await client.bind(pod.key, binding) }
        placed.settle(pod.key)
        await client.recordEvent(
            about: pod, reason: "Scheduled", message: "Successfully assigned \(pod.key) to \(node.name)", component: "default-scheduler")
    }

    /// Ends pods of lower priority where that makes room; nil: it did. Else why it did not, in the scheduler's words.
    private func preempt(_ pod: Pod, _ reasons: Unschedulable, _ nodes: [Node], _ volumes: VolumeBinding?, _ client: any Client)
        async throws
        -> String?
    {
        // Where nobody is of lower priority, and that is nearly always, no other pod needs a look.
        let hasLower = placed.now.hasPriority(below: pod.priority)
        let others = hasLower ? try await client.list(Pod.self).filter { !$0.isFinished && $0.nodeName != nil } : []
        let namespaces = others.contains { !$0.spec["affinity"].isNull } || !pod.spec["affinity"].isNull
        let labels = namespaces && hasLower ? try await client.list(Namespace.self).map { ($0.name, $0.labels) } : []
        let preemption = Preemption(
            pod: pod, nodes: nodes, pods: others, namespaces: Dictionary(labels, uniquingKeysWith: { $1 }), volumes: volumes)
        if let words = preemption.ineligibility { return words }
        switch preemption.choose(reasons.obstacles) {
        case .failure(let reasons): return "\(reasons)"
        case .success(let choice):
            placed.nominate(pod, to: choice.node.name)
            try await client.mutateStatus(Pod.self, pod.key) { $0.json["status"]["nominatedNodeName"] = .string(choice.node.name) }
            for victim in choice.victims { try await displace(victim, by: pod, from: choice.node, client) }
            return nil
        }
    }

    private func displace(_ victim: Pod, by pod: Pod, from node: Node, _ client: any Client) async throws {
        let time = now()
        try await client.mutateStatus(Pod.self, victim.key) {
            guard $0.uid == victim.uid else { return }
            $0.json["status"]["conditions"].setCondition(
                "DisruptionTarget", true, reason: "PreemptionByScheduler",
                message: "default-scheduler: preempting to accommodate a higher priority pod", observedGeneration: $0.generation, now: time)
        }
        do { try await client.delete(.pods, victim.key, gracePeriod: nil, uid: victim.uid) } catch let error as StatusError
            where error.reason == .notFound
        { return }
        await client.recordEvent(
            about: victim, reason: "Preempted", message: "Preempted by pod \(pod.uid) on node \(node.name)",
            component: "default-scheduler")
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
        let obstacles: [String: Placement.Obstacle]
        let total: Int

        package var description: String {
            let counts = obstacles.values.flatMap(\.reasons).reduce(into: [:]) { $0[$1, default: 0] += 1 }
            return "0/\(total) nodes are available: \(counts.map { "\($0.value) \($0.key)" }.sorted().joined(separator: ", "))."
        }
    }

    /// Chooses a node; pure.
    package static func place(
        _ pod: Pod, nodes: [Node], pods: [Pod], namespaces: [String: [String: String]] = [:]
    ) -> Result<Node, Unschedulable> {
        Placement(pod, nodes: nodes, loads: NodeLoad.of(pods), pods: pods, namespaces: namespaces, volumes: nil).best()
    }

    /// Whether a pod could be placed on a node now, leaving its readiness aside: what a DaemonSet asks.
    static func fits(_ pod: Pod, _ node: Node) -> Bool { obstacle(pod, node, minding: false) == nil }

    /// Whether a pod that is there may stay: only what would drive it out counts.
    static func mayStay(_ pod: Pod, _ node: Node) -> Bool {
        node.taints.allSatisfy { taint in taint["effect"].string != "NoExecute" || isTolerated(taint, by: pod) } && suits(pod, node)
    }

    /// What a node itself has against a pod, whoever is there.
    static func obstacle(_ pod: Pod, _ node: Node, minding readiness: Bool = true) -> String? {
        let unschedulable: JSON = ["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"]
        if node.isUnschedulable, !isTolerated(unschedulable, by: pod) { return "node(s) were unschedulable" }
        for taint in node.taints where ["NoSchedule", "NoExecute"].contains(taint["effect"].string) && !isTolerated(taint, by: pod) {
            // A cordon is a taint as well, which the node's controller adds.
            if taint["key"].string == "node.kubernetes.io/unschedulable" { return "node(s) were unschedulable" }
            return Self.untolerated
        }
        if !suits(pod, node) { return "node(s) didn't match Pod's node affinity/selector" }
        // A node that is not ready gets a taint as soon as its controller has seen it.
        let unready: JSON = ["key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"]
        return node.isReady || !readiness || isTolerated(unready, by: pod) ? nil : Self.untolerated
    }

    private static let untolerated = "node(s) had untolerated taint(s)"

    /// Node selector and required node affinity.
    static func suits(_ pod: Pod, _ node: Node) -> Bool {
        let required = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].items
        let matchesAffinity = required.isEmpty || required.contains { NodeSelectorTerms.matches($0, node) }
        return LabelSelector(matching: pod.spec["nodeSelector"].stringMap).matches(node.labels) && matchesAffinity
    }

    /// How much a pod's node affinity would like a node.
    static func preference(_ pod: Pod, _ node: Node) -> Int {
        pod.spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].items
            .reduce(0) { $0 + (NodeSelectorTerms.matches($1["preference"], node) ? $1["weight"].int ?? 0 : 0) }
    }

    static func isTolerated(_ taint: JSON, by pod: Pod) -> Bool { pod.spec["tolerations"].items.contains { tolerates($0, taint) } }

    static func tolerates(_ toleration: JSON, _ taint: JSON) -> Bool {
        let effect = toleration["effect"].string ?? ""
        guard effect.isEmpty || effect == taint["effect"].string else { return false }
        let key = toleration["key"].string ?? ""
        if toleration["operator"].string == "Exists" { return key.isEmpty || key == taint["key"].string }
        return key == taint["key"].string && (toleration["value"].string ?? "") == (taint["value"].string ?? "")
    }
}

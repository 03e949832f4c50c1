import Model

/// Gives each new pod a node: the ones it tolerates and selects, and of those the one with the fewest of its siblings.
package struct Scheduler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            Source(.pods) { event, _ in
                let pod = Pod(event.object)
                return pod.nodeName == nil && event.kind != .deleted && pod.spec["schedulingGates"].items.isEmpty ? [pod.key] : []
            },
            // A node that comes or changes may take pods that found no place.
            Source(.nodes) { _, client in
                ((try? await client.list(Pod.self)) ?? []).filter { $0.nodeName == nil && $0.isActive }.map(\.key)
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let pod = try await client.find(Pod.self, key), pod.nodeName == nil, pod.isActive,
            [nil, "default-scheduler"].contains(pod.spec["schedulerName"].string)
        else { return }
        let nodes = try await client.list(Node.self)
        if nodes.isEmpty { return }
        let pods = try await client.list(Pod.self).filter { $0.isActive && $0.nodeName != nil }
        switch Self.place(pod, nodes: nodes, pods: pods) {
        case .success(let node):
            var bound = pod.json
            bound["spec"]["nodeName"] = .string(node.name)
            _ = try await client.update(.pods, bound)
            let time = now()
            try await client.mutateStatus(Pod.self, key) {
                $0.json["status"]["conditions"].setCondition("PodScheduled", true, observedGeneration: $0.generation, now: time)
            }
            await client.recordEvent(
                about: pod, reason: "Scheduled", message: "Successfully assigned \(key) to \(node.name)", component: "default-scheduler")
        case .failure(let reasons):
            let time = now()
            try await client.mutateStatus(Pod.self, key) {
                $0.json["status"]["conditions"].setCondition(
                    "PodScheduled", false, reason: "Unschedulable", message: reasons.description, observedGeneration: $0.generation, now: time)
            }
            await client.recordEvent(
                about: pod, type: "Warning", reason: "FailedScheduling", message: reasons.description, component: "default-scheduler")
        }
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
    package static func place(_ pod: Pod, nodes: [Node], pods: [Pod]) -> Result<Node, Unschedulable> {
        var reasons: [String: Int] = [:]
        let fitting = nodes.filter { node in
            let isTaken = pods.contains { $0.nodeName == node.name && pod.hostPortsConflict(with: $0) }
            guard let reason = obstacle(pod, node) ?? (isTaken ? "node(s) didn't have free ports for the requested pod ports" : nil) else { return true }
            reasons[reason, default: 0] += 1
            return false
        }
        func load(_ node: Node) -> (Int, Int, Int, String) {
            let here = pods.filter { $0.nodeName == node.name }
            let owner = pod.controllerOwner?.uid
            let siblings = here.filter { owner != nil && $0.controllerOwner?.uid == owner && $0.namespace == pod.namespace }
            let discouraged = node.taints.filter { $0["effect"].string == "PreferNoSchedule" && !isTolerated($0, by: pod) }
            return (discouraged.count, siblings.count, here.count, node.name)
        }
        guard let best = fitting.min(by: { load($0) < load($1) }) else { return .failure(Unschedulable(reasons: reasons, total: nodes.count)) }
        return .success(best)
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
        let matchesAffinity =
            required.isEmpty
            || required.contains { term in
                let fields = LabelSelector(["matchExpressions": term["matchFields"]])
                guard !term["matchExpressions"].items.isEmpty || !fields.requirements.isEmpty else { return false }
                return LabelSelector(["matchExpressions": term["matchExpressions"]]).matches(node.labels) && fields.matches(["metadata.name": node.name])
            }
        return LabelSelector(matching: pod.spec["nodeSelector"].stringMap).matches(node.labels) && matchesAffinity
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

import Model

/// Keeps one pod of a DaemonSet on every node that its template fits.
package struct DaemonSetReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            .own(.daemonSets), .owner(.pods, kind: "DaemonSet"),
            Source(.nodes) { _, client in
                ((try? await client.list(.daemonSets, namespace: nil, selector: nil).items) ?? [])
                    .map { ObjectKey($0["metadata"]["namespace"].string ?? "", $0["metadata"]["name"].string ?? "") }
            },
        ]
    }

    /// What every daemon tolerates: it runs where others may not.
    private static let tolerations: [JSON] =
        [
            ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"), ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"),
            ("unschedulable", "NoSchedule"),
        ]
        .map { ["key": .string("node.kubernetes.io/\($0.0)"), "operator": "Exists", "effect": .string($0.1)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let set = try? await client.get(.daemonSets, key), set["metadata"]["deletionTimestamp"].isNull else { return }
        let owner = OwnedPods(owner: set, resource: .daemonSets, component: "daemonset-controller")
        let selector = LabelSelector(set["spec"]["selector"])
        let mine = try await owner.claim(selector, client)
        let history = ControllerHistory(owner: owner, selector: selector, client: client)
        let (revision, all) = try await history.current(set["spec"]["template"])
        let hash = ControllerHistory.hash(revision)
        let nodes = try await client.list(Node.self)
        let probe = Pod(["spec": Self.spec(set["spec"]["template"]["spec"], node: nil)])
        let fitting = nodes.filter { Scheduler.fits(probe, $0) }
        let time = now(), least = set["spec"]["minReadySeconds"].int ?? 0
        var byNode: [String: [Pod]] = [:]
        for pod in mine where !pod.isBeingDeleted { byNode[Self.node(of: pod), default: []].append(pod) }
        // Which pods of an older template go now.
        var spare = 0
        let isRolling = set["spec"]["updateStrategy"]["type"].string != "OnDelete"
        if isRolling {
            let limit = max(1, scaled(set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], of: fitting.count, roundUp: true))
            let available = fitting.filter { (byNode[$0.name] ?? []).contains { $0.isAvailable(after: least, now: time) } }.count
            spare = limit - (fitting.count - available)
        }
        for node in nodes {
            let here = (byNode[node.name] ?? []).sorted { ($0.creationTimestamp ?? time) < ($1.creationTimestamp ?? time) }
            guard fitting.contains(where: { $0.name == node.name }) else {
                // A pod goes with a taint that it does not bear, or when the node no longer suits; NoSchedule alone keeps it.
                for pod in here where !Scheduler.mayStay(probe, node) { try await owner.delete(pod, client) }
                continue
            }
            for pod in here where pod.isFinished { try await owner.delete(pod, client) }
            let living = here.filter { !$0.isFinished }
            for pod in living.dropFirst() { try await owner.delete(pod, client) }
            if let pod = living.first {
                guard isRolling, pod.labels[ControllerHistory.hashLabel] != hash else { continue }
                let costs = pod.isAvailable(after: least, now: time) ? 1 : 0
                guard spare >= costs else { continue }
                spare -= costs
                try await owner.delete(pod, client)
            } else if !mine.contains(where: { $0.isBeingDeleted && Self.node(of: $0) == node.name }) {
                try await owner.create(set["spec"]["template"], client) { pod in
                    pod["spec"] = Self.spec(pod["spec"], node: node.name)
                    pod["metadata"]["labels"][ControllerHistory.hashLabel] = .string(hash)
                    pod["metadata"]["labels"]["pod-template-generation"] = .string("\(set["metadata"]["generation"].int ?? 1)")
                }
            }
        }
        try await history.prune(all, pods: mine, current: revision, limit: set["spec"]["revisionHistoryLimit"].int ?? 10)
        try await writeStatus(set, key, hash, fitting, nodes, least, client)
    }

    private static func node(of pod: Pod) -> String {
        if let node = pod.nodeName { return node }
        let terms = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].items
        return terms.first?["matchFields"][0]["values"][0].string ?? ""
    }

    /// The pod's spec for one node: bound to it by affinity, with the tolerations of daemons.
    private static func spec(_ template: JSON, node: String?) -> JSON {
        var spec = template
        var tolerations = Self.tolerations
        if spec["hostNetwork"].bool == true {
            tolerations.append(["key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"])
        }
        spec["tolerations"] = .array(spec["tolerations"].items + tolerations)
        if let node {
            let field: JSON = ["matchFields": [["key": "metadata.name", "operator": "In", "values": [.string(node)]]]]
            let old = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].items
            spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] =
                old.isEmpty
                ? [field]
                : .array(
                    old.map { term in
                        var term = term
                        term["matchFields"] = field["matchFields"]
                        return term
                    })
        }
        return spec
    }

    private func writeStatus(_ set: JSON, _ key: ObjectKey, _ hash: String, _ fitting: [Node], _ nodes: [Node], _ least: Int, _ client: any Client) async throws {
        let pods = try await client.list(Pod.self, namespace: key.namespace).filter {
            $0.controllerOwner?.uid == set["metadata"]["uid"].string && !$0.isBeingDeleted && !$0.isFinished
        }
        let names = Set(fitting.map(\.name)), time = now()
        let placed = pods.filter { names.contains(Self.node(of: $0)) }
        func nodeCount(_ pods: [Pod]) -> Int { Set(pods.map { Self.node(of: $0) }).count }
        func optional(_ value: Int) -> JSON { value == 0 ? .null : .int(value) }
        let available = nodeCount(placed.filter { $0.isAvailable(after: least, now: time) })
        var current = set
        current["status"] = [
            "currentNumberScheduled": .int(nodeCount(placed)), "numberMisscheduled": .int(nodeCount(pods.filter { !names.contains(Self.node(of: $0)) })),
            "desiredNumberScheduled": .int(fitting.count), "numberReady": .int(nodeCount(placed.filter(\.isReady))),
            "observedGeneration": set["metadata"]["generation"],
            "updatedNumberScheduled": optional(nodeCount(placed.filter { $0.labels[ControllerHistory.hashLabel] == hash })),
            "numberAvailable": optional(available), "numberUnavailable": optional(fitting.count - available), "conditions": set["status"]["conditions"],
            "collisionCount": set["status"]["collisionCount"],
        ]
        guard current["status"] != set["status"] else { return }
        current["metadata"]["resourceVersion"] = .null
        _ = try await client.updateStatus(.daemonSets, current)
    }
}

import Model

/// Keeps one pod of a DaemonSet on every node that its template fits.
package struct DaemonSetReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp
    private let backoff = FailedPodBackoff()

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            .own(.daemonSets), .claimed(.pods, by: .daemonSets),
            Source(.nodes) { change, informers in
                // A node's sign of life changes nothing.
                if let old = change.old, let new = change.new, old["spec"] == new["spec"],
                    old["metadata"]["labels"] == new["metadata"]["labels"]
                {
                    return []
                }
                return informers[.daemonSets]?.list().map(\.metadata.key) ?? []
            },
        ]
    }

    package var reads: [Resource] { [.controllerRevisions] }

    /// What every daemon tolerates: it runs where others may not.
    private static let tolerations: [JSON] =
        [
            ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"), ("memory-pressure", "NoSchedule"),
            ("pid-pressure", "NoSchedule"),
            ("unschedulable", "NoSchedule"),
        ]
        .map { ["key": .string("node.kubernetes.io/\($0.0)"), "operator": "Exists", "effect": .string($0.1)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let set = try await client.find(.daemonSets, key) else { return }
        guard set["metadata"]["deletionTimestamp"].isNull else { return await backoff.forget(set["metadata"]["uid"].string ?? "") }
        let owner = OwnedPods(owner: set, resource: .daemonSets, component: "daemonset-controller")
        let selector = LabelSelector(set["spec"]["selector"])
        let mine = try await owner.claim(selector, client)
        let history = ControllerHistory(owner: owner, selector: selector, client: client)
        let (revision, all) = try await history.current(set["spec"]["template"])
        let hash = ControllerHistory.hash(revision)
        let nodes = try await client.list(Node.self)
        let probe = Pod(["spec": Self.spec(set["spec"]["template"]["spec"], node: nil)])
        let fitting = nodes.filter { Scheduler.fits(probe, $0) }
        let names = Set(fitting.map(\.name)), byNode = Dictionary(grouping: mine, by: Self.node(of:))
        let time = now(), least = set["spec"]["minReadySeconds"].int ?? 0
        let waiting = await backoff.waiting(owner.uid, time)
        let places = nodes.map { node in
            // A pod goes with a taint that it does not bear, or when the node no longer suits; NoSchedule alone keeps it.
            DaemonSetPlan.Place(
                node: node.name, pods: byNode[node.name] ?? [], suits: names.contains(node.name),
                mayStay: names.contains(node.name) || Scheduler.mayStay(probe, node),
                isBackingOff: waiting[node.name] != nil)
        }
        let strategy = DaemonSetPlan.Strategy(set["spec"]["updateStrategy"], nodes: fitting.count)
        let plan = DaemonSetPlan(places, hash: hash, strategy: strategy) { $0.isAvailable(after: least, now: time) }
        for (node, ended) in plan.ended {
            if ended.pod.phase == "Failed" { await backoff.retry(owner.uid, node, time) }
            await owner.tell(ended.reason, ended.message(node: node), type: ended.pod.phase == "Failed" ? "Warning" : "Normal", client)
        }
        for pod in plan.deletions { try await owner.delete(pod, client) }
        for node in plan.creations {
            try await owner.create(set["spec"]["template"], client) { pod in
                pod["spec"] = Self.spec(pod["spec"], node: node)
                pod["metadata"]["labels"][ControllerHistory.hashLabel] = .string(hash)
                pod["metadata"]["labels"]["pod-template-generation"] = .string("\(set["metadata"]["generation"].int ?? 1)")
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

    private func writeStatus(
        _ set: JSON, _ key: ObjectKey, _ hash: String, _ fitting: [Node], _ nodes: [Node], _ least: Int, _ client: any Client
    ) async throws {
        let pods = try await client.list(Pod.self, namespace: key.namespace, controller: set.metadata.uid).filter(\.isActive)
        let names = Set(fitting.map(\.name)), time = now()
        let placed = pods.filter { names.contains(Self.node(of: $0)) }
        func nodeCount(_ pods: [Pod]) -> Int { Set(pods.map { Self.node(of: $0) }).count }
        func optional(_ value: Int) -> JSON { value == 0 ? .null : .int(value) }
        let available = nodeCount(placed.filter { $0.isAvailable(after: least, now: time) })
        var current = set
        current["status"] = [
            "currentNumberScheduled": .int(nodeCount(placed)),
            "numberMisscheduled": .int(nodeCount(pods.filter { !names.contains(Self.node(of: $0)) })),
            "desiredNumberScheduled": .int(fitting.count), "numberReady": .int(nodeCount(placed.filter(\.isReady))),
            "observedGeneration": set["metadata"]["generation"],
            "updatedNumberScheduled": optional(nodeCount(placed.filter { $0.labels[ControllerHistory.hashLabel] == hash })),
            "numberAvailable": optional(available), "numberUnavailable": optional(fitting.count - available),
            "conditions": set["status"]["conditions"],
            "collisionCount": set["status"]["collisionCount"],
        ]
        guard current["status"] != set["status"] else { return }
        current["metadata"]["resourceVersion"] = .null
        _ = try await client.updateStatus(.daemonSets, current)
    }

    /// Pods become available with time alone, and failed ones may be replaced.
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let set = try await client.find(.daemonSets, key) else { return nil }
        let uid = set.metadata.uid, pods = try await client.list(Pod.self, namespace: key.namespace, controller: uid), time = now(),
            least = set["spec"]["minReadySeconds"].int ?? 0
        let mine = pods.filter { !$0.isBeingDeleted }
        let waiting = await backoff.waiting(uid, time)
        let waits =
            mine.filter { $0.phase == "Failed" }.compactMap { waiting[Self.node(of: $0)] }
            + mine.filter(\.isReady).compactMap { $0.readySince.map { $0.seconds + least - time.seconds } }
        return waits.filter { $0 > 0 }.min().map { .seconds($0) }
    }
}

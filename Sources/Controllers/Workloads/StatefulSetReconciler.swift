import Model

/// Keeps pods with stable names: `web-0`, `web-1`, ... started in order and ended in reverse, unless they may be all at once.
/// (kubernetes.io/docs/concepts/workloads/controllers/statefulset)
package struct StatefulSetReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] { [.own(.statefulSets), .claimed(.pods, by: .statefulSets)] }
    package var reads: [Resource] { [.controllerRevisions, .persistentVolumeClaims] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let set = try await client.find(.statefulSets, key), !set.metadata.isBeingDeleted else { return }
        let owner = OwnedPods(owner: set, resource: .statefulSets, component: "statefulset-controller")
        let selector = LabelSelector(set["spec"]["selector"])
        let mine = try await owner.claim(selector, client)
        let history = ControllerHistory(owner: owner, selector: selector, client: client, marksByName: true)
        let (update, all) = try await history.current(set["spec"]["template"])
        let updateName = Self.name(update)
        // What the pods are of until the roll-out is through.
        let currentName = set["status"]["currentRevision"].string ?? updateName
        let current = all.first { Self.name($0) == currentName } ?? update
        try await StatefulSetClaims(set).own(mine, client)
        try await step(set, owner, mine, current: current, update: update, client)
        try await history.prune(all, pods: mine, current: update, limit: set["spec"]["revisionHistoryLimit"].int ?? 10)
        try await writeStatus(set, key, current: current, update: update, client)
    }

    private static func name(_ revision: JSON) -> String { revision["metadata"]["name"].string ?? "" }

    static func ordinal(_ pod: Pod, of set: String) -> Int? {
        guard pod.name.hasPrefix("\(set)-") else { return nil }
        return Int(pod.name.dropFirst(set.count + 1))
    }

    /// Does what may be done now, in order; what must wait for a pod waits for its event.
    private func step(_ set: JSON, _ owner: OwnedPods, _ mine: [Pod], current: JSON, update: JSON, _ client: any Client) async throws {
        let replicas = set["spec"]["replicas"].int ?? 1, first = set["spec"]["ordinals"]["start"].int ?? 0
        let isParallel = set["spec"]["podManagementPolicy"].string == "Parallel"
        let partition = set["spec"]["updateStrategy"]["rollingUpdate"]["partition"].int ?? 0
        let isRolling = set["spec"]["updateStrategy"]["type"].string != "OnDelete"
        let least = set["spec"]["minReadySeconds"].int ?? 0, time = now()
        var byOrdinal: [Int: Pod] = [:]
        for pod in mine { if let ordinal = Self.ordinal(pod, of: owner.name) { byOrdinal[ordinal] = pod } }
        for ordinal in first..<first + replicas {
            guard let pod = byOrdinal[ordinal] else {
                let revision = isRolling && ordinal < partition ? current : update
                try await create(ordinal, set, owner, revision, client)
                if isParallel { continue }
                return
            }
            if pod.isFinished, !pod.isBeingDeleted {
                try await owner.delete(pod, client)
                return
            }
            if isParallel { continue }
            // The next one waits until this one is well.
            guard !pod.isBeingDeleted, pod.isAvailable(after: least, now: time) else { return }
        }
        let surplus = byOrdinal.filter { $0.key < first || $0.key >= first + replicas }.sorted { $0.key > $1.key }
        // One by one nothing is taken while another is unwell, but that other itself.
        let unwell = surplus.last { $0.value.isBeingDeleted || !$0.value.isReady }?.key
        for (ordinal, pod) in surplus {
            if pod.isBeingDeleted {
                if isParallel { continue }
                return
            }
            if !isParallel, !pod.isReady, ordinal != unwell { return }
            try await owner.delete(pod, client)
            if !isParallel { return }
        }
        guard isRolling, surplus.isEmpty else { return }
        let hash = Self.name(update)
        for ordinal in (first..<first + replicas).reversed() where ordinal >= partition {
            guard let pod = byOrdinal[ordinal] else { return }
            if pod.labels[ControllerHistory.hashLabel] != hash {
                if !pod.isBeingDeleted { try await owner.delete(pod, client) }
                return
            }
            guard !pod.isBeingDeleted, pod.isAvailable(after: least, now: time) else { return }
        }
    }

    private func create(_ ordinal: Int, _ set: JSON, _ owner: OwnedPods, _ revision: JSON, _ client: any Client) async throws {
        let name = "\(owner.name)-\(ordinal)"
        guard try await StatefulSetClaims(set).make(for: name, owner, client) else { return }
        var template = revision["data"]["spec"]["template"]
        template["$patch"] = .null
        try await owner.create(template, name: name, client) { pod in
            pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = .string(name)
            pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = .string("\(ordinal)")
            pod["metadata"]["labels"][ControllerHistory.hashLabel] = .string(Self.name(revision))
            pod["spec"]["hostname"] = .string(name)
            if let service = set["spec"]["serviceName"].string, !service.isEmpty { pod["spec"]["subdomain"] = .string(service) }
            StatefulSetClaims(set).mount(in: &pod, name)
        }
    }

    private func writeStatus(_ set: JSON, _ key: ObjectKey, current: JSON, update: JSON, _ client: any Client) async throws {
        let pods = try await client.list(Pod.self, namespace: key.namespace, controller: set.metadata.uid)
        let living = pods.filter { !$0.isBeingDeleted }
        let time = now(), least = set["spec"]["minReadySeconds"].int ?? 0
        let replicas = set["spec"]["replicas"].int ?? 1
        func of(_ revision: JSON) -> Int { living.filter { $0.labels[ControllerHistory.hashLabel] == Self.name(revision) }.count }
        func optional(_ value: Int) -> JSON { value == 0 ? .null : .int(value) }
        let isComplete = of(update) == replicas && pods.count == replicas && living.filter(\.isReady).count == replicas
        let now = isComplete ? update : current
        var object = set
        object["status"] = [
            "observedGeneration": set["metadata"]["generation"], "replicas": .int(pods.count),
            "readyReplicas": optional(living.filter(\.isReady).count),
            "currentReplicas": optional(of(now)), "updatedReplicas": optional(of(update)), "currentRevision": .string(Self.name(now)),
            "updateRevision": .string(Self.name(update)), "collisionCount": 0,
            "availableReplicas": .int(living.filter { $0.isAvailable(after: least, now: time) }.count),
            "conditions": set["status"]["conditions"],
        ]
        guard object["status"] != set["status"] else { return }
        object["metadata"]["resourceVersion"] = .null
        _ = try await client.updateStatus(.statefulSets, object)
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let set = try await client.find(.statefulSets, key) else { return nil }
        // A claim that is being deleted has to go before its pod comes.
        let isShort = (set["status"]["replicas"].int ?? 0) < (set["spec"]["replicas"].int ?? 1)
        if isShort, !set["spec"]["volumeClaimTemplates"].items.isEmpty { return .seconds(1) }
        guard let least = set["spec"]["minReadySeconds"].int, least > 0,
            (set["status"]["availableReplicas"].int ?? 0) < (set["status"]["readyReplicas"].int ?? 0)
        else { return nil }
        return .seconds(1)
    }
}

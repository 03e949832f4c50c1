import Model

/// Keeps as many pods of a template alive as a ReplicaSet, or the older ReplicationController, asks for.
package struct ReplicaSetReconciler: Reconciler {
    private let resource: Resource
    private let now: @Sendable () -> Timestamp

    /// `resource` is `.replicaSets` or `.replicationControllers`.
    package init(_ resource: Resource = .replicaSets, now: @escaping @Sendable () -> Timestamp = Timestamp.now) {
        self.resource = resource
        self.now = now
    }

    /// So many pods are made at once; those that come then lead to the next look. (k8s.io/kubernetes/pkg/controller/replicaset,
    /// BurstReplicas)
    private static let mostCreations = 500

    private static func selector(_ object: JSON, _ resource: Resource) -> LabelSelector {
        resource == .replicaSets ? LabelSelector(object["spec"]["selector"]) : LabelSelector(matching: object["spec"]["selector"].stringMap)
    }

    package var sources: [Source] {
        [.own(resource), .claimed(.pods, by: resource, unless: Self.countsAlike) { [resource] in Self.selector($0, resource) }]
    }

    /// Whether a set sees no difference between two states of a pod: most of what a pod reports is none of its business.
    private static func countsAlike(_ a: Pod, _ b: Pod) -> Bool {
        func ready(_ pod: Pod) -> JSON? { pod.status["conditions"].items.first { $0["type"].string == "Ready" } }
        let (old, new) = (a.json["metadata"], b.json["metadata"])
        return old["labels"] == new["labels"] && old["ownerReferences"] == new["ownerReferences"] && a.isBeingDeleted == b.isBeingDeleted
            && a.isFinished == b.isFinished && ready(a) == ready(b)
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let set = try await client.find(resource, key), !set.metadata.isBeingDeleted else { return }
        let pods = OwnedPods(
            owner: set, resource: resource, component: resource == .replicaSets ? "replicaset-controller" : "replication-controller")
        let mine = try await pods.claim(Self.selector(set, resource), client)
        let wanted = set["spec"]["replicas"].int ?? 1
        // A finished pod is replaced; it stays to be looked at, until the pods' garbage collector comes.
        let active = mine.filter(\.isActive)
        var failure: (any Error)?
        if active.count < wanted {
            for _ in active.count..<min(wanted, active.count + Self.mostCreations) {
                do { try await pods.create(set["spec"]["template"], client) } catch {
                    failure = error
                    break
                }
            }
        } else if active.count > wanted {
            for pod in active.sorted(by: Pod.isDeletedBefore).prefix(active.count - wanted) { try await pods.delete(pod, client) }
        }
        try await writeStatus(set, key, active, terminating: mine.count { $0.isBeingDeleted && !$0.isFinished }, failure, client)
        if let failure { throw failure }
    }

    private func writeStatus(
        _ set: JSON, _ key: ObjectKey, _ pods: [Pod], terminating: Int, _ failure: (any Error)?, _ client: any Client
    ) async throws {
        let labels = LabelSelector(matching: set["spec"]["template"]["metadata"]["labels"].stringMap)
        let labelled = pods.filter { labels.matches($0.metadata) }
        let time = now(), least = set["spec"]["minReadySeconds"].int ?? 0
        func count(_ value: Int) -> JSON { value == 0 ? .null : .int(value) }
        var conditions = set["status"]["conditions"].items.filter { $0["type"].string != "ReplicaFailure" }
        let known = set["status"]["conditions"].items.first { $0["type"].string == "ReplicaFailure" && $0["status"].string == "True" }
        if failure != nil, let known {
            // Each attempt has other words, and what was written wakes the next: who failed already is told once.
            conditions.append(known)
        } else if let failure {
            var failing = JSON.array(set["status"]["conditions"].items)
            failing.setCondition("ReplicaFailure", true, reason: "FailedCreate", message: "\(failure)", now: time)
            conditions = failing.items
        }
        var current = set
        current["status"] = [
            "replicas": .int(pods.count), "fullyLabeledReplicas": count(labelled.count),
            "readyReplicas": count(pods.filter(\.isReady).count),
            "availableReplicas": count(pods.filter { $0.isAvailable(after: least, now: time) }.count),
            // (KEP-3973; a ReplicationController has no such number)
            "terminatingReplicas": resource == .replicaSets ? .int(terminating) : .null,
            "observedGeneration": set["metadata"]["generation"],
            "conditions": conditions.isEmpty ? .null : .array(conditions),
        ]
        guard current["status"] != set["status"] else { return }
        current["metadata"]["resourceVersion"] = .null
        do { _ = try await client.updateStatus(resource, current) } catch let error as StatusError where error.reason == .notFound {}
    }

    /// A pod that is ready but not long enough is looked at again when it is.
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let set = try await client.find(resource, key), let least = set["spec"]["minReadySeconds"].int, least > 0,
            (set["status"]["availableReplicas"].int ?? 0) < (set["status"]["readyReplicas"].int ?? 0)
        else { return nil }
        return .seconds(1)
    }
}

import Model

/// Rolls a Deployment's template out through ReplicaSets, old ones down as the new one comes up.
package struct DeploymentReconciler: Reconciler {
    static let hashLabel = "pod-template-hash"
    static let revisionAnnotation = "deployment.kubernetes.io/revision"

    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] { [.own(.deployments), .owner(.replicaSets, kind: "Deployment")] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let deployment = try await client.find(Deployment.self, key), !deployment.isBeingDeleted else { return }
        var sets = try await client.list(ReplicaSet.self, namespace: key.namespace, selector: deployment.selector)
            .filter { $0.controllerOwner?.uid == deployment.uid }
        let hash = ShortHash.podTemplate(deployment.template.sorted.text())
        var current = sets.first { $0.labels[Self.hashLabel] == hash }
        let isPaused = deployment.spec["paused"].bool ?? false
        if current == nil, !isPaused {
            let created = try await createSet(of: deployment, hash: hash, revision: Self.nextRevision(sets), client)
            sets.append(created)
            current = created
        }
        if let current, !isPaused { try await roll(deployment, current, sets, client) }
        if let current { try await prune(deployment, current, sets, client) }
        try await writeStatus(deployment, client)
    }

    private static func revision(_ set: ReplicaSet) -> Int { set.annotations[revisionAnnotation].flatMap { Int($0) } ?? 0 }
    private static func nextRevision(_ sets: [ReplicaSet]) -> Int { (sets.map(revision).max() ?? 0) + 1 }

    private func createSet(of deployment: Deployment, hash: String, revision: Int, _ client: any Client) async throws -> ReplicaSet {
        var template = deployment.template
        template["metadata"]["labels"][Self.hashLabel] = .string(hash)
        var selector = deployment.spec["selector"]
        selector["matchLabels"][Self.hashLabel] = .string(hash)
        let isRecreate = deployment.spec["strategy"]["type"].string == "Recreate"
        let others = try await client.list(ReplicaSet.self, namespace: deployment.namespace, selector: deployment.selector)
            .filter { $0.controllerOwner?.uid == deployment.uid }
        // The first ReplicaSet starts whole; a later one grows as the roll-out lets it.
        let start = others.isEmpty ? deployment.replicas : isRecreate ? 0 : min(deployment.replicas, surge(deployment))
        let object: JSON = [
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": [
                "name": .string("\(deployment.name)-\(hash)"), "namespace": .string(deployment.namespace), "labels": template["metadata"]["labels"],
                "annotations": [Self.revisionAnnotation: .string(String(revision))], "ownerReferences": [deployment.ownerReference],
            ],
            "spec": ["replicas": .int(start), "selector": selector, "template": template],
        ]
        let set = ReplicaSet(try await client.create(.replicaSets, object))
        _ = try await client.patch(.deployments, deployment.key, ["metadata": ["annotations": [Self.revisionAnnotation: .string(String(revision))]]])
        await client.recordEvent(
            about: deployment, reason: "ScalingReplicaSet", message: "Scaled up replica set \(set.name) from 0 to \(start)",
            component: "deployment-controller")
        return set
    }

    /// A count, or a percentage of the replicas.
    private func amount(_ value: JSON, of total: Int, roundUp: Bool) -> Int {
        if let number = value.int { return number }
        guard let text = value.string, text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
        return roundUp ? (total * percent + 99) / 100 : total * percent / 100
    }

    private func surge(_ deployment: Deployment) -> Int {
        amount(deployment.spec["strategy"]["rollingUpdate"]["maxSurge"], of: deployment.replicas, roundUp: true)
    }

    private func unavailable(_ deployment: Deployment) -> Int {
        let allowed = amount(deployment.spec["strategy"]["rollingUpdate"]["maxUnavailable"], of: deployment.replicas, roundUp: false)
        return allowed == 0 && surge(deployment) == 0 ? 1 : allowed
    }

    private func roll(_ deployment: Deployment, _ current: ReplicaSet, _ sets: [ReplicaSet], _ client: any Client) async throws {
        let old = sets.filter { $0.uid != current.uid && $0.replicas > 0 }
        if old.isEmpty { return try await scale(current, to: deployment.replicas, deployment, client) }
        if deployment.spec["strategy"]["type"].string == "Recreate" {
            for set in old { try await scale(set, to: 0, deployment, client) }
            let remaining = old.reduce(0) { $0 + ($1.status["replicas"].int ?? 0) }
            if remaining == 0 { try await scale(current, to: deployment.replicas, deployment, client) }
            return
        }
        let total = sets.reduce(0) { $0 + $1.replicas }
        let room = max(0, deployment.replicas + surge(deployment) - total)
        let target = min(deployment.replicas, current.replicas + room)
        try await scale(current, to: target, deployment, client)
        // Old pods may go while enough are available without them.
        let available = sets.reduce(0) { $0 + min($1.replicas, $1.status["availableReplicas"].int ?? 0) }
        var spare = available - (deployment.replicas - unavailable(deployment))
        for set in old.sorted(by: { Self.revision($0) < Self.revision($1) }) {
            // Pods that are not available anyway cost nothing.
            let broken = max(0, set.replicas - (set.status["availableReplicas"].int ?? 0))
            let take = min(set.replicas, broken + max(0, spare))
            if take > 0 { try await scale(set, to: set.replicas - take, deployment, client) }
            spare -= max(0, take - broken)
        }
    }

    private func scale(_ set: ReplicaSet, to replicas: Int, _ deployment: Deployment, _ client: any Client) async throws {
        guard set.replicas != replicas else { return }
        _ = try await client.patch(.replicaSets, set.key, ["spec": ["replicas": .int(replicas)]])
        await client.recordEvent(
            about: deployment, reason: "ScalingReplicaSet",
            message: "Scaled \(replicas > set.replicas ? "up" : "down") replica set \(set.name) from \(set.replicas) to \(replicas)",
            component: "deployment-controller")
    }

    private func prune(_ deployment: Deployment, _ current: ReplicaSet, _ sets: [ReplicaSet], _ client: any Client) async throws {
        let limit = deployment.spec["revisionHistoryLimit"].int ?? 10
        let idle = sets.filter { $0.uid != current.uid && $0.replicas == 0 && ($0.status["replicas"].int ?? 0) == 0 }
            .sorted { Self.revision($0) < Self.revision($1) }
        for set in idle.dropLast(limit) { try await client.delete(.replicaSets, set.key) }
    }

    private func writeStatus(_ deployment: Deployment, _ client: any Client) async throws {
        let sets = try await client.list(ReplicaSet.self, namespace: deployment.namespace, selector: deployment.selector)
            .filter { $0.controllerOwner?.uid == deployment.uid }
        let hash = ShortHash.podTemplate(deployment.template.sorted.text())
        let current = sets.first { $0.labels[Self.hashLabel] == hash }
        func sum(_ field: String) -> Int { sets.reduce(0) { $0 + ($1.status[field].int ?? 0) } }
        let replicas = sum("replicas"), ready = sum("readyReplicas"), available = sum("availableReplicas")
        let updated = current?.status["replicas"].int ?? 0
        let isAvailable = available >= deployment.replicas - unavailable(deployment)
        let isComplete = updated == deployment.replicas && replicas == updated && available == updated
        let time = now()
        try await client.mutateStatus(Deployment.self, deployment.key) { object in
            var conditions = object.status["conditions"]
            conditions.setCondition(
                "Available", isAvailable, reason: isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                message: isAvailable ? "Deployment has minimum availability." : "Deployment does not have minimum availability.", now: time)
            conditions.setCondition(
                "Progressing", true, reason: isComplete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
                message: "ReplicaSet \"\(current?.name ?? "")\" \(isComplete ? "has successfully progressed." : "is progressing.")", now: time)
            func count(_ value: Int) -> JSON { value == 0 ? .null : .int(value) }
            object.status = [
                "observedGeneration": .int(deployment.generation), "replicas": count(replicas), "updatedReplicas": count(updated),
                "readyReplicas": count(ready), "availableReplicas": count(available),
                "unavailableReplicas": count(max(0, deployment.replicas - available)), "conditions": conditions,
            ]
        }
    }
}

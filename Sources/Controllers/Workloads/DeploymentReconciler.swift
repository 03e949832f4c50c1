import Model

/// Rolls a Deployment's template out through ReplicaSets, old ones down as the new one comes up.
/// (kubernetes.io/docs/concepts/workloads/controllers/deployment)
package struct DeploymentReconciler: Reconciler {
    static let hashLabel = "pod-template-hash"
    static let revisionAnnotation = "deployment.kubernetes.io/revision"
    static let historyAnnotation = "deployment.kubernetes.io/revision-history"
    static let desiredAnnotation = "deployment.kubernetes.io/desired-replicas"
    static let maximumAnnotation = "deployment.kubernetes.io/max-replicas"

    let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            .own(.deployments), .owner(.replicaSets, kind: "Deployment"),
            // Whoever re-creates waits for the last of the old pods.
            Source(.pods) { change, informers in
                guard change.new == nil, let owner = Pod(change.object).controllerOwner, owner.kind == "ReplicaSet",
                    let set = informers[.replicaSets]?.get(ObjectKey(change.key.namespace, owner.name)).map({ ReplicaSet($0) }),
                    let deployment = set.controllerOwner, deployment.kind == "Deployment"
                else { return [] }
                return [ObjectKey(set.namespace, deployment.name)]
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let deployment = try await client.find(Deployment.self, key), !deployment.isBeingDeleted else { return }
        var sets = try await self.sets(of: deployment, client)
        let template = Self.plain(deployment.template)
        var current = sets.first { Self.plain($0.template) == template }
        let isPaused = deployment.spec["paused"].bool ?? false
        var created: ReplicaSet?
        if let found = current, !isPaused {
            current = try await bringForward(found, sets, deployment, client)
        } else if current == nil, !isPaused, try await mayCreateSet(of: deployment, sets, client) {
            current = try await createSet(of: deployment, sets, client)
            created = current
        }
        sets = try await self.sets(of: deployment, client)
        current = current.flatMap { found in sets.first { $0.uid == found.uid } }
        if try await resize(deployment, current, sets, client) {
            // A changed size is shared out first; the roll-out goes on with what that makes.
        } else if !isPaused {
            try await roll(deployment, current, sets, client)
        }
        if let current, !isPaused { try await prune(deployment, current, sets, client) }
        try await writeStatus(deployment, template, created: created, client)
    }

    /// Whoever re-creates makes nothing of the new before all of the old is gone.
    private func mayCreateSet(of deployment: Deployment, _ sets: [ReplicaSet], _ client: any Client) async throws -> Bool {
        guard deployment.spec["strategy"]["type"].string == "Recreate" else { return true }
        if sets.contains(where: { $0.replicas > 0 }) { return false }
        return try await !arePodsLeft(of: sets, deployment, client)
    }

    private func arePodsLeft(of sets: [ReplicaSet], _ deployment: Deployment, _ client: any Client) async throws -> Bool {
        let owners = Set(sets.map(\.uid))
        return try await client.list(Pod.self, namespace: deployment.namespace, selector: deployment.selector).contains { pod in
            !pod.isFinished && pod.controllerOwner.map { owners.contains($0.uid) } ?? false
        }
    }

    func sets(of deployment: Deployment, _ client: any Client) async throws -> [ReplicaSet] {
        var mine: [ReplicaSet] = []
        let owned = try await client.list(ReplicaSet.self, namespace: deployment.namespace, controller: deployment.uid)
        for set in try await owned + client.list(ReplicaSet.self, namespace: deployment.namespace, controller: "") {
            if set.controllerOwner?.uid == deployment.uid {
                mine.append(set)
            } else if set.controllerOwner == nil, deployment.selector.matches(set.metadata), !set.isBeingDeleted {
                // One that was orphaned comes home.
                mine.append(
                    ReplicaSet(
                        try await client.patch(.replicaSets, set.key, ["metadata": ["ownerReferences": [deployment.ownerReference]]])))
            }
        }
        return mine
    }

    /// A template without the label that tells its pods apart.
    static func plain(_ template: JSON) -> JSON {
        var template = template
        template["metadata"]["labels"][hashLabel] = .null
        template["metadata"]["creationTimestamp"] = .null
        return template
    }

    private static func revision(_ set: ReplicaSet) -> Int { set.annotations[revisionAnnotation].flatMap { Int($0) } ?? 0 }

    /// What a ReplicaSet shows of its Deployment.
    private func annotations(_ deployment: Deployment, revision: Int) -> JSON {
        var all = deployment.annotations
        for hidden in ["kubectl.kubernetes.io/last-applied-configuration", Self.revisionAnnotation, "deprecated.deployment.rollback.to"] {
            all[hidden] = nil
        }
        all[Self.revisionAnnotation] = "\(revision)"
        all[Self.desiredAnnotation] = "\(deployment.replicas)"
        all[Self.maximumAnnotation] = "\(deployment.replicas + surge(deployment))"
        return JSON(all)
    }

    /// The set of the present template is the newest revision: after a roll-back it gets a new number.
    private func bringForward(_ set: ReplicaSet, _ sets: [ReplicaSet], _ deployment: Deployment, _ client: any Client) async throws
        -> ReplicaSet
    {
        let latest = sets.filter { $0.uid != set.uid }.map(Self.revision).max() ?? 0
        let revision = Self.revision(set) > latest ? Self.revision(set) : latest + 1
        var wanted = annotations(deployment, revision: revision)
        // Its size is noted where the size is changed.
        for name in [Self.desiredAnnotation, Self.maximumAnnotation] {
            wanted[name] = set.annotations[name].map(JSON.string) ?? wanted[name]
        }
        if let old = set.annotations[Self.revisionAnnotation], Self.revision(set) < revision {
            // One that is rolled back to keeps the numbers that it had.
            let history = set.annotations[Self.historyAnnotation] ?? ""
            wanted[Self.historyAnnotation] = .string(history.isEmpty ? old : "\(history),\(old)")
        }
        var result = set
        if set.annotations.merging(wanted.stringMap, uniquingKeysWith: { _, new in new }) != set.annotations {
            result = ReplicaSet(try await client.patch(.replicaSets, set.key, ["metadata": ["annotations": wanted]]))
        }
        if deployment.annotations[Self.revisionAnnotation] != "\(revision)" {
            _ = try await client.patch(
                .deployments, deployment.key, ["metadata": ["annotations": [Self.revisionAnnotation: .string("\(revision)")]]])
        }
        return result
    }

    private func createSet(of deployment: Deployment, _ sets: [ReplicaSet], _ client: any Client) async throws -> ReplicaSet {
        let hash = ShortHash.podTemplate(deployment.template.sorted.text())
        let revision = (sets.map(Self.revision).max() ?? 0) + 1
        var template = deployment.template
        template["metadata"]["labels"][Self.hashLabel] = .string(hash)
        var selector = deployment.spec["selector"]
        selector["matchLabels"][Self.hashLabel] = .string(hash)
        let total = sets.reduce(0) { $0 + $1.replicas }
        // What there is room for now; the rest as old pods go.
        let start =
            total == 0
            ? deployment.replicas : max(0, min(deployment.replicas, deployment.replicas + surge(deployment) - total))
        let object: JSON = [
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": [
                "name": .string("\(deployment.name)-\(hash)"), "namespace": .string(deployment.namespace),
                "labels": template["metadata"]["labels"],
                "annotations": annotations(deployment, revision: revision), "ownerReferences": [deployment.ownerReference],
            ],
            "spec": [
                "replicas": .int(start), "minReadySeconds": deployment.spec["minReadySeconds"], "selector": selector, "template": template,
            ],
        ]
        let set = ReplicaSet(try await client.create(.replicaSets, object))
        _ = try await client.patch(
            .deployments, deployment.key, ["metadata": ["annotations": [Self.revisionAnnotation: .string("\(revision)")]]])
        if start > 0 { await tell(deployment, set, from: 0, to: start, client) }
        return set
    }

    private func surge(_ deployment: Deployment) -> Int {
        guard deployment.spec["strategy"]["type"].string != "Recreate" else { return 0 }
        return scaled(deployment.spec["strategy"]["rollingUpdate"]["maxSurge"], of: deployment.replicas, roundUp: true)
    }

    func unavailable(_ deployment: Deployment) -> Int {
        guard deployment.spec["strategy"]["type"].string != "Recreate" else { return 0 }
        let allowed = scaled(deployment.spec["strategy"]["rollingUpdate"]["maxUnavailable"], of: deployment.replicas, roundUp: false)
        return allowed == 0 && surge(deployment) == 0 ? 1 : min(allowed, deployment.replicas)
    }

    /// Shares a changed number of replicas out among the sets that have some; true when there was anything to change.
    private func resize(_ deployment: Deployment, _ current: ReplicaSet?, _ sets: [ReplicaSet], _ client: any Client) async throws -> Bool {
        let active = sets.filter { $0.replicas > 0 }
        guard active.contains(where: { $0.annotations[Self.desiredAnnotation].map { $0 != "\(deployment.replicas)" } ?? false }) else {
            return false
        }
        if active.count <= 1 {
            if let only = active.first { try await scale(only, to: deployment.replicas, deployment, client) }
            return true
        }
        let allowed = deployment.replicas > 0 ? deployment.replicas + surge(deployment) : 0
        let total = active.reduce(0) { $0 + $1.replicas }
        var rest = allowed - total
        // Larger ones take the larger share, and the largest what rounding leaves.
        let ordered = active.sorted { $0.replicas == $1.replicas ? Self.revision($0) > Self.revision($1) : $0.replicas > $1.replicas }
        var sizes = ordered.map(\.replicas)
        for index in ordered.indices where rest != 0 && total > 0 {
            // To the nearest, half away from zero.
            let exact = 2 * ordered[index].replicas * (allowed - total)
            let share = (exact + (exact < 0 ? -total : total)) / (2 * total)
            let step = rest > 0 ? min(max(share, 0), rest) : max(min(share, 0), rest)
            sizes[index] += step
            rest -= step
        }
        if !sizes.isEmpty { sizes[0] = max(0, sizes[0] + rest) }
        for (set, size) in zip(ordered, sizes) { try await scale(set, to: size, deployment, client, notes: true) }
        return true
    }

    /// `current` is nil while what re-creates waits for the old pods' end.
    private func roll(_ deployment: Deployment, _ current: ReplicaSet?, _ sets: [ReplicaSet], _ client: any Client) async throws {
        let old = sets.filter { $0.uid != current?.uid && $0.replicas > 0 }
        if deployment.spec["strategy"]["type"].string == "Recreate" {
            for set in old { try await scale(set, to: 0, deployment, client) }
            guard let current, old.isEmpty,
                try await !arePodsLeft(of: sets.filter { $0.uid != current.uid }, deployment, client)
            else { return }
            return try await scale(current, to: deployment.replicas, deployment, client)
        }
        guard let current else { return }
        if old.isEmpty { return try await scale(current, to: deployment.replicas, deployment, client) }
        let total = sets.reduce(0) { $0 + $1.replicas }
        let room = max(0, deployment.replicas + surge(deployment) - total)
        let target = current.replicas > deployment.replicas ? deployment.replicas : min(deployment.replicas, current.replicas + room)
        if target != current.replicas { return try await scale(current, to: target, deployment, client) }
        // Old pods may go while enough are available without them. What the new set has not made available yet does not count.
        let least = deployment.replicas - unavailable(deployment)
        let pending = current.replicas - (current.status["availableReplicas"].int ?? 0)
        var spare = total - least - pending
        guard spare > 0 else { return }
        // First those that serve nobody.
        var sizes = Dictionary(uniqueKeysWithValues: old.map { ($0.uid, $0.replicas) })
        let byAge = old.sorted { Self.revision($0) < Self.revision($1) }
        for set in byAge where spare > 0 {
            let broken = min(spare, max(0, set.replicas - (set.status["availableReplicas"].int ?? 0)))
            sizes[set.uid, default: 0] -= broken
            spare -= broken
        }
        let available = sets.reduce(0) { $0 + min($1.replicas, $1.status["availableReplicas"].int ?? 0) }
        var healthy = available - least
        for set in byAge where healthy > 0 {
            let take = min(healthy, sizes[set.uid] ?? 0)
            sizes[set.uid, default: 0] -= take
            healthy -= take
        }
        for set in byAge { try await scale(set, to: sizes[set.uid] ?? 0, deployment, client) }
    }

    private func scale(_ set: ReplicaSet, to replicas: Int, _ deployment: Deployment, _ client: any Client, notes: Bool = false)
        async throws
    {
        let sizes: JSON = [
            Self.desiredAnnotation: .string("\(deployment.replicas)"),
            Self.maximumAnnotation: .string("\(deployment.replicas + surge(deployment))"),
        ]
        let isNoted = set.annotations[Self.desiredAnnotation] == "\(deployment.replicas)"
        guard set.replicas != replicas || !isNoted else { return }
        _ = try await client.patch(.replicaSets, set.key, ["metadata": ["annotations": sizes], "spec": ["replicas": .int(replicas)]])
        if set.replicas != replicas { await tell(deployment, set, from: set.replicas, to: replicas, client) }
    }

    private func tell(_ deployment: Deployment, _ set: ReplicaSet, from: Int, to: Int, _ client: any Client) async {
        await client.recordEvent(
            about: deployment, reason: "ScalingReplicaSet",
            message: "Scaled \(to > from ? "up" : "down") replica set \(set.name) from \(from) to \(to)",
            component: "deployment-controller")
    }

    private func prune(_ deployment: Deployment, _ current: ReplicaSet, _ sets: [ReplicaSet], _ client: any Client) async throws {
        let limit = deployment.spec["revisionHistoryLimit"].int ?? 10
        let idle = sets.filter { $0.uid != current.uid && $0.replicas == 0 && ($0.status["replicas"].int ?? 0) == 0 && !$0.isBeingDeleted }
            .sorted { Self.revision($0) < Self.revision($1) }
        for set in idle.dropLast(limit) { try await client.delete(.replicaSets, set.key) }
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let deployment = try await client.find(Deployment.self, key) else { return nil }
        let condition = deployment.status["conditions"].items.first { $0["type"].string == "Progressing" }
        guard condition?["reason"].string == "ReplicaSetUpdated", let limit = deployment.spec["progressDeadlineSeconds"].int,
            limit < 1 << 30,
            let since = condition?["lastUpdateTime"].string.flatMap(Timestamp.init)
        else { return nil }
        return .seconds(max(1, since.seconds + limit - now().seconds))
    }
}

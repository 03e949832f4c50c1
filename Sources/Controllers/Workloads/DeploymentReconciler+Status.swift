import Model

extension DeploymentReconciler {
    /// What a Deployment tells of its ReplicaSets. (k8s.io/kubernetes/pkg/controller/deployment, sync.go and progress.go)
    func writeStatus(_ deployment: Deployment, _ template: JSON, created: ReplicaSet?, _ client: any Client) async throws {
        let sets = try await self.sets(of: deployment, client)
        let current = sets.first { Self.plain($0.template) == template }
        func sum(_ field: String) -> Int { sets.reduce(0) { $0 + ($1.status[field].int ?? 0) } }
        let replicas = sum("replicas"), ready = sum("readyReplicas"), available = sum("availableReplicas")
        let updated = current?.status["replicas"].int ?? 0
        let isAvailable = available >= deployment.replicas - unavailable(deployment)
        let isComplete = updated == deployment.replicas && replicas == updated && available == updated
        // Nobody knows of all as long as one set has not told.
        let terminating = sets.allSatisfy { !$0.status["terminatingReplicas"].isNull } ? JSON.int(sum("terminatingReplicas")) : .null
        let time = now()
        try await client.mutateStatus(Deployment.self, deployment.key) { object in
            let before = object.status
            func count(_ value: Int) -> JSON { value == 0 ? .null : .int(value) }
            object.status = [
                "observedGeneration": .int(deployment.generation), "replicas": count(replicas), "updatedReplicas": count(updated),
                "readyReplicas": count(ready), "availableReplicas": count(available), "terminatingReplicas": terminating,
                "unavailableReplicas": count(max(0, max(replicas, deployment.replicas) - available)), "conditions": before["conditions"],
                "collisionCount": before["collisionCount"],
            ]
            var conditions = DeploymentConditions(before["conditions"])
            conditions.set(
                "Available", isAvailable ? "True" : "False", isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                isAvailable ? "Deployment has minimum availability." : "Deployment does not have minimum availability.", time)
            let failure = sets.lazy.compactMap { set in set.status["conditions"].items.first { $0["type"].string == "ReplicaFailure" } }
                .first
            if let failure {
                conditions.set("ReplicaFailure", "True", failure["reason"].string ?? "", failure["message"].string ?? "", time)
            } else {
                conditions.remove("ReplicaFailure")
            }
            if let created {
                conditions.set("Progressing", "True", "NewReplicaSetCreated", "Created new replica set \"\(created.name)\"", time)
            }
            Self.progress(deployment, current, before: before, status: object.status, isComplete: isComplete, &conditions, time)
            object.status["conditions"] = conditions.json
        }
    }

    /// The Progressing condition: on its way, through, paused, or stuck past its deadline.
    private static func progress(
        _ deployment: Deployment, _ current: ReplicaSet?, before: JSON, status: JSON, isComplete: Bool,
        _ conditions: inout DeploymentConditions, _ time: Timestamp
    ) {
        let old = conditions["Progressing"], reason = old?["reason"].string
        let name = current.map { "ReplicaSet \"\($0.name)\"" } ?? "Deployment \"\(deployment.name)\""
        if deployment.spec["paused"].bool == true {
            if reason != "ProgressDeadlineExceeded" {
                conditions.set("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", time)
            }
            return
        }
        if isComplete {
            return conditions.set("Progressing", "True", "NewReplicaSetAvailable", "\(name) has successfully progressed.", time)
        }
        let counts = ["updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration"]
        let hasMoved = counts.contains { before[$0] != status[$0] } || before["replicas"] != status["replicas"]
        let isStuck = !hasMoved && reason == "ProgressDeadlineExceeded"
        if isStuck || !hasMoved && isOverdue(deployment, old, time) {
            return conditions.set("Progressing", "False", "ProgressDeadlineExceeded", "\(name) has timed out progressing.", time)
        }
        // What moves the roll-out on renews its deadline.
        conditions.set("Progressing", "True", "ReplicaSetUpdated", "\(name) is progressing.", renewing: hasMoved, time)
    }

    private static func isOverdue(_ deployment: Deployment, _ condition: JSON?, _ time: Timestamp) -> Bool {
        guard let limit = deployment.spec["progressDeadlineSeconds"].int,
            ["ReplicaSetUpdated", "NewReplicaSetCreated", "FoundNewReplicaSet"].contains(condition?["reason"].string),
            let since = condition?["lastUpdateTime"].string.flatMap(Timestamp.init)
        else { return false }
        return since.seconds + limit <= time.seconds
    }
}

/// A Deployment's conditions, each with the time when something was last said in it.
/// (k8s.io/kubernetes/pkg/controller/deployment/util, SetDeploymentCondition)
struct DeploymentConditions {
    private var items: [JSON]

    init(_ json: JSON) { items = json.items }

    var json: JSON { items.isEmpty ? .null : .array(items) }

    subscript(type: String) -> JSON? { items.first { $0["type"].string == type } }

    mutating func remove(_ type: String) { items.removeAll { $0["type"].string == type } }

    /// Says something; whoever said the same before has said it already, whatever the words, unless `renewing`.
    mutating func set(
        _ type: String, _ status: String, _ reason: String, _ message: String, renewing: Bool = false, _ time: Timestamp
    ) {
        let place = items.firstIndex { $0["type"].string == type }, old = place.map { items[$0] }
        let isSame = old?["status"].string == status
        if isSame, old?["reason"].string == reason, !renewing { return }
        let condition: JSON = [
            "type": .string(type), "status": .string(status), "lastUpdateTime": .string(time.description),
            "lastTransitionTime": isSame ? old?["lastTransitionTime"] ?? .string(time.description) : .string(time.description),
            "reason": .string(reason), "message": .string(message),
        ]
        if let place { items[place] = condition } else { items.append(condition) }
    }
}

import Model

extension KindDefinition {
    static let containersColumn = Column("Containers", wide: true) { object, _ in
        object["spec"]["template"]["spec"]["containers"].items.compactMap { $0["name"].string }.joined(separator: ",")
    }
    static let imagesColumn = Column("Images", wide: true) { object, _ in
        object["spec"]["template"]["spec"]["containers"].items.compactMap { $0["image"].string }.joined(separator: ",")
    }
    static let selectorColumn = Column("Selector", wide: true) { object, _ in
        selectorText(object["spec"]["selector"])
    }

    static let deployment = KindDefinition(
        .deployments, "deployment", ["deploy"], type: "apps:Deployment", [.status(.deploymentStatus), .scale], hasGeneration: true,
        columns: [
            .name,
            Column("Ready") { object, _ in "\(object["status"]["readyReplicas"].int ?? 0)/\(object["spec"]["replicas"].int ?? 0)" },
            .number("Up-to-date") { $0["status"]["updatedReplicas"].int ?? 0 },
            .number("Available") { $0["status"]["availableReplicas"].int ?? 0 },
            .age, containersColumn, imagesColumn, selectorColumn,
        ],
        prepare: { object in
            PodRules.prepare(&object["spec"]["template"]["spec"])
            guard object["spec"]["strategy"]["type"].string == "RollingUpdate" else { return }
            for half in ["maxUnavailable", "maxSurge"] where object["spec"]["strategy"]["rollingUpdate"][half].isNull {
                object["spec"]["strategy"]["rollingUpdate"][half] = "25%"
            }
        },
        validate: { validateWorkload("deployment")($0, $1, $2) + RolloutValidation.deployment($0, $1, $2) }
    ).with {
        $0.categories = ["all"]
        $0.warn = warnTemplate
        $0.hooks = templateHooks { $0["spec"]["template"] }
        // Its annotations are its ReplicaSets', too, but for the one that its controller writes.
        // (upstream: deploymentStrategy.PrepareForUpdate)
        $0.intent = { deployment in
            var annotations = deployment["metadata"]["annotations"]
            annotations["deployment.kubernetes.io/revision"] = .null
            return ["spec": deployment["spec"], "annotations": annotations]
        }
        $0.validateStatus = StatusValidation.counts(
            ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas", "terminatingReplicas"],
            parts: ["updatedReplicas", "readyReplicas", "availableReplicas"], ready: "readyReplicas")
    }

    static let replicaSet = KindDefinition(
        .replicaSets, "replicaset", ["rs"], type: "apps:ReplicaSet", [.status, .scale], hasGeneration: true,
        columns: [
            .name, count("Desired", "spec", "replicas"), count("Current", "status", "replicas"),
            count("Ready", "status", "readyReplicas"),
            .age, containersColumn, imagesColumn, selectorColumn,
        ],
        prepare: { PodRules.prepare(&$0["spec"]["template"]["spec"]) },
        validate: validateWorkload("replicaset")
    ).with {
        $0.categories = ["all"]
        $0.warn = warnTemplate
        $0.hooks = templateHooks { $0["spec"]["template"] }
        $0.validateStatus = replicaStatus
    }
}

/// A label selector as kubectl writes one: `app=web,tier in (a,b)`.
func selectorText(_ selector: JSON) -> String {
    let parts = LabelSelector(selector).requirements.map(\.description)
    return parts.isEmpty ? "<none>" : parts.joined(separator: ",")
}

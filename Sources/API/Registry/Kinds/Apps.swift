import Model

extension KindDefinition {
    private static let containersColumn = Column("Containers", wide: true) { object, _ in
        object["spec"]["template"]["spec"]["containers"].items.compactMap { $0["name"].string }.joined(separator: ",")
    }
    private static let imagesColumn = Column("Images", wide: true) { object, _ in
        object["spec"]["template"]["spec"]["containers"].items.compactMap { $0["image"].string }.joined(separator: ",")
    }
    private static let selectorColumn = Column("Selector", wide: true) { object, _ in
        selectorText(object["spec"]["selector"])
    }

    private static let validateTemplate: @Sendable (JSON, JSON?, ValidationContext) -> [StatusError.Cause] = { object, old, _ in
        var causes = PodRules.validate(object["spec"]["template"]["spec"], "spec.template.spec")
        let selector = object["spec"]["selector"]
        if selector.isNull {
            causes.append(.required("spec.selector"))
        } else if LabelSelector(selector).requirements.isEmpty {
            causes.append(.invalid("spec.selector", selector, "empty selector is invalid for deployment"))
        } else if !LabelSelector(selector).matches(object["spec"]["template"]["metadata"]["labels"].stringMap) {
            causes.append(
                .invalid("spec.template.metadata.labels", object["spec"]["template"]["metadata"]["labels"], "`selector` does not match template `labels`"))
        }
        if let old, LabelSelector(old["spec"]["selector"]) != LabelSelector(selector) {
            causes.append(.invalid("spec.selector", selector, "field is immutable"))
        }
        if let replicas = object["spec"]["replicas"].int, replicas < 0 {
            causes.append(.invalid("spec.replicas", .int(replicas), "must be greater than or equal to 0"))
        }
        let policy = object["spec"]["template"]["spec"]["restartPolicy"].string
        if let policy, policy != "Always" {
            causes.append(.notSupported("spec.template.spec.restartPolicy", .string(policy), "\"Always\""))
        }
        causes += Names.labels(object["spec"]["template"]["metadata"]["labels"], "spec.template.labels")
        return causes
    }

    static let deployment = KindDefinition(
        resource: .deployments, singular: "deployment", shortNames: ["deploy"],
        fields: [
            .init(
                "spec",
                .object([
                    .init("replicas", .int, default: 1), .init("selector", labelSelector), .init("template", Schema.podTemplate, required: true),
                    .init(
                        "strategy",
                        .object([
                            .init("type", .string(oneOf: ["Recreate", "RollingUpdate"]), default: "RollingUpdate"),
                            .init("rollingUpdate", .object([.init("maxUnavailable", .intOrString), .init("maxSurge", .intOrString)])),
                        ]), default: .emptyObject),
                    .init("minReadySeconds", .int), .init("revisionHistoryLimit", .int, default: 10), .init("paused", .bool),
                    .init("progressDeadlineSeconds", .int, default: 600),
                ]), required: true),
            .init("status", .any, default: .emptyObject),
        ],
        columns: [
            .name,
            Column("Ready") { object, _ in "\(object["status"]["readyReplicas"].int ?? 0)/\(object["spec"]["replicas"].int ?? 0)" },
            Column("Up-to-date") { object, _ in "\(object["status"]["updatedReplicas"].int ?? 0)" },
            Column("Available") { object, _ in "\(object["status"]["availableReplicas"].int ?? 0)" },
            .age, containersColumn, imagesColumn, selectorColumn,
        ],
        prepare: { object in
            PodRules.prepare(&object["spec"]["template"]["spec"])
            guard object["spec"]["strategy"]["type"].string == "RollingUpdate" else { return }
            for half in ["maxUnavailable", "maxSurge"] where object["spec"]["strategy"]["rollingUpdate"][half].isNull {
                object["spec"]["strategy"]["rollingUpdate"][half] = "25%"
            }
        },
        validate: validateTemplate)

    static let replicaSet = KindDefinition(
        resource: .replicaSets, singular: "replicaset", shortNames: ["rs"],
        fields: [
            .init(
                "spec",
                .object([
                    .init("replicas", .int, default: 1), .init("minReadySeconds", .int), .init("selector", labelSelector),
                    .init("template", Schema.podTemplate, required: true),
                ]), required: true),
            .init("status", .any, default: ["replicas": 0]),
        ],
        columns: [
            .name, Column("Desired") { object, _ in "\(object["spec"]["replicas"].int ?? 0)" },
            Column("Current") { object, _ in "\(object["status"]["replicas"].int ?? 0)" },
            Column("Ready") { object, _ in "\(object["status"]["readyReplicas"].int ?? 0)" },
            .age, containersColumn, imagesColumn, selectorColumn,
        ],
        prepare: { PodRules.prepare(&$0["spec"]["template"]["spec"]) },
        validate: validateTemplate)
}

/// A label selector as kubectl writes one: `app=web,tier in (a,b)`.
func selectorText(_ selector: JSON) -> String {
    let parts = LabelSelector(selector).requirements.map(\.description)
    return parts.isEmpty ? "<none>" : parts.joined(separator: ",")
}

import Model

/// Classes that a pod names in its spec, and that its admission reads.
extension KindDefinition {
    static let runtimeClass = KindDefinition(
        .runtimeClasses, "runtimeclass", type: "node:RuntimeClass",
        columns: [.name, Column("Handler") { object, _ in object["handler"].string ?? "" }, .age],
        validate: { object, old, _ in
            let handler = object["handler"].string ?? ""
            var causes: [StatusError.Cause] =
                handler.isEmpty ? [.required("handler")] : Names.each("handler", handler, Names.labelComplaints(handler))
            if let old, old["handler"] != object["handler"] {
                causes = (handler.isEmpty ? causes : []) + [.invalid("handler", .string(handler), "field is immutable")]
            }
            for (name, text) in object["overhead"]["podFixed"].stringMap.sorted(by: { $0.key < $1.key }) {
                let path = "overhead.limits[\(name)]"
                causes += ResourceValidation.nameCauses(name, path, inQuota: false)
                causes += ResourceValidation.amountCauses(name, .string(text), path)
            }
            let tolerations = object["scheduling"]["tolerations"]
            for (index, toleration) in tolerations.items.enumerated() where tolerations.items[..<index].contains(toleration) {
                causes.append(.duplicate("scheduling.tolerations[\(index)]", toleration))
            }
            return causes + Names.labels(object["scheduling"]["nodeSelector"], "scheduling.nodeSelector")
                + TolerationValidation.validate(tolerations, "scheduling.tolerations")
        }
    ).with {
        $0.allowsCreateOnUpdate = true
        $0.allowsUnconditionalUpdate = false
    }

    static let priorityClass = KindDefinition(
        .priorityClasses, "priorityclass", ["pc"], type: "scheduling:PriorityClass", hasGeneration: true,
        columns: [
            .name, Column("Value", type: "integer") { object, _ in "\(object["value"].int ?? 0)" },
            Column("Global-Default", type: "boolean") { object, _ in "\(object["globalDefault"].bool ?? false)" }, .age,
            Column("PreemptionPolicy") { object, _ in object["preemptionPolicy"].string ?? "PreemptLowerPriority" },
        ],
        validate: { object, old, _ in
            let name = object["metadata"]["name"].string ?? "", value = object["value"].int ?? 0
            var causes: [StatusError.Cause] = []
            if name.hasPrefix("system-"), !["system-node-critical", "system-cluster-critical"].contains(name) {
                causes.append(.forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only"))
            }
            if value > highestUserPriority, !name.hasPrefix("system-") {
                causes.append(.forbidden("value", "maximum allowed value of a user defined priority is \(highestUserPriority)"))
            }
            if let old, old["value"] != object["value"] { causes.append(.forbidden("value", "may not be changed in an update.")) }
            if let old, old["preemptionPolicy"] != object["preemptionPolicy"] {
                causes.append(.invalid("preemptionPolicy", object["preemptionPolicy"], "field is immutable"))
            }
            return causes
        }
    ).with {
        // Its generation stays the first. (upstream's strategy counts none)
        $0.intent = { _ in .null }
    }

    private static let highestUserPriority = 1_000_000_000
}

import Model

/// What a node must be, and what of it stays. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateNode and ValidateNodeUpdate)
enum NodeValidation {
    static let validate: KindDefinition.Validation = { object, old, _ in
        let spec = object["spec"]
        var causes = taints(spec["taints"])
        guard let old else { return causes }
        for (field, path) in [("podCIDR", "podCIDRs"), ("providerID", "providerID")] {
            guard let before = old["spec"][field].string, !before.isEmpty, before != spec[field].string else { continue }
            causes.append(.forbidden("spec.\(path)", "node updates may not change \(field) except from \"\" to valid"))
        }
        return causes
    }

    private static func taints(_ taints: JSON) -> [StatusError.Cause] {
        var seen: Set<JSON> = []
        return taints.items.enumerated().flatMap { index, taint -> [StatusError.Cause] in
            let path = "metadata.taints[\(index)]", key = taint["key"].string ?? ""
            var causes: [StatusError.Cause] = []
            if !Names.isQualifiedName(key) { causes.append(.invalid("\(path).key", .string(key), Names.qualifiedNameMessage)) }
            if let value = taint["value"].string, !Names.isLabelValue(value) {
                causes.append(.invalid("\(path).value", .string(value), Names.valueMessage))
            }
            if !seen.insert([taint["key"], taint["effect"]]).inserted {
                causes.append(
                    .init(
                        reason: "FieldValueDuplicate",
                        message: "Duplicate value: \(taint.text()): taints must be unique by key and effect pair", field: path))
            }
            return causes
        }
    }
}

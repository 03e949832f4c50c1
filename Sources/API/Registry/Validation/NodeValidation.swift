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
            causes += Names.each("\(path).key", key, Names.qualifiedNameComplaints(key))
            if let value = taint["value"].string { causes += Names.each("\(path).value", value, Names.labelValueComplaints(value)) }
            let effect = taint["effect"].string ?? ""
            if effect.isEmpty {
                causes.append(.required("\(path).effect"))
            } else if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect) {
                causes.append(
                    .notSupported("\(path).effect", .string(effect), "\"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\""))
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

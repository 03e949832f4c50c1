import Model

/// Which taints a pod puts up with. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateTolerations)
enum TolerationValidation {
    static func validate(_ list: JSON, _ path: String) -> [StatusError.Cause] {
        list.items.enumerated().flatMap { toleration($1, "\(path)[\($0)]") }
    }

    private static func toleration(_ toleration: JSON, _ here: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let key = toleration["key"].string ?? "", effect = toleration["effect"].string ?? ""
        let name = toleration["operator"].string ?? "", value = toleration["value"].string ?? ""
        if !key.isEmpty { causes += Names.each("\(here).key", key, Names.qualifiedNameComplaints(key)) }
        if key.isEmpty, name != "Exists" {
            causes.append(
                .invalid(
                    "\(here).operator", .string(name),
                    "operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
        }
        if !toleration["tolerationSeconds"].isNull, effect != "NoExecute" {
            causes.append(.invalid("\(here).effect", .string(effect), "effect must be 'NoExecute' when `tolerationSeconds` is set"))
        }
        switch name {
        case "", "Equal": causes += Names.each("\(here).operator", value, Names.labelValueComplaints(value).prefix(1).map { $0 })
        case "Exists":
            if !value.isEmpty {
                causes.append(.invalid("\(here).operator", .string(value), "value must be empty when `operator` is 'Exists'"))
            }
        // Gt and Lt are of a feature that is off: only who asks for one of them hears that they are known.
        case "Gt", "Lt": causes.append(.notSupported("\(here).operator", .string(name), "\"Equal\", \"Exists\", \"Lt\", \"Gt\""))
        default: causes.append(.notSupported("\(here).operator", .string(name), "\"Equal\", \"Exists\""))
        }
        if !effect.isEmpty, !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect) {
            causes.append(
                .notSupported("\(here).effect", .string(effect), "\"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\""))
        }
        return causes
    }
}

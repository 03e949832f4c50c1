import Model

/// What a node must be, and what of it stays. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateNode and ValidateNodeUpdate)
enum NodeValidation {
    /// The first of its networks is the one that older clients know. (Convert_v1_NodeSpec_To_core_NodeSpec)
    static let prepare: @Sendable (inout JSON) -> Void = { node in
        let first = node["spec"]["podCIDR"].string ?? "", all = node["spec"]["podCIDRs"].items
        if !first.isEmpty, all.first?.string != first { node["spec"]["podCIDRs"] = [.string(first)] }
        if let leading = node["spec"]["podCIDRs"].items.first { node["spec"]["podCIDR"] = leading == "" ? .null : leading }
    }

    /// Nothing comes to a new node before it is ready. (the admission plugin TaintNodesByCondition)
    static let mark: @Sendable (inout JSON) -> Void = { node in
        let taint: JSON = ["key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"]
        let held = node["spec"]["taints"].items
        guard !held.contains(where: { $0["key"] == taint["key"] && $0["effect"] == taint["effect"] }) else { return }
        node["spec"]["taints"] = .array(held + [taint])
    }

    static let validate: KindDefinition.Validation = { object, old, _ in
        let spec = object["spec"], tainted = taints(spec["taints"])
        var causes = tainted + networks(spec["podCIDRs"])
        causes += amounts(object["status"])
        guard let old else { return causes + features(object["status"]["declaredFeatures"]) }
        // Both of upstream's functions look at them.
        causes += tainted
        let before = old["spec"]["podCIDRs"]
        if !before.items.isEmpty, before != spec["podCIDRs"] { causes.append(fixed("podCIDRs", "podCIDR")) }
        if let provider = old["spec"]["providerID"].string, !provider.isEmpty, provider != spec["providerID"].string {
            causes.append(fixed("providerID", "providerID"))
        }
        return causes
    }

    private static func fixed(_ field: String, _ name: String) -> StatusError.Cause {
        .forbidden("spec.\(field)", "node updates may not change \(name) except from \"\" to valid")
    }

    private static func networks(_ list: JSON) -> [StatusError.Cause] {
        let path = "spec.podCIDRs", parsed = list.items.map { IPNetwork.parts($0.string ?? "")?.0.family }
        var causes = zip(list.items.indices, parsed).filter { $1 == nil }.map { index, _ -> StatusError.Cause in
            .invalid("\(path)[\(index)]", list[index], "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
        }
        guard parsed.count > 1 else { return causes }
        if let wrong = parsed.firstIndex(where: { $0 == nil }) {
            let text = list[wrong].string ?? ""
            causes.append(
                .init(
                    reason: "InternalError",
                    message:
                        "Internal error: invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[\(wrong)]: <nil> (invalid CIDR address: \(text))",
                    field: path))
        }
        if parsed.count > 2 || Set(parsed).count < 2 || parsed.contains(where: { $0 == nil }) {
            causes.append(.invalid(path, list, "may specify no more than one CIDR for each IP family"))
        }
        return causes
    }

    private static func amounts(_ status: JSON) -> [StatusError.Cause] {
        ["capacity", "allocatable"].flatMap { list in
            status[list].stringMap.sorted { $0.key < $1.key }.flatMap { name, text in
                ResourceValidation.amountCauses(name, .string(text), "status.\(list).\(name)")
            }
        }
    }

    /// (k8s.io/component-helpers/nodedeclaredfeatures)
    private static func features(_ list: JSON) -> [StatusError.Cause] {
        list.items.enumerated().compactMap { index, feature in
            let text = feature.string ?? ""
            if text.wholeMatch(of: /[A-Z][A-Za-z0-9]*(\/[A-Za-z0-9]+)*/) != nil { return nil }
            return .invalid(
                "status.declaredFeatures[\(index)]", feature,
                "invalid feature name \(JSON.string(text).text()): must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
            )
        }
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

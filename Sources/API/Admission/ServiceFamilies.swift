import Model

/// Which families a Service has: what its author says of them, what an earlier version of it had, what the cluster has.
/// (k8s.io/kubernetes/pkg/registry/core/service/storage/alloc.go, initIPFamilyFields; storage.go, normalizeClusterIPs; validation.go,
/// ValidateServiceClusterIPsRelatedFields)
struct ServiceFamilies {
    /// The cluster's, the primary first.
    let configured: [IPFamily]

    private typealias Cause = StatusError.Cause
    private static let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"]

    /// What of a Service says where it is, as it is worked out.
    fileprivate struct Fields: Equatable {
        var policy: String?
        var families: [String]
        var addresses: [String]

        init(_ spec: JSON) {
            policy = spec["ipFamilyPolicy"].string
            families = spec["ipFamilies"].items.compactMap(\.string)
            addresses = spec["clusterIPs"].items.compactMap(\.string)
        }

        var isHeadless: Bool { addresses.first == "None" }
    }

    /// Settles `ipFamilyPolicy`, `ipFamilies` and what is known of `clusterIPs`.
    func settle(_ object: inout JSON, old: JSON?) throws {
        // One that was another's name had neither.
        let before = old.flatMap { $0["spec"]["type"].string == "ExternalName" ? nil : Fields($0["spec"]) }
        Self.normalize(&object["spec"], old: before == nil ? .null : old?["spec"] ?? .null)
        var fields = Fields(object["spec"])
        // One that prefers both does not get or lose an address because the cluster has become another.
        if let before, fields == before, fields.policy == "PreferDualStack", old?["spec"]["type"] == object["spec"]["type"] { return }
        let hasSelector = !object["spec"]["selector"].stringMap.isEmpty
        if fields.policy == nil {
            fields.policy = before?.policy ?? (fields.isHeadless && !hasSelector ? "RequireDualStack" : "SingleStack")
        }
        var causes = Self.complaints(object["spec"], fields)
        try refuse(causes, object)
        if let before { causes += Self.keep(&fields, before) }
        causes += singleStackCauses(fields) + infer(&fields)
        try refuse(causes, object)
        if fields.isHeadless, !hasSelector {
            // Whoever writes its endpoints may write them of any family.
            if fields.families.isEmpty { fields.families = [configured[0].rawValue] }
            if fields.policy != "SingleStack" { fields.addOther() }
        } else {
            try refuse(unconfigured(fields), object)
            if fields.families.isEmpty { fields.families = [configured[0].rawValue] }
            if fields.policy != "SingleStack", configured.count == 2 { fields.addOther() }
        }
        object["spec"]["ipFamilyPolicy"] = JSON(fields.policy)
        object["spec"]["ipFamilies"] = .array(fields.families.map(JSON.string))
        object["spec"]["clusterIPs"] = fields.addresses.isEmpty ? .null : .array(fields.addresses.map(JSON.string))
    }

    private func refuse(_ causes: [Cause], _ object: JSON) throws {
        if !causes.isEmpty { throw StatusError.invalid(.services, object["metadata"]["name"].string ?? "", causes) }
    }

    /// `clusterIP` and `clusterIPs` say one thing; who names but one of them, or none, means what was there.
    private static func normalize(_ spec: inout JSON, old: JSON) {
        let first = old["clusterIP"].string ?? "", given = spec["clusterIP"].string ?? ""
        if given.isEmpty, spec["clusterIPs"].items.isEmpty || spec["clusterIPs"] == old["clusterIPs"] {
            spec["clusterIP"] = first.isEmpty ? .null : .string(first)
            spec["clusterIPs"] = old["clusterIPs"]
        } else if !first.isEmpty, given == first, spec["clusterIPs"].items.isEmpty {
            spec["clusterIPs"] = old["clusterIPs"]
        }
        let now = spec["clusterIP"].string ?? ""
        let isStale = !first.isEmpty && now != first && spec["clusterIPs"] == old["clusterIPs"]
        if !now.isEmpty, spec["clusterIPs"].items.isEmpty || isStale { spec["clusterIPs"] = [.string(now)] }
    }

    // MARK: Complaints

    private static func complaints(_ spec: JSON, _ fields: Fields) -> [Cause] {
        var causes: [Cause] = []
        let given = spec["clusterIP"].string ?? "", list = JSON.array(fields.addresses.map(JSON.string))
        if given.isEmpty, !fields.addresses.isEmpty {
            causes.append(.invalid("spec.clusterIPs", list, "must be empty when `clusterIP` is not specified"))
        } else if let first = fields.addresses.first, first != given {
            causes.append(.invalid("spec.clusterIPs", list, "first value must match `clusterIP`"))
        }
        for (index, family) in fields.families.enumerated() {
            let path = "spec.ipFamilies[\(index)]"
            if IPFamily(rawValue: family) == nil { causes.append(.notSupported(path, .string(family), "\"IPv4\", \"IPv6\"")) }
            if fields.families[..<index].contains(family) { causes.append(.duplicate(path, .string(family))) }
        }
        if let policy = fields.policy, !policies.contains(policy) {
            causes.append(
                .notSupported("spec.ipFamilyPolicy", .string(policy), policies.map { "\"\($0)\"" }.joined(separator: ", ")))
        }
        return causes + addressCauses(fields, list)
    }

    private static func addressCauses(_ fields: Fields, _ list: JSON) -> [Cause] {
        if fields.isHeadless {
            return fields.addresses.count > 1 ? [.invalid("spec.clusterIPs", list, "'None' must be the first and only value")] : []
        }
        var causes = fields.addresses.enumerated().compactMap { index, text in
            IPAddress(text) == nil ? Cause.invalid("spec.clusterIPs[\(index)]", .string(text), IPAddress.complaint(text)) : nil
        }
        if fields.addresses.count > 2 { causes.append(.invalid("spec.clusterIPs", list, "may only hold up to 2 values")) }
        guard causes.isEmpty else { return causes }
        let families = fields.addresses.compactMap { IPAddress($0)?.family.rawValue }
        if Set(families).count < families.count {
            causes.append(.invalid("spec.clusterIPs", list, "may specify no more than one IP for each IP family"))
        }
        for (index, (named, family)) in zip(fields.families, families).enumerated() where named != family {
            causes.append(
                .invalid(
                    "spec.clusterIPs[\(index)]", .string(fields.addresses[index]),
                    "expected an \(named) value as indicated by `ipFamilies[\(index)]`"))
        }
        return causes
    }

    /// What an update takes away: what goes by saying SingleStack, and what nobody may take otherwise.
    private static func keep(_ fields: inout Fields, _ old: Fields) -> [Cause] {
        if fields.policy == "SingleStack" {
            if fields.addresses == old.addresses { fields.addresses = Array(fields.addresses.prefix(1)) }
            if fields.families == old.families { fields.families = Array(fields.families.prefix(1)) }
            return []
        }
        func isLess(_ now: [String], _ before: [String]) -> Bool { !now.isEmpty && now.count < before.count }
        let policy = JSON(fields.policy)
        var causes: [Cause] = []
        if isLess(fields.addresses, old.addresses) {
            causes.append(.invalid("spec.ipFamilyPolicy", policy, "must be 'SingleStack' to release the secondary cluster IP"))
        }
        if isLess(fields.families, old.families) {
            causes.append(.invalid("spec.ipFamilyPolicy", policy, "must be 'SingleStack' to release the secondary IP family"))
        }
        return causes
    }

    private func singleStackCauses(_ fields: Fields) -> [Cause] {
        guard fields.policy == "SingleStack" else { return [] }
        return [(fields.addresses, "cluster IPs"), (fields.families, "IP families")].filter { $0.0.count == 2 }.map {
            .invalid(
                "spec.ipFamilyPolicy", "SingleStack", "must be 'RequireDualStack' or 'PreferDualStack' when multiple \($0.1) are specified")
        }
    }

    /// Families that only the addresses tell.
    private func infer(_ fields: inout Fields) -> [Cause] {
        var causes: [Cause] = []
        for (index, text) in fields.addresses.enumerated() where index >= fields.families.count {
            guard let family = IPAddress(text)?.family else { break }
            if configured.contains(family) {
                fields.families.append(family.rawValue)
            } else {
                causes.append(
                    .invalid(
                        "spec.clusterIPs[\(index)]", .array(fields.addresses.map(JSON.string)),
                        "\(family.rawValue) is not configured on this cluster"))
            }
        }
        return causes
    }

    private func unconfigured(_ fields: Fields) -> [Cause] {
        var causes: [Cause] = []
        if fields.policy == "RequireDualStack", configured.count < 2 {
            causes.append(.invalid("spec.ipFamilyPolicy", JSON(fields.policy), "this cluster is not configured for dual-stack services"))
        }
        for (index, family) in fields.families.enumerated() where !configured.contains(where: { $0.rawValue == family }) {
            causes.append(.invalid("spec.ipFamilies[\(index)]", .string(family), "not configured on this cluster"))
        }
        return causes
    }
}

extension ServiceFamilies.Fields {
    /// The family that is not there yet.
    fileprivate mutating func addOther() {
        guard families.count == 1 else { return }
        families.append(families[0] == IPFamily.ipv4.rawValue ? IPFamily.ipv6.rawValue : IPFamily.ipv4.rawValue)
    }
}

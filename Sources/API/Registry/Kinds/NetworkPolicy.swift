import Model

extension KindDefinition {
    static let networkPolicy = KindDefinition(
        .networkPolicies, "networkpolicy", ["netpol"], type: "networking:NetworkPolicy", hasGeneration: true,
        columns: [.name, Column("Pod-Selector") { object, _ in selectorText(object["spec"]["podSelector"]) }, .age],
        prepare: { object in
            if object["spec"]["policyTypes"].items.isEmpty {
                object["spec"]["policyTypes"] = object["spec"]["egress"].items.isEmpty ? ["Ingress"] : ["Ingress", "Egress"]
            }
        },
        validate: { object, _, _ in
            SelectorRules.validate(object["spec"]["podSelector"], "spec.podSelector")
                + [("ingress", "from"), ("egress", "to")].flatMap { direction, peerField in
                    object["spec"][direction].items.enumerated().flatMap { index, rule in
                        let path = "spec.\(direction)[\(index)]"
                        return rule["ports"].items.enumerated().flatMap { validatePort($1, "\(path).ports[\($0)]") }
                            + rule[peerField].items.enumerated().flatMap { validatePeer($1, "\(path).\(peerField)[\($0)]") }
                    }
                }
                + (object["spec"]["policyTypes"].items.count > 2
                    ? [.invalid("spec.policyTypes", object["spec"]["policyTypes"], "may not specify more than two policyTypes")] : [])
        })

    private static func validatePort(_ port: JSON, _ path: String) -> [StatusError.Cause] {
        if let number = port["port"].int, !(1...65535).contains(number) {
            return [.invalid("\(path).port", .int(number), "must be between 1 and 65535, inclusive")]
        }
        if let name = port["port"].string {
            let causes = Names.each("\(path).port", name, Names.portNameComplaints(name))
            if !causes.isEmpty { return causes }
        }
        guard let end = port["endPort"].int else { return [] }
        if port["port"].isNull { return [.invalid("\(path).endPort", .int(end), "may not be specified when `port` is not specified")] }
        guard let first = port["port"].int else {
            return [.invalid("\(path).endPort", .int(end), "may not be specified when `port` is non-numeric")]
        }
        if end < first { return [.invalid("\(path).endPort", .int(end), "must be greater than or equal to `port`")] }
        return end > 65535 ? [.invalid("\(path).endPort", .int(end), "must be between 1 and 65535, inclusive")] : []
    }

    private static func validatePeer(_ peer: JSON, _ path: String) -> [StatusError.Cause] {
        let block = peer["ipBlock"]
        let kinds = ["podSelector", "namespaceSelector", "ipBlock"].filter { !peer[$0].isNull }
        if kinds.isEmpty { return [.required(path, "must specify a peer")] }
        guard !block.isNull else {
            return ["podSelector", "namespaceSelector"].flatMap { SelectorRules.validate(peer[$0], "\(path).\($0)") }
        }
        if kinds.count > 1 { return [.forbidden(path, "may not specify both ipBlock and another peer")] }
        guard let text = block["cidr"].string, !text.isEmpty else { return [.required("\(path).ipBlock.cidr")] }
        var causes = complaint(text).map { [.invalid("\(path).ipBlock.cidr", .string(text), $0)] } ?? [StatusError.Cause]()
        guard let cidr = loose(text) else { return causes }
        for (index, item) in block["except"].items.enumerated() {
            let field = "\(path).ipBlock.except[\(index)]", text = item.string ?? ""
            if let why = complaint(text) { causes.append(.invalid(field, item, why)) }
            guard let hole = loose(text), cidr == hole || !cidr.contains(hole) else { continue }
            causes.append(.invalid(field, item, "must be a strict subset of `cidr`"))
        }
        return causes
    }

    private static func complaint(_ text: String) -> String? {
        do throws(IPNetwork.Complaint) { _ = try IPNetwork.validated(text) } catch { return error.message }
        return nil
    }

    /// The network that is meant by what is not written as it should be. (upstream: ParseCIDRSloppy)
    private static func loose(_ text: String) -> IPNetwork? {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let length = Int(halves[1]) else { return nil }
        let isOld = !halves[0].contains(":")
        let parts = halves[0].split(separator: ".", omittingEmptySubsequences: false).map { Int($0).map(String.init) ?? String($0) }
        guard let (address, prefix) = IPNetwork.parts("\(isOld ? parts.joined(separator: ".") : String(halves[0]))/\(length)") else {
            return nil
        }
        return IPNetwork(address, prefix)
    }
}

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
        let cidr: IPNetwork
        switch Result(catching: { () throws(IPNetwork.Complaint) in try IPNetwork.validated(text) }) {
        case .success(let value): cidr = value
        case .failure(let complaint): return [.invalid("\(path).ipBlock.cidr", .string(text), complaint.message)]
        }
        return block["except"].items.enumerated().compactMap { index, item in
            let field = "\(path).ipBlock.except[\(index)]"
            switch Result(catching: { () throws(IPNetwork.Complaint) in try IPNetwork.validated(item.string ?? "") }) {
            case .failure(let complaint): return .invalid(field, item, complaint.message)
            case .success(let hole):
                return cidr != hole && cidr.contains(hole) ? nil : .invalid(field, item, "must be a strict subset of `cidr`")
            }
        }
    }
}

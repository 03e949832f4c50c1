import Model

extension KindDefinition {
    private static let peers = Schema.list(
        .object([
            .init("podSelector", labelSelector), .init("namespaceSelector", labelSelector),
            .init("ipBlock", .object([.init("cidr", .string, required: true), .init("except", .strings)])),
        ]))
    private static let ports = Schema.list(
        .object([
            .init("protocol", .string(oneOf: ["SCTP", "TCP", "UDP"]), default: "TCP"), .init("port", .intOrString), .init("endPort", .int),
        ]))

    static let networkPolicy = KindDefinition(
        resource: .networkPolicies, singular: "networkpolicy", shortNames: ["netpol"],
        fields: [
            .init(
                "spec",
                .object([
                    .init("podSelector", labelSelector, default: .emptyObject),
                    .init("ingress", .list(.object([.init("ports", ports), .init("from", peers)]))),
                    .init("egress", .list(.object([.init("ports", ports), .init("to", peers)]))),
                    .init("policyTypes", .list(.string(oneOf: ["Ingress", "Egress"]))),
                ]), default: .emptyObject)
        ], hasStatus: false,
        columns: [.name, Column("Pod-Selector") { object, _ in selectorText(object["spec"]["podSelector"]) }, .age],
        prepare: { object in
            if object["spec"]["policyTypes"].items.isEmpty {
                object["spec"]["policyTypes"] = object["spec"]["egress"].items.isEmpty ? ["Ingress"] : ["Ingress", "Egress"]
            }
        },
        validate: { object, _, _ in
            [("ingress", "from"), ("egress", "to")].flatMap { direction, peerField in
                object["spec"][direction].items.enumerated().flatMap { index, rule in
                    let path = "spec.\(direction)[\(index)]"
                    return rule["ports"].items.enumerated().flatMap { validatePort($1, "\(path).ports[\($0)]") }
                        + rule[peerField].items.enumerated().flatMap { validatePeer($1, "\(path).\(peerField)[\($0)]") }
                }
            }
        })

    private static func validatePort(_ port: JSON, _ path: String) -> [StatusError.Cause] {
        if let number = port["port"].int, !(1...65535).contains(number) {
            return [.invalid("\(path).port", .int(number), "must be between 1 and 65535, inclusive")]
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
        guard !block.isNull else { return [] }
        if kinds.count > 1 { return [.forbidden(path, "may not specify both ipBlock and another peer")] }
        guard let text = block["cidr"].string, !text.isEmpty else { return [.required("\(path).ipBlock.cidr")] }
        guard let cidr = CIDR(text) else { return [.invalid("\(path).ipBlock.cidr", .string(text), cidrComplaint(text))] }
        return block["except"].items.enumerated().compactMap { index, item in
            let field = "\(path).ipBlock.except[\(index)]"
            let text = item.string ?? ""
            guard let hole = CIDR(text) else { return .invalid(field, item, cidrComplaint(text)) }
            guard cidr.contains(hole.network), hole.prefixLength > cidr.prefixLength else {
                return .invalid(field, item, "must be a strict subset of `cidr`")
            }
            return nil
        }
    }

    /// Kubernetes 1.36's words for a CIDR that is none, or is not written canonically.
    private static func cidrComplaint(_ text: String) -> String {
        if let (address, length) = CIDR.parts(text) {
            return "must not have bits set beyond the prefix length (e.g. \"\(CIDR(address, length))\")"
        }
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    }
}

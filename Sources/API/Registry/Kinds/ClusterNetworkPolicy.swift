import Model

extension KindDefinition {
    private static let choice: [Schema.Field] = [
        .init("namespaces", labelSelector), .init("pods", .object([.init("namespaceSelector", labelSelector), .init("podSelector", labelSelector)])),
    ]

    private static let port = Schema.object([
        .init(
            "destinationPort",
            .object([.init("number", .int), .init("range", .object([.init("start", .int, required: true), .init("end", .int, required: true)]))]))
    ])

    private static func rule(_ peerField: String, _ peers: [Schema.Field]) -> Schema {
        .object([
            .init("name", .string), .init("action", .string(oneOf: ["Accept", "Deny", "Pass"]), required: true),
            .init(peerField, .list(.object(peers)), required: true),
            .init("protocols", .list(.object([.init("tcp", port), .init("udp", port), .init("sctp", port), .init("destinationNamedPort", .string)]))),
        ])
    }

    private static let shape = Schema.object([
        .init("metadata", metadata),
        .init(
            "spec",
            .object([
                .init("tier", .string(oneOf: ["Admin", "Baseline"]), required: true), .init("priority", .int, required: true),
                .init("subject", .object(choice), required: true), .init("ingress", .list(rule("from", choice))),
                .init("egress", .list(rule("to", choice + [.init("nodes", labelSelector), .init("networks", .strings), .init("domainNames", .strings)]))),
            ]), required: true),
        .init("status", .any),
    ])

    static let clusterNetworkPolicy = KindDefinition(
        .clusterNetworkPolicies, "clusternetworkpolicy", ["cnp"], schema: shape, [.status], hasGeneration: true,
        columns: [
            .name, Column("Tier") { object, _ in object["spec"]["tier"].string ?? "" },
            Column("Priority") { object, _ in object["spec"]["priority"].int.map(String.init) ?? "" }, .age,
        ],
        validate: { object, _, _ in
            let spec = object["spec"]
            var causes: [StatusError.Cause] = []
            if let priority = spec["priority"].int, !(0...1000).contains(priority) {
                let limit = priority < 0 ? "should be greater than or equal to 0" : "should be less than or equal to 1000"
                causes.append(.invalid("spec.priority", .int(priority), "spec.priority in body \(limit)"))
            }
            causes += validateChoice(spec["subject"], "spec.subject", ["namespaces", "pods"])
            for (direction, peerField) in [("ingress", "from"), ("egress", "to")] {
                for (index, rule) in spec[direction].items.enumerated() { causes += validateRule(rule, "spec.\(direction)[\(index)]", peerField) }
            }
            return causes
        })

    private static func validateRule(_ rule: JSON, _ path: String, _ peerField: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let peers = rule[peerField].items
        if peers.isEmpty { causes.append(.invalid("\(path).\(peerField)", .int(0), "\(path).\(peerField) in body should have at least 1 items")) }
        let kinds = peerField == "to" ? ["namespaces", "pods", "nodes", "networks", "domainNames"] : ["namespaces", "pods"]
        for (index, peer) in peers.enumerated() {
            let here = "\(path).\(peerField)[\(index)]"
            causes += validateChoice(peer, here, kinds)
            if !peer["domainNames"].isNull { causes.append(.forbidden("\(here).domainNames", "minik does not follow domain names; use networks")) }
            for (number, network) in peer["networks"].items.enumerated() {
                do throws(CIDRText.Complaint) { _ = try CIDRText(network.string ?? "") } catch {
                    causes.append(.invalid("\(here).networks[\(number)]", network, "Invalid CIDR format provided"))
                }
            }
        }
        let hasPlaces = peers.contains { !$0["networks"].isNull || !$0["nodes"].isNull }
        if hasPlaces, rule["protocols"].items.contains(where: { !$0["destinationNamedPort"].isNull }) {
            causes.append(
                .invalid(path, rule, "networks/nodes/domainNames peer cannot be set with namedPorts since there are no namedPorts for networks/nodes/domainNames"))
        }
        for (index, match) in rule["protocols"].items.enumerated() { causes += validatePorts(match, "\(path).protocols[\(index)]") }
        return causes
    }

    /// Exactly one of `kinds`, with good selectors.
    private static func validateChoice(_ choice: JSON, _ path: String, _ kinds: [String]) -> [StatusError.Cause] {
        let given = kinds.filter { !choice[$0].isNull }
        guard given.count == 1 else {
            return [.invalid(path, .int(given.count), "\(path) in body should have \(given.isEmpty ? "at least" : "at most") 1 properties")]
        }
        return SelectorRules.validate(choice["namespaces"], "\(path).namespaces") + SelectorRules.validate(choice["nodes"], "\(path).nodes")
            + SelectorRules.validate(choice["pods"]["namespaceSelector"], "\(path).pods.namespaceSelector")
            + SelectorRules.validate(choice["pods"]["podSelector"], "\(path).pods.podSelector")
    }

    private static func validatePorts(_ match: JSON, _ path: String) -> [StatusError.Cause] {
        let given = ["tcp", "udp", "sctp", "destinationNamedPort"].filter { !match[$0].isNull }
        guard given.count == 1 else {
            return [.invalid(path, .int(given.count), "\(path) in body should have \(given.isEmpty ? "at least" : "at most") 1 properties")]
        }
        let port = match[given[0]]["destinationPort"], here = "\(path).\(given[0]).destinationPort"
        if given[0] == "destinationNamedPort" || port.isNull { return [] }
        func bounds(_ value: JSON, _ field: String) -> [StatusError.Cause] {
            guard let number = value.int, !(1...65535).contains(number) else { return [] }
            return [.invalid(field, .int(number), "\(field) in body should be \(number < 1 ? "greater than or equal to 1" : "less than or equal to 65535")")]
        }
        let range = port["range"]
        if !range.isNull, let start = range["start"].int, let end = range["end"].int, start >= end {
            return [.invalid("\(here).range", range, "Start port must be less than End port")]
        }
        return bounds(port["number"], "\(here).number") + bounds(range["start"], "\(here).range.start") + bounds(range["end"], "\(here).range.end")
    }
}

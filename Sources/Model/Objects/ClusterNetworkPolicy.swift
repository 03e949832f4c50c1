/// policy.networking.k8s.io ClusterNetworkPolicy: rules of the cluster's administrators, before (Admin) and after
/// (Baseline) the namespaces' own. (kubernetes-sigs/network-policy-api)
package struct ClusterNetworkPolicy: Object {
    package static let resource = Resource.clusterNetworkPolicies
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package enum Tier: String, Sendable, Hashable, CaseIterable { case admin = "Admin", baseline = "Baseline" }
    package enum Action: String, Sendable, Hashable { case accept = "Accept", deny = "Deny", pass = "Pass" }

    /// Pods by their own labels and their namespace's.
    package struct PodChoice: Sendable, Hashable {
        package let namespaces: LabelSelector
        package let pods: LabelSelector
    }

    package enum Peer: Sendable, Hashable {
        case pods(PodChoice)
        case nodes(LabelSelector)
        case networks([IPNetwork])
    }

    package enum PortMatch: Sendable, Hashable {
        /// A protocol, at every port or at a range of them.
        case transport(TransportProtocol, ClosedRange<UInt16>?)
        case named(String)
    }

    package struct Rule: Sendable, Hashable {
        package let name: String
        package let action: Action
        package let peers: [Peer]
        /// nil: whatever the protocol.
        package let ports: [PortMatch]?
    }

    package var tier: Tier { Tier(rawValue: spec["tier"].string ?? "") ?? .admin }
    package var priority: Int { spec["priority"].int ?? 0 }
    package var subject: PodChoice { Self.choice(spec["subject"]) }

    package func rules(_ direction: NetworkPolicy.Direction) -> [Rule] {
        spec[direction.rawValue].items.map { rule in
            Rule(
                name: rule["name"].string ?? "", action: Action(rawValue: rule["action"].string ?? "") ?? .deny,
                peers: rule[direction == .ingress ? "from" : "to"].items.map(Self.peer),
                ports: rule["protocols"].array.map { $0.map(Self.ports) })
        }
    }

    /// Which comes first within a tier. Of equal priorities the name decides: the API leaves it open, a learner should see it stay.
    package static func precedes(_ a: Self, _ b: Self) -> Bool { (a.priority, a.name) < (b.priority, b.name) }

    /// A rule as it is told of: `Admin shut ingress[0] (name): Deny`.
    package func origin(of rule: Rule, _ index: Int, _ direction: NetworkPolicy.Direction) -> String {
        "\(tier.rawValue) \(name) \(direction.rawValue)[\(index)]\(rule.name.isEmpty ? "" : " (\(rule.name))"): \(rule.action.rawValue)"
    }

    private static func choice(_ json: JSON) -> PodChoice {
        let pods = json["pods"]
        if pods.isNull { return PodChoice(namespaces: LabelSelector(json["namespaces"]), pods: LabelSelector(JSON.emptyObject)) }
        return PodChoice(namespaces: LabelSelector(pods["namespaceSelector"]), pods: LabelSelector(pods["podSelector"]))
    }

    private static func peer(_ json: JSON) -> Peer {
        if !json["nodes"].isNull { return .nodes(LabelSelector(json["nodes"])) }
        if let networks = json["networks"].array {
            return .networks(networks.compactMap { $0.string.flatMap(IPNetwork.parts).map(IPNetwork.init) })
        }
        return .pods(choice(json))
    }

    private static func ports(_ json: JSON) -> PortMatch {
        if let name = json["destinationNamedPort"].string { return .named(name) }
        for proto in TransportProtocol.allCases {
            let match = json[proto.rawValue.lowercased()]
            if match.isNull { continue }
            let port = match["destinationPort"]
            if let number = port["number"].int.flatMap({ UInt16(exactly: $0) }) { return .transport(proto, number...number) }
            let first = port["range"]["start"].int.flatMap { UInt16(exactly: $0) },
                last = port["range"]["end"].int.flatMap { UInt16(exactly: $0) }
            if let first, let last, first <= last { return .transport(proto, first...last) }
            return .transport(proto, nil)
        }
        return .named("")
    }
}

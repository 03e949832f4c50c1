/// networking.k8s.io/v1 NetworkPolicy, with the API's defaulting applied when it is read.
package struct NetworkPolicy: Object {
    package static let resource = Resource.networkPolicies
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package enum Direction: String, Sendable, Hashable, CaseIterable { case ingress, egress }

    /// One rule: any of `peers` (nil: everyone) at any of `ports` (nil: every port of every protocol).
    package struct Rule: Sendable, Hashable {
        package let peers: [Peer]?
        package let ports: [Port]?
    }

    package enum Peer: Sendable, Hashable {
        /// Pods by label; a nil namespace selector means the policy's own namespace.
        case pods(pods: LabelSelector, namespaces: LabelSelector?)
        case ipBlock(IPNetwork, except: [IPNetwork])
    }

    package enum PortSelector: Sendable, Hashable {
        case all
        case range(ClosedRange<UInt16>)
        case named(String)
    }

    package struct Port: Sendable, Hashable {
        package let proto: TransportProtocol
        package let port: PortSelector
    }

    package var podSelector: LabelSelector { LabelSelector(spec["podSelector"]) }

    /// The directions in which the policy isolates. Without `policyTypes`: Ingress, and Egress if there are egress rules.
    package var directions: Set<Direction> {
        if let types = spec["policyTypes"].array, !types.isEmpty {
            return Set(types.compactMap { $0.string.flatMap { Direction(rawValue: $0.lowercased()) } })
        }
        return spec["egress"].items.isEmpty ? [.ingress] : [.ingress, .egress]
    }

    package func rules(_ direction: Direction) -> [Rule] {
        guard directions.contains(direction) else { return [] }
        let peerField = direction == .ingress ? "from" : "to"
        return spec[direction.rawValue].items.map { rule in
            let peers = rule[peerField].items.compactMap(Self.peer)
            let ports = rule["ports"].items.compactMap(Self.port)
            return Rule(
                peers: rule[peerField].items.isEmpty ? nil : peers,
                ports: rule["ports"].items.isEmpty ? nil : ports)
        }
    }

    private static func peer(_ json: JSON) -> Peer? {
        let block = json["ipBlock"]
        if !block.isNull {
            guard let cidr = block["cidr"].string.flatMap({ IPNetwork($0) }) else { return nil }
            return .ipBlock(cidr, except: block["except"].items.compactMap { $0.string.flatMap { IPNetwork($0) } })
        }
        let namespaces = json["namespaceSelector"]
        return .pods(
            pods: LabelSelector(json["podSelector"]), namespaces: namespaces.isNull ? nil : LabelSelector(namespaces))
    }

    private static func port(_ json: JSON) -> Port? {
        guard let proto = TransportProtocol(rawValue: json["protocol"].string ?? "TCP") else { return nil }
        let port = json["port"]
        if port.isNull { return Port(proto: proto, port: .all) }
        if let name = port.string { return Port(proto: proto, port: .named(name)) }
        guard let first = port.int.flatMap({ UInt16(exactly: $0) }),
            let last = (json["endPort"].int ?? Int(first)) as Int?, let end = UInt16(exactly: last), first <= end
        else { return nil }
        return Port(proto: proto, port: .range(first...end))
    }
}

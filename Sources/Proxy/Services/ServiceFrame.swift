import Model
import Rules

/// A way into Services. For each number of endpoints that occurs there is a set of those who have as many, and a rule that throws dice for
/// one of them; a map says what address each number of each stands for.
enum ServiceWay: CaseIterable {
    case services, nodePorts, localNodePorts, localExternalIPs

    /// Of all that have `count` endpoints.
    func set(_ count: Int) -> String { "\(name)-\(count)" }

    /// The number of endpoints that a set's name tells; nil for the name of another set.
    func count(_ set: String) -> Int? {
        guard set.hasPrefix("\(name)-") else { return nil }
        return Int(set.dropFirst(name.utf8.count + 1))
    }

    var name: String {
        switch self {
        case .services: "service-ips"
        case .nodePorts: "service-nodeports"
        case .localNodePorts: "local-nodeports"
        case .localExternalIPs: "local-external-ips"
        }
    }

    var map: String {
        switch self {
        case .services: "service-endpoints"
        case .nodePorts: "nodeport-endpoints"
        case .localNodePorts: "local-nodeport-endpoints"
        case .localExternalIPs: "local-external-endpoints"
        }
    }

    /// The chain that throws the dice.
    var chain: String { "choose-\(map.dropLast())" }

    func fields(_ family: IPFamily) -> [Field] {
        switch self {
        case .services, .localExternalIPs: ServiceTable.addressProtocolPort(family)
        case .nodePorts, .localNodePorts: [.transportProtocol, .destinationPort]
        }
    }
}

/// What one Service adds to what all need together.
package struct ServiceShare: Hashable, Sendable {
    /// The sets of its numbers of endpoints.
    fileprivate let sets: Set<String>
    /// Those of its endpoints that are on this node.
    fileprivate let local: Set<IPAddress>
    fileprivate let balancers: Set<IPAddress>

    package init(_ part: Ruleset, local: Set<IPAddress>, balancers: Set<IPAddress> = []) {
        sets = Set(
            part.elements.keys.filter { name in ServiceWay.allCases.contains { $0.count(name) != nil } || ServiceMemory(set: name) != nil })
        self.local = local
        self.balancers = balancers
    }
}

/// What of the table follows from all Services together: a set and a rule for each number of endpoints, what remembers clients, and which
/// pods of the node may come back to themselves.
package struct ServiceFrame: Sendable {
    private let node: NodeView
    private var uses: [String: Int] = [:]
    private var local: [IPAddress: Int] = [:]
    private var balancers: [IPAddress: Int] = [:]

    package init(node: NodeView) { self.node = node }

    /// Counts a Service in (1) or out (-1). Whether `rules` are others now.
    @discardableResult
    package mutating func count(_ share: ServiceShare, by step: Int) -> Bool {
        var isNew = false
        for set in share.sets { if Self.step(&uses, set, step) { isNew = true } }
        for address in share.local { if Self.step(&local, address, step) { isNew = true } }
        for address in share.balancers { if Self.step(&balancers, address, step) { isNew = true } }
        return isNew
    }

    private static func step<Key>(_ counts: inout [Key: Int], _ key: Key, _ step: Int) -> Bool {
        let before = counts[key] ?? 0, now = before + step
        counts[key] = now > 0 ? now : nil
        return (before > 0) != (now > 0)
    }

    package var rules: Ruleset {
        var rules = Ruleset()
        for way in ServiceWay.allCases {
            let memories = uses.keys.compactMap(ServiceMemory.init(set:)).filter { $0.way == way }.sorted { $0.set < $1.set }
            for memory in memories { memory.add(to: &rules, node.family) }
            let fields = way.fields(node.family), counts = uses.keys.compactMap(way.count).sorted()
            for count in counts {
                rules.sets[way.set(count)] = NamedSet(
                    key: fields.map(\.type), comment: "those with \(count) endpoint\(count == 1 ? "" : "s")")
            }
            rules.chains[way.chain] = Chain(
                memories.map { $0.rule(node.family) }
                    + counts.map { Rule(.inSet(fields, way.set($0)), .destinationNATMap(node.family, fields, among: $0, way.map)) })
        }
        for address in local.keys { rules.add([.address(address), .address(address)], to: ServiceTable.hairpinConnections) }
        for address in balancers.keys { rules.add([.address(address)], to: ServiceTable.balancerIPs) }
        return rules
    }
}

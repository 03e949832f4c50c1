import Model
import Rules

/// A pod as policies see it.
package struct PolicyPod: Sendable, Hashable {
    package let key: ObjectKey
    package let address: IPAddress
    package let labels: [String: String]
    /// Named ports: (protocol, name) -> numbers, for two containers may give one name to two ports.
    package let ports: [NamedPort: Set<UInt16>]
    /// Runs on the node that is compiled for: only these are enforced here.
    package let isLocal: Bool

    package struct NamedPort: Sendable, Hashable {
        package let proto: TransportProtocol
        package let name: String

        package init(proto: TransportProtocol, name: String) {
            self.proto = proto
            self.name = name
        }
    }

    package init(key: ObjectKey, address: IPAddress, labels: [String: String], ports: [NamedPort: Set<UInt16>] = [:], isLocal: Bool) {
        self.key = key
        self.address = address
        self.labels = labels
        self.ports = ports
        self.isLocal = isLocal
    }

    /// The same pod under another name.
    func renamed(_ key: ObjectKey) -> PolicyPod { PolicyPod(key: key, address: address, labels: labels, ports: ports, isLocal: isLocal) }

    /// A pod by its address of a family. nil for pods that policies do not reach: of the host's network, finished, or without such an
    /// address yet.
    package init?(_ pod: Pod, _ family: IPFamily, address: IPAddress? = nil, node: String) {
        guard !pod.isHostNetwork, !pod.isFinished, let address = address ?? pod.ip(family) else { return nil }
        var ports: [NamedPort: Set<UInt16>] = [:]
        for container in pod.containers + pod.initContainers {
            for port in container.ports {
                guard let name = port["name"].string, let number = port["containerPort"].int.flatMap({ UInt16(exactly: $0) }),
                    let proto = TransportProtocol(rawValue: port["protocol"].string ?? "TCP")
                else { continue }
                ports[NamedPort(proto: proto, name: name), default: []].insert(number)
            }
        }
        self.init(key: pod.key, address: address, labels: pod.labels, ports: ports, isLocal: pod.nodeName == node)
    }
}

/// A node as the cluster's policies see it.
package struct PolicyNode: Sendable, Hashable {
    package let address: IPAddress
    package let labels: [String: String]

    /// nil while the node has no address of the family.
    package init?(_ node: Node, _ family: IPFamily) {
        guard let address = node.internalIP(family) else { return nil }
        self.address = address
        labels = node.labels
    }
}

/// Everything a node's policy table follows from.
package struct PolicySnapshot: Sendable, Hashable {
    package var policies: [ObjectKey: NetworkPolicy] = [:]
    package var clusterPolicies: [ObjectKey: ClusterNetworkPolicy] = [:]
    package var nodes: [String: PolicyNode] = [:]
    package var pods: [ObjectKey: PolicyPod] = [:]
    /// Labels of the namespaces.
    package var namespaces: [String: [String: String]] = [:]

    package init() {}
}

/// Compiles NetworkPolicies into the table `kube-netpol`.
///
/// Per direction one map leads from an isolated pod's address to a chain. Pods isolated by the same policies (and with the
/// same named ports) share the chain: a class. A class' chain looks the packet up in at most three sets, whatever the number
/// of policies: peers that are single addresses, with and without ports, and ranges. What is in none of them is dropped.
package struct PolicyCompiler: Sendable {
    package static let tableName = "kube-netpol"
    package static func id(_ family: IPFamily) -> TableID { TableID(TableFamily(family), tableName) }
    package let node: NodeView

    package init(node: NodeView) { self.node = node }

    /// The whole table.
    package func compile(_ snapshot: PolicySnapshot) -> Ruleset {
        var engine = PolicyEngine(node: node, snapshot), rules = Self.base(node.family)
        for change in engine.changedParts().values {
            // What is told for the first time is told whole.
            if case .whole(let part) = change { rules.merge(part) }
        }
        return rules
    }

    /// The hooks and dispatch that stand even without a policy.
    package static func base(_ family: IPFamily) -> Ruleset {
        var rules = Ruleset()
        let key: [FieldType] = [.address(family)], source = Field.sourceAddress(family), destination = Field.destinationAddress(family)
        rules.sets["isolated-ingress"] = NamedSet(
            key: key, isVerdictMap: true, comment: "pods of this node that a policy isolates for ingress")
        rules.sets["isolated-egress"] = NamedSet(
            key: key, isVerdictMap: true, comment: "pods of this node that a policy isolates for egress")
        let known = Rule(.connectionState([.established, .related]), .verdict(.accept), comment: "replies and what goes on")
        let ingress = Rule(.verdictMap([destination], "isolated-ingress"))
        // A pod that reaches itself through a Service comes this way: no policy may keep it from itself.
        rules.sets["itself"] = NamedSet(key: key + key, comment: "isolated pods of this node, to and from themselves")
        let itself = Rule(
            .inSet([source, destination], "itself"), .verdict(.accept), comment: "a pod always reaches itself")
        // Who is where on a link is not the pods' affair alone: a bridge lets these tables see it, where ARP has one of its own.
        let neighbours: [Rule] =
            family == .ipv4 ? [] : NeighbourDiscovery.types.map { Rule(NeighbourDiscovery.matches($0) + [.verdict(.accept)]) }
        rules.chains["forward"] = Chain(
            hook: Hook(.filter, .forward, Hook.filter),
            [known, itself] + neighbours + [Rule(.verdict(.jump("egress"))), ingress])
        // A node always reaches its own pods directly, as probes must; what it sends to a Service is the policy's business.
        rules.chains["output"] = Chain(
            hook: Hook(.filter, .output, Hook.filter), [known, Rule(.destinationWasTranslated, .verdict(.jump("ingress")))])
        // NetworkPolicies leave a pod and its own node to each other; the cluster's own policies do not.
        rules.sets["isolated-from-node"] = NamedSet(
            key: key, isVerdictMap: true, comment: "pods of this node whose way to it ClusterNetworkPolicies judge")
        rules.chains["input"] = Chain(
            hook: Hook(.filter, .input, Hook.filter), [known] + neighbours + [Rule(.verdictMap([source], "isolated-from-node"))])
        rules.chains["ingress"] = Chain([ingress])
        rules.chains["egress"] = Chain([Rule(.verdictMap([source], "isolated-egress"))])
        return rules
    }

    /// What belongs to a class' chain, a set or another chain: `ingress-ports-HASH-...` of `ingress-HASH-...`.
    static func name(_ chain: String, _ kind: String) -> String {
        let parts = chain.split(separator: "-", maxSplits: 1)
        return String("\(parts[0])-\(kind)-\(parts.dropFirst().first ?? "")".prefix(127))
    }

    private static func key(_ kind: AllowedTraffic.Kind, _ isolation: PolicyClass) -> [Field] {
        let family = isolation.family
        let peer: Field = isolation.direction == .ingress ? .sourceAddress(family) : .destinationAddress(family)
        return kind == .peers ? [peer] : [peer, .transportProtocol, .destinationPort]
    }

    static func set(_ kind: AllowedTraffic.Kind, _ isolation: PolicyClass) -> NamedSet {
        NamedSet(key: key(kind, isolation).map(\.type), isInterval: kind == .ranges)
    }

    /// What NetworkPolicies add to a class' chain: a look into each set that there is, and the end of what is in none.
    static func rules(_ isolation: PolicyClass, _ chain: String, names: String, everything: String?, _ kinds: Set<AllowedTraffic.Kind>)
        -> [Rule]
    {
        if isolation.policies.isEmpty { return [] }
        if let everything { return [Rule(.counter, .verdict(.return), comment: everything)] }
        let direction = isolation.direction
        return AllowedTraffic.Kind.allCases.filter(kinds.contains).map { kind in
            Rule(.inSet(key(kind, isolation), name(chain, kind.rawValue)), .counter, .verdict(.return), comment: "allowed by \(names)")
        } + [Rule(.counter, .verdict(.drop), comment: "isolated for \(direction.rawValue) by \(names)")]
    }

    /// One look-up for all the rules of a tier: accepted, dropped, or on to the next.
    static func tier(
        _ tier: String, _ policies: [ClusterNetworkPolicy], _ isolation: PolicyClass, _ chain: String, _ peers: PeerIndex,
        _ nodes: [String: PolicyNode],
        to rules: inout Ruleset
    ) -> [Rule] {
        var traffic = TieredTraffic(isolation.family)
        for policy in policies { traffic.add(policy, isolation.direction, isolation.namedPorts, peers, nodes) }
        let elements = traffic.elements()
        guard !elements.isEmpty else { return [] }
        let key = key(.ranges, isolation), map = name(chain, tier)
        rules.sets[map] = NamedSet(key: key.map(\.type), isVerdictMap: true, isInterval: true)
        rules.elements[map] = elements
        return [Rule(.verdictMap(key, map))]
    }
}

/// Pods whose packets meet the same decision.
struct PolicyClass: Hashable, Sendable {
    /// Of the packets that are decided.
    let family: IPFamily
    let direction: NetworkPolicy.Direction
    /// In order of their keys.
    private(set) var policies: [ObjectKey]
    /// The cluster's policies before and after them, in order of precedence.
    let admin: [ObjectKey]
    let baseline: [ObjectKey]
    let namedPorts: [PolicyPod.NamedPort: Set<UInt16>]
    /// Of all the policies, kept up as they come and go: there may be hundreds, and a class is looked up often.
    private var fingerprint: Int

    init(
        family: IPFamily, direction: NetworkPolicy.Direction, policies: [ObjectKey], admin: [ObjectKey], baseline: [ObjectKey],
        namedPorts: [PolicyPod.NamedPort: Set<UInt16>]
    ) {
        self.family = family
        self.direction = direction
        self.policies = policies
        self.admin = admin
        self.baseline = baseline
        self.namedPorts = namedPorts
        fingerprint = policies.reduce(0) { $0 ^ $1.hashValue }
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(direction)
        hasher.combine(fingerprint)
        hasher.combine(admin)
        hasher.combine(baseline)
        hasher.combine(namedPorts)
    }

    /// The place of the first policy that does not come before this one.
    private func place(of policy: ObjectKey) -> Int {
        var low = 0, high = policies.count
        while low < high {
            let middle = (low + high) / 2
            if policies[middle] < policy { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// One policy more: where it stands. nil: it was there.
    mutating func add(_ policy: ObjectKey) -> Int? {
        let place = place(of: policy)
        if place < policies.count, policies[place] == policy { return nil }
        policies.insert(policy, at: place)
        fingerprint ^= policy.hashValue
        return place
    }

    mutating func remove(_ policy: ObjectKey) {
        let place = place(of: policy)
        guard place < policies.count, policies[place] == policy else { return }
        policies.remove(at: place)
        fingerprint ^= policy.hashValue
    }

    /// The same pods with one policy less.
    func without(_ policy: ObjectKey) -> PolicyClass {
        var other = self
        other.remove(policy)
        return other
    }

    /// What the class is named by: the first of its pods' labels, and the ports that set it apart from pods with other ones.
    func name(_ label: String) -> String {
        let ports = namedPorts.map {
            "\($0.key.proto.rawValue)/\($0.key.name)=\($0.value.sorted().map(String.init).joined(separator: "+"))"
        }.sorted().joined(
            separator: ",")
        return label + (ports.isEmpty ? "" : "{\(ports)}")
    }

    /// The cluster's policies have a say in what these pods send to their own node.
    var judgesWayToNode: Bool { direction == .egress && !(admin.isEmpty && baseline.isEmpty) }

    /// The policies by name, as far as a comment in the kernel holds them.
    struct Naming: Sendable {
        var text = ""
        /// How many of the policies it names.
        var count = 0
        var isFull: Bool { text.utf8.count >= 127 }
    }

    var naming: Naming {
        var naming = Naming()
        for policy in policies {
            if naming.isFull { break }
            naming.text += naming.text.isEmpty ? policy.description : ",\(policy)"
            naming.count += 1
        }
        return naming
    }
}

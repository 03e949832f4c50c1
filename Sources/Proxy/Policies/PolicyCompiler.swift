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
/// Pods isolated by the same policies (and with the same named ports) are a class, and a class is a number. Per direction one map leads
/// from an isolated pod's address to its class; a packet is marked with it, and looked up, class and peer together, in three sets that all
/// classes share: peers that are single addresses, with and without ports, and ranges. What is in none of them is dropped. So the rules are
/// the same few whatever policies there are, and a policy, a class or a pod is elements of sets and maps of data, which the kernel takes
/// without a look at the rest of the table.
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

    /// The maps from pods' addresses to the numbers of their classes.
    static func isolated(_ direction: NetworkPolicy.Direction) -> String { "isolated-\(direction.rawValue)" }
    static let isolatedFromNode = "isolated-from-node"
    /// The classes that NetworkPolicies isolate.
    static func isolation(_ direction: NetworkPolicy.Direction) -> String { "\(direction.rawValue)-isolation" }
    /// The classes that no NetworkPolicy isolates, but the cluster's policies name.
    static func watched(_ direction: NetworkPolicy.Direction) -> String { "\(direction.rawValue)-watched" }
    static func set(_ kind: AllowedTraffic.Kind, _ direction: NetworkPolicy.Direction) -> String {
        "\(direction.rawValue)-\(kind.rawValue)"
    }
    /// What the cluster's policies of a tier say of a class' packets.
    static func map(_ tier: ClusterNetworkPolicy.Tier, _ direction: NetworkPolicy.Direction) -> String {
        "\(direction.rawValue)-\(tier == .admin ? "admin" : "baseline")"
    }

    /// The number of a class of this name, that packets are marked with; where `isTaken` says that another has it, the next that is free.
    package static func number(_ name: String, isTaken: (UInt32) -> Bool = { _ in false }) -> UInt32 {
        var number = ShortHash.number(name)
        repeat {
            // The bit of kube-proxy's mark is never part of it, and what has no class has no mark.
            number &= ~ServiceTable.masqueradeMark
            if number != 0, !isTaken(number) { return number }
            number = (number | ServiceTable.masqueradeMark) &+ 1
        } while true
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
        return "\(direction.rawValue) \(label)\(ports.isEmpty ? "" : "{\(ports)}")"
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

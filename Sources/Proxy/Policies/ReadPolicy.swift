import Model

/// A NetworkPolicy, read once.
struct ReadPolicy: Sendable {
    let policy: NetworkPolicy
    let selector: LabelSelector
    /// By the directions in which it isolates.
    let rules: [NetworkPolicy.Direction: [NetworkPolicy.Rule]]
    let usesNamedPorts: Bool

    init(_ policy: NetworkPolicy) {
        self.policy = policy
        selector = policy.podSelector
        let directions = policy.directions
        rules = Dictionary(uniqueKeysWithValues: directions.map { ($0, policy.rules($0)) })
        usesNamedPorts = rules.values.contains { $0.contains(where: \.usesNamedPorts) }
    }

    /// Isolates the same pods in the same directions, and needs to know of them what `other` does.
    func hasScope(of other: ReadPolicy) -> Bool {
        selector == other.selector && Set(rules.keys) == Set(other.rules.keys) && usesNamedPorts == other.usesNamedPorts
    }
}

extension ClusterNetworkPolicy {
    /// What the peers of its rules are chosen by.
    func selectors(_ direction: NetworkPolicy.Direction) -> [PeerSelector] {
        rules(direction).flatMap { rule in rule.peers.compactMap { if case .pods(let choice) = $0 { PeerSelector(choice) } else { nil } } }
    }
}

extension ClusterNetworkPolicy.Rule {
    var usesNamedPorts: Bool {
        ports?.contains { if case .named = $0 { true } else { false } } ?? false
    }
}

extension NetworkPolicy.Rule {
    var usesNamedPorts: Bool {
        ports?.contains { if case .named = $0.port { true } else { false } } ?? false
    }
}

import Model
import Rules

/// Why the NetworkPolicies of one pod, in one direction, let a packet through or not: read from the policies themselves,
/// rule by rule, so that it says what was missing.
package struct PolicyExplanation: Sendable, Hashable {
    package struct RuleFinding: Sendable, Hashable {
        /// `ingress[0]`
        package let name: String
        package let isPeerMatched: Bool
        package let isPortMatched: Bool
        /// What the rule wants of the peer and of the port.
        package let peers: String
        package let ports: String
        package var isAllowed: Bool { isPeerMatched && isPortMatched }
    }

    package struct PolicyFinding: Sendable, Hashable {
        package let policy: ObjectKey
        package let rules: [RuleFinding]
    }

    package let pod: ObjectKey
    package let direction: NetworkPolicy.Direction
    /// The policies that isolate the pod in this direction; none: everything is allowed.
    package let policies: [PolicyFinding]
    package var isAllowed: Bool { policies.isEmpty || policies.contains { $0.rules.contains(where: \.isAllowed) } }
    /// The rule that lets it through: policy and rule.
    package var allowedBy: String? {
        for policy in policies { if let rule = policy.rules.first(where: \.isAllowed) { return "\(policy.policy) \(rule.name)" } }
        return nil
    }
}

extension ClusterSnapshot {
    /// Explains the decision on `packet` of the policies that select `pod`. `packet` as it stands where they decide.
    package func explain(_ packet: Packet, of pod: Pod, _ direction: NetworkPolicy.Direction) -> PolicyExplanation {
        let peerAddress = direction == .ingress ? packet.source : packet.destination
        let peer = pods.first { !$0.isHostNetwork && !$0.isFinished && $0.ip == peerAddress }
        let receiver = direction == .ingress ? pod : peer
        let isolating = policies.filter { $0.namespace == pod.namespace && $0.directions.contains(direction) && $0.podSelector.matches(pod.labels) }
        let findings = isolating.sorted { $0.key < $1.key }.map { policy in
            PolicyExplanation.PolicyFinding(
                policy: policy.key,
                rules: policy.rules(direction).enumerated().map { index, rule in
                    PolicyExplanation.RuleFinding(
                        name: "\(direction.rawValue)[\(index)]",
                        isPeerMatched: rule.peers?.contains { matches($0, peerAddress, peer, policy.namespace) } ?? true,
                        isPortMatched: rule.ports?.contains { Self.matches($0, packet, receiver) } ?? true,
                        peers: rule.peers.map { $0.isEmpty ? "nobody" : $0.map(Self.words).joined(separator: "; ") } ?? "everyone",
                        ports: rule.ports.map { $0.map(Self.words).joined(separator: ", ") } ?? "every port and protocol")
                })
        }
        return PolicyExplanation(pod: pod.key, direction: direction, policies: findings)
    }

    private func matches(_ peer: NetworkPolicy.Peer, _ address: IPv4Address, _ pod: Pod?, _ home: String) -> Bool {
        switch peer {
        case .ipBlock(let cidr, let except): return cidr.contains(address) && !except.contains { $0.contains(address) }
        case .pods(let selector, let around):
            guard let pod, selector.matches(pod.labels) else { return false }
            guard let around else { return pod.namespace == home }
            return around.matches(namespaces.first { $0.name == pod.namespace }?.labels ?? [:])
        }
    }

    private static func matches(_ port: NetworkPolicy.Port, _ packet: Packet, _ receiver: Pod?) -> Bool {
        guard port.proto.number == packet.proto else { return false }
        switch port.port {
        case .all: return true
        case .range(let range): return range.contains(packet.destinationPort)
        case .named(let name):
            let numbers = receiver.map { ($0.containers + $0.initContainers).compactMap { $0.port(named: name, protocol: port.proto.rawValue) } } ?? []
            return numbers.contains(Int(packet.destinationPort))
        }
    }

    private static func words(_ peer: NetworkPolicy.Peer) -> String {
        switch peer {
        case .ipBlock(let cidr, let except): return "addresses of \(cidr)\(except.isEmpty ? "" : " but \(except.map(\.description).joined(separator: ", "))")"
        case .pods(let pods, let namespaces):
            let whose = pods.requirements.isEmpty ? "pods" : "pods with \(words(pods))"
            guard let namespaces else { return "\(whose) of the same namespace" }
            return namespaces.requirements.isEmpty ? "\(whose) of any namespace" : "\(whose) of namespaces with \(words(namespaces))"
        }
    }

    private static func words(_ selector: LabelSelector) -> String { selector.requirements.map(\.description).joined(separator: ", ") }

    private static func words(_ port: NetworkPolicy.Port) -> String {
        switch port.port {
        case .all: "every \(port.proto.rawValue) port"
        case .range(let range): range.count == 1 ? "\(port.proto.rawValue) \(range.lowerBound)" : "\(port.proto.rawValue) \(range.lowerBound)-\(range.upperBound)"
        case .named(let name): "\(port.proto.rawValue) \"\(name)\""
        }
    }
}

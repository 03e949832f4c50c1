import Model
import Rules

extension ClusterSnapshot {
    /// The decisions of policies on one way: of those that the sending pod has, and of those that the receiving one has, were the packet to
    /// come so far.
    package func explanations(_ journey: Journey, from source: PacketSource) -> [PolicyExplanation] {
        guard isEnforced else { return [] }
        var result: [PolicyExplanation] = []
        let deciding = journey.hops.filter { [.forward, .input, .output].contains($0.point) }
        if case .pod(let address, _) = source, let pod = pod(at: address), let hop = deciding.first {
            result.append(explain(hop.trace.packet, of: pod, .egress, isOwnNode: hop.point == .input))
        }
        guard let pod = pod(at: journey.packet.destination), let hop = deciding.last, hop.point != .input,
            !pod.ips.contains(hop.trace.packet.source)
        else { return result }
        // What a node sends to a Service is judged, although it is the pod's own.
        let isOwnNode = hop.point == .output && !hop.trace.packet.isDestinationTranslated
        return result + [explain(hop.trace.packet, of: pod, .ingress, isOwnNode: isOwnNode)]
    }

    private func pod(at address: IPAddress) -> Pod? { pods.first { !$0.isHostNetwork && !$0.isFinished && $0.ips.contains(address) } }

    /// Explains the decision on `packet` of the policies that choose `pod`. `packet` as it stands where they decide.
    package func explain(_ packet: Packet, of pod: Pod, _ direction: NetworkPolicy.Direction, isOwnNode: Bool = false) -> PolicyExplanation
    {
        let address = direction == .ingress ? packet.source : packet.destination
        let peer = self.pod(at: address)
        let reading = PolicyReading(
            snapshot: self, packet: packet, address: address, peer: peer, receiver: direction == .ingress ? pod : peer, direction: direction
        )
        let isolating = policies.filter {
            $0.namespace == pod.namespace && $0.directions.contains(direction) && $0.podSelector.matches(pod.labels)
        }
        // No rule for what comes to a pod can name a node.
        let isJudged = !isOwnNode || direction == .egress
        return PolicyExplanation(
            pod: pod.key, direction: direction, isOwnNode: isOwnNode, admin: isJudged ? reading.tier(.admin, of: pod) : nil,
            policies: isolating.sorted { $0.key < $1.key }.map(reading.policy), baseline: isJudged ? reading.tier(.baseline, of: pod) : nil)
    }
}

/// One packet, held against policies as they are written.
private struct PolicyReading {
    let snapshot: ClusterSnapshot
    let packet: Packet
    /// The peer's.
    let address: IPAddress
    let peer: Pod?
    /// Who says what a port's name means.
    let receiver: Pod?
    let direction: NetworkPolicy.Direction

    func policy(_ policy: NetworkPolicy) -> PolicyExplanation.PolicyFinding {
        let rules = policy.rules(direction).enumerated().map { index, rule in
            PolicyExplanation.RuleFinding(
                name: "\(direction.rawValue)[\(index)]",
                isPeerMatched: rule.peers?.contains { matches($0, home: policy.namespace) } ?? true,
                isPortMatched: rule.ports?.contains(where: matches) ?? true, peers: PolicyWords.peers(rule.peers),
                ports: PolicyWords.ports(rule.ports))
        }
        return PolicyExplanation.PolicyFinding(policy: policy.key, rules: rules)
    }

    /// The first rule of a tier that the packet matches.
    func tier(_ tier: ClusterNetworkPolicy.Tier, of pod: Pod) -> PolicyExplanation.TierFinding? {
        for policy in snapshot.clusterPolicies.filter({ $0.tier == tier && isChosen(pod, $0.subject) }).sorted(
            by: ClusterNetworkPolicy.precedes)
        {
            for (index, rule) in policy.rules(direction).enumerated()
            where rule.peers.contains(where: matches) && rule.ports?.contains(where: matches) ?? true {
                return PolicyExplanation.TierFinding(
                    policy: policy.name, rule: policy.origin(of: rule, index, direction), action: rule.action)
            }
        }
        return nil
    }

    private func labels(ofNamespace name: String) -> [String: String] { snapshot.namespaces.first { $0.name == name }?.labels ?? [:] }

    private func isChosen(_ pod: Pod, _ choice: ClusterNetworkPolicy.PodChoice) -> Bool {
        choice.pods.matches(pod.labels) && choice.namespaces.matches(labels(ofNamespace: pod.namespace))
    }

    private func matches(_ peer: NetworkPolicy.Peer, home: String) -> Bool {
        switch peer {
        case .ipBlock(let cidr, let except): return cidr.contains(address) && !except.contains { $0.contains(address) }
        case .pods(let selector, let around):
            guard let peer = self.peer, selector.matches(peer.labels) else { return false }
            return around.map { $0.matches(labels(ofNamespace: peer.namespace)) } ?? (peer.namespace == home)
        }
    }

    private func matches(_ port: NetworkPolicy.Port) -> Bool {
        guard port.proto.number == packet.proto else { return false }
        switch port.port {
        case .all: return true
        case .range(let range): return range.contains(packet.destinationPort)
        case .named(let name): return numbers(name, port.proto).contains(Int(packet.destinationPort))
        }
    }

    private func matches(_ peer: ClusterNetworkPolicy.Peer) -> Bool {
        switch peer {
        case .pods(let choice): self.peer.map { isChosen($0, choice) } ?? false
        case .nodes(let selector): snapshot.nodes.contains { $0.internalIP(address.family) == address && selector.matches($0.labels) }
        case .networks(let networks): networks.contains { $0.contains(address) }
        }
    }

    private func matches(_ port: ClusterNetworkPolicy.PortMatch) -> Bool {
        switch port {
        case .transport(let proto, let range): return proto.number == packet.proto && range?.contains(packet.destinationPort) ?? true
        case .named(let name):
            guard let proto = TransportProtocol.allCases.first(where: { $0.number == packet.proto }) else { return false }
            return numbers(name, proto).contains(Int(packet.destinationPort))
        }
    }

    private func numbers(_ name: String, _ proto: TransportProtocol) -> [Int] {
        receiver.map { ($0.containers + $0.initContainers).compactMap { $0.port(named: name, protocol: proto.rawValue) } } ?? []
    }
}

/// What a rule of a NetworkPolicy wants, said in words.
private enum PolicyWords {
    static func peers(_ peers: [NetworkPolicy.Peer]?) -> String {
        peers.map { $0.isEmpty ? "nobody" : $0.map(words).joined(separator: "; ") } ?? "everyone"
    }

    static func ports(_ ports: [NetworkPolicy.Port]?) -> String {
        ports.map { $0.map(words).joined(separator: ", ") } ?? "every port and protocol"
    }

    private static func words(_ peer: NetworkPolicy.Peer) -> String {
        switch peer {
        case .ipBlock(let cidr, let except):
            return "addresses of \(cidr)\(except.isEmpty ? "" : " but \(except.map(\.description).joined(separator: ", "))")"
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
        case .range(let range):
            range.count == 1
                ? "\(port.proto.rawValue) \(range.lowerBound)" : "\(port.proto.rawValue) \(range.lowerBound)-\(range.upperBound)"
        case .named(let name): "\(port.proto.rawValue) \"\(name)\""
        }
    }
}

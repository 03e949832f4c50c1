import Model
import Rules

/// What stands in the table even without a policy: hooks, and the rules by which all classes of pods are judged.
extension PolicyCompiler {
    package static func base(_ family: IPFamily) -> Ruleset {
        var rules = Ruleset()
        let source = Field.sourceAddress(family), destination = Field.destinationAddress(family)
        let known = Rule(.connectionState([.established, .related]), .verdict(.accept), comment: "replies and what goes on")
        // A pod that reaches itself through a Service comes this way: no policy may keep it from itself.
        rules.sets["itself"] = NamedSet(key: [source.type, source.type], comment: "isolated pods of this node, to and from themselves")
        let itself = Rule(.inSet([source, destination], "itself"), .verdict(.accept), comment: "a pod always reaches itself")
        // Who is where on a link is not the pods' affair alone: a bridge lets these tables see it, where ARP has one of its own.
        let neighbours: [Rule] =
            family == .ipv4 ? [] : NeighbourDiscovery.types.map { Rule(NeighbourDiscovery.matches($0) + [.verdict(.accept)]) }
        rules.chains["forward"] = Chain(
            hook: Hook(.filter, .forward, Hook.filter),
            [known, itself] + neighbours + [Rule(.verdict(.jump("egress"))), Rule(.verdict(.goto("ingress")))])
        // A node always reaches its own pods directly, as probes must; what it sends to a Service is the policy's business.
        rules.chains["output"] = Chain(
            hook: Hook(.filter, .output, Hook.filter), [known, Rule(.destinationWasTranslated, .verdict(.jump("ingress")))])
        // NetworkPolicies leave a pod and its own node to each other; the cluster's own policies do not.
        rules.sets[isolatedFromNode] = NamedSet(
            key: [source.type], data: [.mark], comment: "pods of this node whose way to it ClusterNetworkPolicies judge, and their classes")
        rules.chains["input"] = Chain(
            hook: Hook(.filter, .input, Hook.filter),
            [known] + neighbours + [Rule(.setMarkFromMap([source], isolatedFromNode), .verdict(.goto("judge-way-to-node")))])
        rules.chains["judge-way-to-node"] = Chain(ClusterNetworkPolicy.Tier.allCases.map { tier(.egress, $0, family) })
        for direction in NetworkPolicy.Direction.allCases { rules.merge(judging(direction, family)) }
        return rules
    }

    private static func peer(_ direction: NetworkPolicy.Direction, _ family: IPFamily) -> Field {
        direction == .ingress ? .sourceAddress(family) : .destinationAddress(family)
    }

    /// One look-up for all the rules of a tier: accepted, dropped, or on to the next.
    private static func tier(_ direction: NetworkPolicy.Direction, _ tier: ClusterNetworkPolicy.Tier, _ family: IPFamily) -> Rule {
        Rule(.verdictMap([.orderedMark, peer(direction, family), .transportProtocol, .destinationPort], map(tier, direction)))
    }

    /// How one direction is judged: the pod's class as the packet's mark, and then what its class allows.
    private static func judging(_ direction: NetworkPolicy.Direction, _ family: IPFamily) -> Ruleset {
        var rules = Ruleset()
        let name = direction.rawValue, peer = peer(direction, family), judge = "judge-\(name)", isolated = isolated(direction)
        let pod: Field = direction == .ingress ? .destinationAddress(family) : .sourceAddress(family)
        let kept = ServiceTable.masqueradeMark, ofMasqueraded = "\(name)-of-masqueraded"
        rules.chains[name] = Chain([
            Rule(.markHas(kept), .verdict(.goto(ofMasqueraded)), comment: "to be masqueraded: kube-proxy's mark has to stay"),
            Rule(.setMarkFromMap([pod], isolated), .verdict(.goto(judge))),
        ])
        rules.chains[ofMasqueraded] = Chain([Rule(.setMarkFromMap([pod], isolated), .verdict(.jump(judge))), Rule(.setMark(kept))])

        rules.sets[isolated] = NamedSet(
            key: [pod.type], data: [.mark], comment: "pods of this node that policies isolate for \(name), and their classes")
        rules.sets[isolation(direction)] = NamedSet(key: [.mark], comment: "classes that NetworkPolicies isolate for \(name)")
        rules.sets[watched(direction)] = NamedSet(key: [.mark], comment: "classes that ClusterNetworkPolicies alone judge")
        let fields: [AllowedTraffic.Kind: [Field]] = [
            .peers: [.mark, peer], .ports: [.mark, peer, .transportProtocol, .destinationPort],
            .ranges: [.orderedMark, peer, .transportProtocol, .destinationPort],
        ]
        var allowed: [Rule] = []
        for kind in AllowedTraffic.Kind.allCases {
            let set = set(kind, direction), fields = fields[kind] ?? []
            rules.sets[set] = NamedSet(key: fields.map(\.type), isInterval: kind == .ranges, comment: "who may, by class: \(kind.words)")
            allowed.append(Rule(.inSet(fields, set), .counter, .verdict(.return), comment: "allowed"))
        }
        for tier in ClusterNetworkPolicy.Tier.allCases {
            rules.sets[map(tier, direction)] = NamedSet(
                key: [.mark, peer.type, .transportProtocol, .port], isVerdictMap: true, isInterval: true,
                comment: "ClusterNetworkPolicies of tier \(tier == .admin ? "Admin" : "Baseline")")
        }
        rules.chains[judge] = Chain(
            [tier(direction, .admin, family)] + allowed + [
                Rule(.inSet([.mark], isolation(direction)), .counter, .verdict(.drop), comment: "isolated for \(name)"),
                tier(direction, .baseline, family), Rule(.inSet([.mark], watched(direction)), .verdict(.return)),
                // A packet may be on its way here while its class goes.
                Rule(.verdict(.drop), comment: "of no class any more: it is judged when it is sent again"),
            ])
        return rules
    }
}

extension AllowedTraffic.Kind {
    fileprivate var words: String {
        switch self {
        case .peers: "addresses at every port"
        case .ports: "addresses at a port"
        case .ranges: "ranges of addresses and ports"
        }
    }
}

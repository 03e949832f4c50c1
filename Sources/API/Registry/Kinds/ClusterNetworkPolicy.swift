import Model

/// policy.networking.k8s.io ClusterNetworkPolicy: a custom kind whose definition minik brings with it, with the limits of upstream's own.
/// (kubernetes-sigs/network-policy-api, config/crd)
extension KindDefinition {
    /// One for each version that is served; objects are kept as the older one's, which is the same.
    static let clusterNetworkPolicies: [KindDefinition] = custom(ClusterNetworkPolicySchema.definition).map { kind in
        kind.with {
            $0.validate = { object, old, context in
                let causes = kind.validate(object, old, context)
                return causes + ClusterNetworkPolicyRules.causes(object["spec"])
            }
        }
    }
}

/// What the definition's validation rules in CEL say, and what minik cannot do.
private enum ClusterNetworkPolicyRules {
    static func causes(_ spec: JSON) -> [StatusError.Cause] {
        var causes = selectors(spec["subject"], "spec.subject")
        for (direction, peerField) in [("ingress", "from"), ("egress", "to")] {
            for (index, rule) in spec[direction].items.enumerated() { causes += self.rule(rule, "spec.\(direction)[\(index)]", peerField) }
        }
        return causes
    }

    private static func rule(_ rule: JSON, _ path: String, _ peerField: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let peers = rule[peerField].items, protocols = rule["protocols"].items
        for (index, peer) in peers.enumerated() {
            let here = "\(path).\(peerField)[\(index)]"
            causes += selectors(peer, here)
            if !peer["domainNames"].isNull {
                causes.append(.forbidden("\(here).domainNames", "minik does not follow domain names; use networks"))
            }
            for (number, network) in peer["networks"].items.enumerated() {
                // The rule is CEL's isCIDR, to which host bits are nothing wrong.
                if IPNetwork.parts(network.string ?? "") == nil {
                    causes.append(.invalid("\(here).networks[\(number)]", "string", "Invalid CIDR format provided"))
                }
            }
        }
        let hasPlaces = peers.contains { peer in ["networks", "nodes", "domainNames"].contains { !peer[$0].isNull } }
        if hasPlaces, protocols.contains(where: { !$0["destinationNamedPort"].isNull }) {
            causes.append(
                .invalid(
                    path, "object",
                    "networks/nodes/domainNames peer cannot be set with namedPorts since there are no namedPorts for networks/nodes/domainNames"
                ))
        }
        for (index, match) in protocols.enumerated() {
            for name in ["tcp", "udp", "sctp"] {
                let range = match[name]["destinationPort"]["range"]
                guard let start = range["start"].int, let end = range["end"].int, start >= end else { continue }
                causes.append(
                    .invalid("\(path).protocols[\(index)].\(name).destinationPort.range", "object", "Start port must be less than End port")
                )
            }
        }
        return causes
    }

    private static func selectors(_ choice: JSON, _ path: String) -> [StatusError.Cause] {
        SelectorRules.validate(choice["namespaces"], "\(path).namespaces") + SelectorRules.validate(choice["nodes"], "\(path).nodes")
            + SelectorRules.validate(choice["pods"]["namespaceSelector"], "\(path).pods.namespaceSelector")
            + SelectorRules.validate(choice["pods"]["podSelector"], "\(path).pods.podSelector")
    }
}

import Model
import Rules

/// The table of kube-proxy's nftables mode (kubernetes pkg/proxy/nftables, KEP-3866): its names, its hooks, its promises.
package enum ServiceTable {
    package static func id(_ family: IPFamily) -> TableID { TableID(TableFamily(family), "kube-proxy") }
    package static let masqueradeMark: UInt32 = 0x4000

    static let serviceIPs = "service-ips"
    static let serviceNodePorts = "service-nodeports"
    static let noEndpointServices = "no-endpoint-services"
    static let noEndpointNodePorts = "no-endpoint-nodeports"
    static let clusterIPs = "cluster-ips"
    static let nodePortIPs = "nodeport-ips"
    static let markForMasquerade = "mark-for-masquerade"
    static let rejectChain = "reject-chain"

    static func addressProtocolPort(_ family: IPFamily) -> [Field] { [.destinationAddress(family), .transportProtocol, .destinationPort] }

    /// The sets and maps that every Service's part adds elements to.
    package static func sets(_ family: IPFamily) -> [String: NamedSet] {
        [
            serviceIPs: NamedSet(
                key: [.address(family), .transportProtocol, .port], isVerdictMap: true,
                comment: "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
            serviceNodePorts: NamedSet(key: [.transportProtocol, .port], isVerdictMap: true, comment: "NodePort traffic"),
            noEndpointServices: NamedSet(
                key: [.address(family), .transportProtocol, .port], isVerdictMap: true,
                comment: "vmap to drop or reject packets to services with no endpoints"),
            noEndpointNodePorts: NamedSet(
                key: [.transportProtocol, .port], isVerdictMap: true,
                comment: "vmap to drop or reject packets to service nodeports with no endpoints"),
            clusterIPs: NamedSet(key: [.address(family)], comment: "Active ClusterIPs"),
            nodePortIPs: NamedSet(key: [.address(family)], comment: "IPs that accept NodePort traffic"),
        ]
    }

    /// What stands in the table before the first Service: hooks, dispatch, masquerading.
    package static func base(_ node: NodeView) -> Ruleset {
        var rules = Ruleset()
        let family = node.family, destination = Field.destinationAddress(family)
        rules.sets = sets(family)
        rules.add([.address(node.address)], to: nodePortIPs)

        // What conntrack finds invalid would pass untranslated, and the client would reset the connection. (kubernetes#74839)
        let dropsInvalid = Rule(.connectionState(.invalid), .verdict(.drop), comment: "belongs to no connection, would pass untranslated")
        let isNew = Statement.connectionState(.new)
        func jump(_ chain: String) -> Statement { .verdict(.jump(chain)) }
        let beforeNAT = Hook.destinationNAT - 10
        rules.chains = [
            "filter-input": Chain(
                hook: Hook(.filter, .input, beforeNAT),
                [dropsInvalid, Rule(isNew, jump("nodeport-endpoints-check")), Rule(isNew, jump("service-endpoints-check"))]),
            "filter-forward": Chain(
                hook: Hook(.filter, .forward, beforeNAT),
                [dropsInvalid, Rule(isNew, jump("service-endpoints-check")), Rule(isNew, jump("cluster-ips-check"))]),
            "filter-output": Chain(hook: Hook(.filter, .output, beforeNAT), [Rule(isNew, jump("service-endpoints-check"))]),
            "filter-output-post-dnat": Chain(
                hook: Hook(.filter, .output, Hook.destinationNAT + 10), [Rule(isNew, jump("cluster-ips-check"))]),
            "nat-prerouting": Chain(hook: Hook(.nat, .prerouting, Hook.destinationNAT), [Rule(jump("services"))]),
            "nat-output": Chain(hook: Hook(.nat, .output, Hook.destinationNAT), [Rule(jump("services"))]),
            "nat-postrouting": Chain(hook: Hook(.nat, .postrouting, Hook.sourceNAT), [Rule(jump("masquerading"))]),
            "services": Chain([
                Rule(.verdictMap(addressProtocolPort(family), serviceIPs)),
                Rule(
                    .inSet([destination], nodePortIPs),
                    .verdictMap([.transportProtocol, .destinationPort], serviceNodePorts)),
            ]),
            "service-endpoints-check": Chain([Rule(.verdictMap(addressProtocolPort(family), noEndpointServices))]),
            "nodeport-endpoints-check": Chain([
                Rule(
                    .inSet([destination], nodePortIPs),
                    .verdictMap([.transportProtocol, .destinationPort], noEndpointNodePorts))
            ]),
            "cluster-ips-check": Chain([
                Rule(
                    .inSet([destination], clusterIPs), .reject, comment: "Reject traffic to invalid ports of ClusterIPs"),
                Rule(
                    .match(destination, .network(node.serviceCIDR)), .verdict(.drop),
                    comment: "Drop traffic to unallocated ClusterIPs"),
            ]),
            "masquerading": Chain([
                Rule(.markUnset(masqueradeMark), .verdict(.return)),
                Rule(.flipMark(masqueradeMark), .sourceNAT(node.address)),
            ]),
            markForMasquerade: Chain([Rule(.setMark(masqueradeMark))]),
            rejectChain: Chain([Rule(.reject)]),
        ]
        return rules
    }
}

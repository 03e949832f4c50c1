import Model
import Rules

/// The table of kube-proxy's nftables mode (kubernetes pkg/proxy/nftables, KEP-3866): its names, its hooks, its promises. But where
/// kube-proxy has a chain for each Service, here are a few rules for all of them, and each Service is elements of sets and maps: the kernel
/// looks through a whole table for loops whenever a verdict map gets an element that leads to a chain, and never for one that holds data.
package enum ServiceTable {
    package static func id(_ family: IPFamily) -> TableID { TableID(TableFamily(family), "kube-proxy") }
    package static let masqueradeMark: UInt32 = 0x4000

    static let noEndpointServices = "no-endpoint-services"
    static let noEndpointNodePorts = "no-endpoint-nodeports"
    static let noLocalEndpointServices = "no-local-endpoint-services"
    static let noLocalEndpointNodePorts = "no-local-endpoint-nodeports"
    static let clusterNodePorts = "cluster-nodeports"
    static let localNodePorts = "local-nodeports"
    static let externalIPs = "external-ips"
    static let localExternalIPs = "local-external-ips"
    static let noLocalEndpointExternals = "no-local-endpoint-external-ips"
    static let partlyRefused = "partly-refused-ips"
    private static let refusedCheck = "refused-check"
    static let balancerIPs = "balancer-ips"
    static let firewallIPs = "firewall-ips"
    static let firewallSources = "firewall-sources"
    static let hairpinConnections = "hairpin-connections"
    private static let nodePorts = "nodeports", nodePortsOfLocal = "nodeports-of-policy-local"
    private static let externalIPsOfLocal = "external-ips-of-policy-local", firewallCheck = "firewall-check"
    static let clusterIPs = "cluster-ips"
    static let nodePortIPs = "nodeport-ips"
    static let markForMasquerade = "mark-for-masquerade"

    static func addressProtocolPort(_ family: IPFamily) -> [Field] { [.destinationAddress(family), .transportProtocol, .destinationPort] }

    /// The sets and maps that every Service's part adds elements to.
    package static func sets(_ family: IPFamily) -> [String: NamedSet] {
        let nodePort = [FieldType.transportProtocol, .port], service = [.address(family)] + nodePort
        let endpoint = [FieldType.address(family), .port]
        return [
            noEndpointServices: NamedSet(key: service, comment: "Services without an endpoint, to be refused"),
            noEndpointNodePorts: NamedSet(key: nodePort, comment: "node ports of Services without an endpoint, to be refused"),
            noLocalEndpointServices: NamedSet(key: service, comment: "internalTrafficPolicy Local, and no endpoint here"),
            noLocalEndpointNodePorts: NamedSet(key: nodePort, comment: "externalTrafficPolicy Local, and no endpoint here"),
            clusterNodePorts: NamedSet(key: nodePort, comment: "NodePort traffic to all endpoints"),
            localNodePorts: NamedSet(key: nodePort, comment: "NodePort traffic of externalTrafficPolicy Local"),
            externalIPs: NamedSet(key: service, comment: "externalIPs and load balancers' addresses, to all endpoints"),
            localExternalIPs: NamedSet(key: service, comment: "the same, of externalTrafficPolicy Local"),
            noLocalEndpointExternals: NamedSet(key: service, comment: "the same, and no endpoint here"),
            partlyRefused: NamedSet(key: service, comment: "external addresses some of whose numbers nobody has: who threw one is refused"),
            balancerIPs: NamedSet(key: [.address(family)], comment: "load balancers' addresses: who sends from one is this node itself"),
            firewallIPs: NamedSet(key: service, comment: "destinations that are subject to loadBalancerSourceRanges"),
            firewallSources: NamedSet(key: service + [.address(family)], isInterval: true, comment: "who may come to those"),
            hairpinConnections: NamedSet(key: [.address(family), .address(family)], comment: "pods that serve, from and to themselves"),
            ServiceWay.services.map: NamedSet(key: service + [.slot], data: endpoint, comment: "who serves a Service's address and port"),
            ServiceWay.nodePorts.map: NamedSet(key: nodePort + [.slot], data: endpoint, comment: "who serves a node port"),
            ServiceWay.localNodePorts.map: NamedSet(
                key: nodePort + [.slot], data: endpoint, comment: "who serves a node port on this node"),
            ServiceWay.localExternalIPs.map: NamedSet(
                key: service + [.slot], data: endpoint, comment: "who serves an external address on this node"),
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
                [
                    dropsInvalid, Rule(isNew, jump("nodeport-endpoints-check")), Rule(isNew, jump("service-endpoints-check")),
                    Rule(isNew, jump("external-endpoints-check")), Rule(isNew, jump(refusedCheck)),
                ]),
            "filter-forward": Chain(
                hook: Hook(.filter, .forward, beforeNAT),
                [
                    dropsInvalid, Rule(isNew, jump("service-endpoints-check")), Rule(isNew, jump("external-endpoints-check")),
                    Rule(isNew, jump("cluster-ips-check")), Rule(isNew, jump(refusedCheck)),
                ]),
            "filter-prerouting": Chain(hook: Hook(.filter, .prerouting, beforeNAT), [Rule(isNew, jump(firewallCheck))]),
            "filter-output": Chain(
                hook: Hook(.filter, .output, beforeNAT), [Rule(isNew, jump("service-endpoints-check")), Rule(isNew, jump(firewallCheck))]),
            "filter-output-post-dnat": Chain(
                hook: Hook(.filter, .output, Hook.destinationNAT + 10),
                [Rule(isNew, jump("cluster-ips-check")), Rule(isNew, jump(refusedCheck))]),
            "nat-prerouting": Chain(hook: Hook(.nat, .prerouting, Hook.destinationNAT), [Rule(jump("services"))]),
            "nat-output": Chain(hook: Hook(.nat, .output, Hook.destinationNAT), [Rule(jump("services"))]),
            "nat-postrouting": Chain(hook: Hook(.nat, .postrouting, Hook.sourceNAT), [Rule(jump("masquerading"))]),
            "masquerading": Chain([
                Rule(
                    .destinationWasTranslated, .inSet([.sourceAddress(family), destination], hairpinConnections),
                    .sourceNAT(node.address), comment: "hairpin: the pod reaches itself"),
                Rule(.markUnset(masqueradeMark), .verdict(.return)),
                Rule(.flipMark(masqueradeMark), .sourceNAT(node.address)),
            ]),
            markForMasquerade: Chain([Rule(.setMark(masqueradeMark))]),
        ]
        rules.chains.merge(ways(node).merging(checks(node)) { $1 }) { $1 }
        return rules
    }

    /// Where a connection to a Service goes.
    private static func ways(_ node: NodeView) -> [String: Chain] {
        let family = node.family, destination = Field.destinationAddress(family)
        func jump(_ chain: String) -> Statement { .verdict(.jump(chain)) }
        func goto(_ chain: String) -> Statement { .verdict(.goto(chain)) }
        return [
            "services": Chain([
                Rule(
                    .inSet([destination], clusterIPs), .match(.sourceAddress(family), .network(node.clusterCIDR), negated: true),
                    jump(markForMasquerade), comment: "from outside the pod network"),
                Rule(.inSet([destination], clusterIPs), goto(ServiceWay.services.chain)),
                Rule(.inSet(addressProtocolPort(family), localExternalIPs), goto(externalIPsOfLocal)),
                Rule(.inSet(addressProtocolPort(family), externalIPs), jump(markForMasquerade), comment: "in case it crosses nodes"),
                Rule(.inSet(addressProtocolPort(family), externalIPs), goto(ServiceWay.services.chain)),
                Rule(.inSet([destination], nodePortIPs), goto(nodePorts)),
            ]),
            externalIPsOfLocal: Chain(
                shortCircuit(node, to: ServiceWay.services.chain) + [Rule(goto(ServiceWay.localExternalIPs.chain))]),
            nodePorts: Chain([
                Rule(.inSet(nodePort, localNodePorts), goto(nodePortsOfLocal)),
                Rule(.inSet(nodePort, clusterNodePorts), jump(markForMasquerade)), Rule(goto(ServiceWay.nodePorts.chain)),
            ]),
            nodePortsOfLocal: Chain(
                shortCircuit(node, to: ServiceWay.nodePorts.chain) + [Rule(goto(ServiceWay.localNodePorts.chain))]),
        ]
    }

    /// What becomes of a connection to nobody.
    private static func checks(_ node: NodeView) -> [String: Chain] {
        let family = node.family, destination = Field.destinationAddress(family)
        return [
            "service-endpoints-check": Chain([
                Rule(.inSet(addressProtocolPort(family), noEndpointServices), .reject),
                Rule(.inSet(addressProtocolPort(family), noLocalEndpointServices), .verdict(.drop)),
            ]),
            "external-endpoints-check": Chain([Rule(.inSet(addressProtocolPort(family), noLocalEndpointExternals), .verdict(.drop))]),
            refusedCheck: Chain([
                Rule(.match(.transportProtocol, .proto(.tcp)), .inSet(addressProtocolPort(family), partlyRefused), .reset),
                Rule(.inSet(addressProtocolPort(family), partlyRefused), .reject),
            ]),
            firewallCheck: Chain([Rule(.inSet(addressProtocolPort(family), firewallIPs), .verdict(.goto("firewall-sources-check")))]),
            "firewall-sources-check": Chain([
                Rule(.inSet(addressProtocolPort(family) + [.sourceAddress(family)], firewallSources), .verdict(.return)),
                Rule(.verdict(.drop), comment: "not of the Service's loadBalancerSourceRanges"),
            ]),
            "nodeport-endpoints-check": Chain([
                Rule(.inSet([destination], nodePortIPs), .inSet(nodePort, noEndpointNodePorts), .reject),
                Rule(.inSet([destination], nodePortIPs), .inSet(nodePort, noLocalEndpointNodePorts), .verdict(.drop)),
            ]),
            "cluster-ips-check": Chain([
                Rule(
                    .inSet([destination], clusterIPs), .reject, comment: "Reject traffic to invalid ports of ClusterIPs"),
                Rule(
                    .match(destination, .network(node.serviceCIDR)), .verdict(.drop),
                    comment: "Drop traffic to unallocated ClusterIPs"),
            ]),
        ]
    }

    private static let nodePort = [Field.transportProtocol, .destinationPort]

    /// Pods and the node itself are not subject to externalTrafficPolicy Local: it is for them as if they had gone out to a load balancer
    /// and come back in. (kubernetes pkg/proxy/nftables/proxier.go)
    static func shortCircuit(_ node: NodeView, to chain: String) -> [Rule] {
        [
            Rule(
                .match(.sourceAddress(node.family), .network(node.clusterCIDR)), .verdict(.goto(chain)),
                comment: "short-circuit pod traffic")
        ]
            + [nodePortIPs, balancerIPs].flatMap { own in
                let isNode = Statement.inSet([.sourceAddress(node.family)], own)
                return [
                    Rule(isNode, .verdict(.jump(markForMasquerade)), comment: "masquerade local traffic"),
                    Rule(isNode, .verdict(.goto(chain)), comment: "short-circuit local traffic"),
                ]
            }
    }
}

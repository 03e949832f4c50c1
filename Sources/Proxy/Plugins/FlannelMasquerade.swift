import Model
import Rules

/// What flannel masquerades: packets from pods to anything outside the cluster's network, but multicast; never pod to pod.
/// (flannel-io/flannel pkg/trafficmngr/nftables: tables `flannel-ipv4` and `flannel-ipv6`, chain `postrtg`)
package enum FlannelMasquerade {
    package static func id(_ family: IPFamily) -> TableID {
        TableID(TableFamily(family), family == .ipv4 ? "flannel-ipv4" : "flannel-ipv6")
    }

    package static func compile(_ node: NodeView) -> Ruleset {
        let source = Field.sourceAddress(node.family), destination = Field.destinationAddress(node.family)
        let multicast =
            node.family == .ipv4
            ? IPNetwork(IPAddress(ipv4: 0xE000_0000), 4) : IPNetwork(IPAddress(.ipv6, number: 0xFF << 120), 8)
        var rules = Ruleset()
        rules.chains["postrtg"] = Chain(
            hook: Hook(.nat, .postrouting, Hook.sourceNAT),
            [
                Rule(
                    .match(source, .network(node.clusterCIDR)), .match(destination, .network(node.clusterCIDR)),
                    .verdict(.return), comment: "pod to pod keeps its address"),
                Rule(
                    .match(source, .network(node.clusterCIDR)),
                    .match(destination, .network(multicast), negated: true), .sourceNAT(node.address),
                    comment: "pod to the world outside"),
            ])
        return rules
    }
}

import Model
import Rules

/// What flannel masquerades: packets from pods to anything outside the cluster's network, but multicast; never pod to pod.
/// (flannel-io/flannel pkg/trafficmngr/nftables: table `flannel-ipv4`, chain `postrtg`)
package enum FlannelMasquerade {
    package static let table = "flannel-ipv4"

    package static func compile(_ node: NodeView) -> Ruleset {
        let multicast = CIDR(IPv4Address(0xE000_0000), 4)
        var rules = Ruleset()
        rules.chains["postrtg"] = Chain(
            hook: Hook(.nat, .postrouting, Hook.sourceNAT),
            [
                Rule(
                    .match(.sourceAddress, .network(node.clusterCIDR)), .match(.destinationAddress, .network(node.clusterCIDR)),
                    .verdict(.return), comment: "pod to pod keeps its address"),
                Rule(
                    .match(.sourceAddress, .network(node.clusterCIDR)),
                    .match(.destinationAddress, .network(multicast), negated: true), .sourceNAT(node.address),
                    comment: "pod to the world outside"),
            ])
        return rules
    }
}

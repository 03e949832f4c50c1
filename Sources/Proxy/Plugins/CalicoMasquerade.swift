import Model
import Rules

/// What Calico's address pools masquerade (`natOutgoing`): packets from pods to anything that is no pod; never pod to pod.
/// (projectcalico/calico felix/rules/nat.go: table `calico`, chain `nat-cali-nat-outgoing`)
package enum CalicoMasquerade {
    package static func id(_ family: IPFamily) -> TableID { TableID(TableFamily(family), "calico") }
    private static let outgoing = "nat-cali-nat-outgoing"

    package static func compile(_ node: NodeView) -> Ruleset {
        let source = Field.sourceAddress(node.family), destination = Field.destinationAddress(node.family)
        var rules = Ruleset()
        rules.chains["nat-POSTROUTING"] = Chain(
            hook: Hook(.nat, .postrouting, Hook.sourceNAT), [Rule(.verdict(.jump(outgoing)))])
        rules.chains[outgoing] = Chain([
            Rule(
                .match(source, .network(node.clusterCIDR)), .match(destination, .network(node.clusterCIDR), negated: true),
                .sourceNAT(node.address), comment: "pod to the world outside")
        ])
        return rules
    }
}

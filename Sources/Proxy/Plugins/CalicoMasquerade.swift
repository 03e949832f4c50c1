import Model
import Rules

/// What Calico's address pools masquerade (`natOutgoing`): packets from pods to anything that is no pod; never pod to pod.
/// (projectcalico/calico felix/rules/nat.go: table `calico`, chain `nat-cali-nat-outgoing`; the pools are Felix' IP sets of these names)
package enum CalicoMasquerade {
    package static func id(_ family: IPFamily) -> TableID { TableID(TableFamily(family), "calico") }
    private static let outgoing = "nat-cali-nat-outgoing", all = "cali40all-ipam-pools", masqueraded = "cali40masq-ipam-pools"

    package static func compile(_ node: NodeView) -> Ruleset {
        var rules = base(node.address)
        rules.merge(pools([node.clusterCIDR], masqueraded: [node.clusterCIDR]))
        return rules
    }

    /// What stands in the table without a pool. `address`: the node's own, which packets leave with.
    package static func base(_ address: IPAddress) -> Ruleset {
        let source = Field.sourceAddress(address.family), destination = Field.destinationAddress(address.family)
        var rules = Ruleset()
        for (set, comment) in [(all, "all pools"), (masqueraded, "pools with natOutgoing")] {
            rules.sets[set] = NamedSet(key: [source.type], isInterval: true, comment: comment)
        }
        rules.chains["nat-POSTROUTING"] = Chain(
            hook: Hook(.nat, .postrouting, Hook.sourceNAT), [Rule(.verdict(.jump(outgoing)))])
        rules.chains[outgoing] = Chain([
            Rule(.inSet([destination], all), .verdict(.return), comment: "pod to pod keeps its address"),
            Rule(.inSet([source], masqueraded), .sourceNAT(address), comment: "pod to the world outside"),
        ])
        return rules
    }

    /// The pools' part of the table.
    package static func pools(_ ranges: [IPNetwork], masqueraded those: [IPNetwork]) -> Ruleset {
        var rules = Ruleset()
        for range in ranges { rules.add([.network(range)], to: all) }
        for range in those { rules.add([.network(range)], to: masqueraded) }
        return rules
    }
}

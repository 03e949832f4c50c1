import Model
import Rules

/// What the way out of a cluster with `internet: true` needs of nf_tables: a table in the nodes' LAN, and one of this machine's own.
package enum InternetTables {
    /// The LAN's end of the link.
    package static let device = "internet"

    package static func lanID(_ family: IPFamily) -> TableID { TableID(TableFamily(family), "internet") }
    package static func machineID(_ cluster: String, _ family: IPFamily) -> TableID { TableID(TableFamily(family), "minik-\(cluster)") }

    /// All that leaves does it with one address, and what comes in are answers.
    package static func lan(_ way: Cluster.WayOut) -> Ruleset {
        var rules = Ruleset()
        rules.chains["postrouting"] = Chain(
            hook: Hook(.nat, .postrouting, Hook.sourceNAT),
            [Rule(.match(.outputInterface, .interface(device)), .sourceNAT(way.lan), comment: "the cluster to the world outside")])
        rules.chains["forward"] = Chain(
            hook: Hook(.filter, .forward, Hook.filter), [answersOnly(to: .match(.inputInterface, .interface(device)))])
        return rules
    }

    /// `isGuarded`: the machine sent on nothing before minik had it do so, and sends on nothing else now.
    package static func machine(_ way: Cluster.WayOut, link: String, isGuarded: Bool) -> Ruleset {
        let source = Field.sourceAddress(way.family), destination = Field.destinationAddress(way.family)
        var rules = Ruleset()
        rules.chains["postrouting"] = Chain(
            hook: Hook(.nat, .postrouting, Hook.sourceNAT),
            [Rule(.match(source, .address(way.lan)), .masquerade, comment: "the cluster to the world outside")])
        var forward = [
            Rule(
                .match(.inputInterface, .interface(link)), .match(source, .address(way.lan), negated: true), .verdict(.drop),
                comment: "only what the nodes' LAN has masqueraded"),
            answersOnly(to: .match(.outputInterface, .interface(link))),
        ]
        if isGuarded {
            forward.append(
                Rule(
                    .match(source, .network(way.range), negated: true), .match(destination, .network(way.range), negated: true),
                    .verdict(.drop), comment: "this machine sends on nothing else, as before"))
        }
        rules.chains["forward"] = Chain(hook: Hook(.filter, .forward, Hook.filter), forward)
        return rules
    }

    private static func answersOnly(to device: Statement) -> Rule {
        Rule(device, .connectionState([.new, .invalid]), .verdict(.drop), comment: "only answers come in")
    }
}

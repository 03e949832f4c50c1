import Model
import Rules

/// Who may put frames into the overlay: the nodes, and nobody else. Table `overlay-peers`, of the family that the nodes talk in.
///
/// A VXLAN device takes whatever comes to its port, and what comes out of it is a packet from anyone. So a node takes VXLAN from nodes'
/// addresses only, and carries none for its pods, whose packets would leave with the node's own address.
package enum OverlayTable {
    package static func id(_ family: IPFamily) -> TableID { TableID(TableFamily(family), "overlay-peers") }
    /// Linux' own VXLAN port, which flannel keeps; and IANA's, which Calico has.
    package static let flannelPort: UInt16 = 8472, calicoPort: UInt16 = 4789
    private static let nodes = "nodes"

    package static func compile(_ peers: [IPAddress], _ family: IPFamily, port: UInt16 = flannelPort) -> Ruleset {
        let isVXLAN: [Statement] = [.match(.transportProtocol, .proto(.udp)), .match(.destinationPort, .port(port))]
        var rules = Ruleset()
        rules.sets[nodes] = NamedSet(key: [.address(family)], comment: "the cluster's nodes")
        for peer in peers where peer.family == family { rules.add([.address(peer)], to: nodes) }
        let next = Statement.verdict(.goto("vxlan"))
        rules.chains = [
            // After destinations were translated: no Service leads here either.
            "input": Chain(hook: Hook(.filter, .input, Hook.filter), [Rule(isVXLAN + [next])]),
            "forward": Chain(
                hook: Hook(.filter, .forward, Hook.filter), [Rule([.inSet([.destinationAddress(family)], nodes)] + isVXLAN + [next])]),
            "vxlan": Chain([
                Rule(.inSet([.sourceAddress(family)], nodes), .verdict(.return)),
                Rule(.counter, .verdict(.drop), comment: "not from a node"),
            ]),
        ]
        return rules
    }
}

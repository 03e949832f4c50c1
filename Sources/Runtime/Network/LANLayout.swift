import Model
import Netlink

/// What the LAN between nodes consists of, in the order in which it can be made.
package enum LANLayout {
    /// Derived, so that a node that is made again is known by the same.
    static func eth0Address(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/eth0")
    }

    /// The LAN that the nodes stand on, without its ports.
    package static func lan(_ cluster: Cluster) -> [NetworkItem] {
        // As a router it answers "network unreachable" for what lies beyond the lab. Frames between nodes are the LAN's alone: nothing here
        // filters them.
        let settings = cluster.families.flatMap { family -> [NetworkItem] in
            [.routing(family), .bridgeFiltering(family, isOn: false)]
        }
        let bridge = NetworkItem.link(
            LinkItem(NodeLAN.bridge, .bridge, mtu: cluster.mtu, address: MACAddress(derivedFrom: "\(cluster.name)/lan")))
        return settings + [bridge]
            + cluster.networks.flatMap { NetworkItem.onLink($0.gateway, in: $0.nodes, dev: NodeLAN.bridge) }
    }

    /// A node's port on the LAN's bridge.
    package static func lanPort(_ name: String, _ cluster: Cluster, isUp: Bool = true) -> NetworkItem {
        var port = LinkItem(name, .plug, mtu: cluster.mtu, master: NodeLAN.bridge)
        port.isUp = isUp
        return .link(port)
    }

    /// What a node's port is called.
    package static func portName(_ node: String) -> String { "lan\(ShortHash.hex(node, digits: 8))" }

    /// The outside client's end of the LAN.
    package static func outside(_ link: String, _ cluster: Cluster) -> [NetworkItem] {
        [.link(LinkItem(link, .plug, mtu: cluster.mtu))] + cluster.networks.flatMap { NetworkItem.onLink($0.host, in: $0.nodes, dev: link) }
    }
}

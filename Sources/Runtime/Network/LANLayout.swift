import Model
import Netlink

/// What the LAN between nodes consists of, in the order in which it can be made.
enum LANLayout {
    /// Derived, so that a node that is made again is known by the same.
    static func eth0Address(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/eth0")
    }

    /// The LAN that the nodes stand on, without its ports.
    package static func lan(_ cluster: Cluster) -> [NetworkItem] {
        [
            // As a router it answers "network unreachable" for what lies beyond the lab.
            .sysctl("net.ipv4.ip_forward", "1"),
            // Frames between nodes are the LAN's alone: nothing here filters them.
            .sysctl("net.bridge.bridge-nf-call-iptables", "0"),
            .link(LinkItem(NodeLAN.bridge, .bridge, mtu: cluster.mtu, address: MACAddress(derivedFrom: "\(cluster.name)/lan"))),
            .address(cluster.gatewayAddress, cluster.nodeSubnet.prefixLength, dev: NodeLAN.bridge),
            .connected(cluster.nodeSubnet, from: cluster.gatewayAddress, dev: NodeLAN.bridge),
        ]
    }

    /// A node's port on the LAN's bridge.
    package static func lanPort(_ name: String, _ cluster: Cluster) -> NetworkItem {
        .link(LinkItem(name, .plug, mtu: cluster.mtu, master: NodeLAN.bridge))
    }

    /// The outside client's end of the LAN.
    package static func outside(_ link: String, _ cluster: Cluster) -> [NetworkItem] {
        [
            .link(LinkItem(link, .plug, mtu: cluster.mtu)), .address(cluster.hostAddress, cluster.nodeSubnet.prefixLength, dev: link),
            .connected(cluster.nodeSubnet, from: cluster.hostAddress, dev: link),
        ]
    }
}

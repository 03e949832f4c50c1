import Model
import Netlink

/// What the network of a node, of a pod and of the LAN between nodes consists of, each in the order in which it can be made.
package enum NetworkLayout {
    /// As flannel lays a node out: eth0 on the LAN, flannel.1 to the peers, cni0 for its pods.
    package static func node(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        let eth0 = "eth0", flannel = NodeNetwork.vxlan, bridge = NodeNetwork.bridge, mtu = NodeNetwork.podMTU(cluster)
        let vxlan = LinkItem.Kind.vxlan(vni: cluster.vni, underlay: eth0, local: node.address, port: NodeNetwork.vxlanPort)
        var items: [NetworkItem] = [
            .sysctl("net.ipv4.ip_forward", "1"), .sysctl("net.ipv4.conf.all.rp_filter", "0"),
            .sysctl("net.ipv4.conf.default.rp_filter", "0"),
            .sysctl("net.bridge.bridge-nf-call-iptables", "1"),
            // A connection that was cut off must not be taken up again in its midst.
            .sysctl("net.netfilter.nf_conntrack_tcp_loose", "0"),
            .link(LinkItem(eth0, .plug, mtu: cluster.mtu, address: eth0Address(node, cluster))),
            .sysctl("net.ipv4.conf.eth0.rp_filter", "0"),
            .address(node.address, cluster.nodeSubnet.prefixLength, dev: eth0),
            .connected(cluster.nodeSubnet, from: node.address, dev: eth0),
            .route(.all, via: cluster.gatewayAddress, dev: eth0),
            .link(LinkItem(flannel, vxlan, mtu: mtu, address: NodeNetwork.vtep(node, cluster))),
            .address(node.podCIDR.network, 32, dev: flannel),
        ]
        // Flannel's order for a peer: neighbour, FDB, route.
        for peer in cluster.nodes where peer.name != node.name {
            let mac = NodeNetwork.vtep(peer, cluster)
            items += [
                .neighbour(peer.podCIDR.network, mac, dev: flannel), .forwarding(mac, to: peer.address, dev: flannel),
                .route(peer.podCIDR, via: peer.podCIDR.network, dev: flannel, onlink: true),
            ]
        }
        return items + [
            .link(LinkItem(bridge, .bridge, mtu: mtu, address: MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/cni0"))),
            .address(node.podCIDR[1], node.podCIDR.prefixLength, dev: bridge), .connected(node.podCIDR, from: node.podCIDR[1], dev: bridge),
            // So that 127.0.0.1 leads to host ports, too.
            .sysctl("net.ipv4.conf.\(bridge).route_localnet", "1"),
        ]
    }

    static func eth0Address(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/eth0")
    }

    /// The inside of a pod.
    package static func pod(_ pod: Pod, address: IPv4Address, on node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        let gateway = node.podCIDR[1]
        return [
            .link(
                LinkItem("eth0", .plug, mtu: NodeNetwork.podMTU(cluster), address: MACAddress(derivedFrom: "\(cluster.name)/\(pod.uid)"))),
            .address(address, node.podCIDR.prefixLength, dev: "eth0"), .connected(node.podCIDR, from: address, dev: "eth0"),
            .route(.all, via: gateway, dev: "eth0"),
            .route(cluster.podSubnet, via: gateway, dev: "eth0"),
        ]
    }

    /// A pod's port on its node's bridge.
    package static func port(of pod: Pod, _ cluster: Cluster) -> NetworkItem {
        .link(LinkItem(NodeNetwork.vethName(pod), .plug, mtu: NodeNetwork.podMTU(cluster), master: NodeNetwork.bridge))
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

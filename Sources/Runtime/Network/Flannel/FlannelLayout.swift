import Model
import Netlink

/// What the network of a node and of a pod consists of, as flannel lays it out, each in the order in which it can be made.
package enum FlannelLayout {
    static let bridge = "cni0"
    static let vxlan = "flannel.1"
    private static let vxlanPort: UInt16 = 8472

    /// What a VXLAN adds to a packet: outer Ethernet, IP, UDP and VXLAN headers.
    static func podMTU(_ cluster: Cluster) -> Int { cluster.mtu - 50 }

    /// The VTEP address of a node: derived, so that peers need not be told when a node is rebuilt.
    static func vtep(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/flannel.1")
    }

    /// The host side's name of a pod's veth: `veth` and eight hexadecimal digits.
    static func vethName(_ pod: Pod) -> String { "veth\(ShortHash.hex(pod.uid, digits: 8))" }

    /// The MAC of a pod's eth0: derived, so that a link that is made again is known by the same.
    static func hardwareAddress(_ pod: Pod, _ cluster: Cluster) -> MACAddress { MACAddress(derivedFrom: "\(cluster.name)/\(pod.uid)") }

    /// As flannel lays a node out: eth0 on the LAN, flannel.1 to the peers, cni0 for its pods.
    package static func node(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        let eth0 = "eth0", mtu = podMTU(cluster)
        let tunnel = LinkItem.Kind.vxlan(vni: cluster.vni, underlay: eth0, local: node.address, port: vxlanPort)
        var items: [NetworkItem] = [
            .sysctl("net.ipv4.ip_forward", "1"), .sysctl("net.ipv4.conf.all.rp_filter", "0"),
            .sysctl("net.ipv4.conf.default.rp_filter", "0"),
            .sysctl("net.bridge.bridge-nf-call-iptables", "1"),
            // A connection that was cut off must not be taken up again in its midst.
            .sysctl("net.netfilter.nf_conntrack_tcp_loose", "0"),
            .link(LinkItem(eth0, .plug, mtu: cluster.mtu, address: LANLayout.eth0Address(node, cluster))),
            .sysctl("net.ipv4.conf.eth0.rp_filter", "0"),
            .address(node.address, cluster.nodeSubnet.prefixLength, dev: eth0),
            .connected(cluster.nodeSubnet, from: node.address, dev: eth0),
            .route(.all(.ipv4), via: cluster.gatewayAddress, dev: eth0),
            .link(LinkItem(vxlan, tunnel, mtu: mtu, address: vtep(node, cluster))),
            .address(node.podCIDR.network, 32, dev: vxlan),
        ]
        // Flannel's order for a peer: neighbour, FDB, route.
        for peer in cluster.nodes where peer.name != node.name {
            let mac = vtep(peer, cluster)
            items += [
                .neighbour(peer.podCIDR.network, mac, dev: vxlan), .forwarding(mac, to: peer.address, dev: vxlan),
                .route(peer.podCIDR, via: peer.podCIDR.network, dev: vxlan, onlink: true),
            ]
        }
        return items + [
            .link(LinkItem(bridge, .bridge, mtu: mtu, address: MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/cni0"))),
            .address(node.podCIDR[1], node.podCIDR.prefixLength, dev: bridge), .connected(node.podCIDR, from: node.podCIDR[1], dev: bridge),
            // So that 127.0.0.1 leads to host ports, too.
            .sysctl("net.ipv4.conf.\(bridge).route_localnet", "1"),
        ]
    }

    /// The inside of a pod.
    package static func pod(_ pod: Pod, address: IPAddress, on node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        let gateway = node.podCIDR[1]
        return [
            .link(
                LinkItem("eth0", .plug, mtu: podMTU(cluster), address: hardwareAddress(pod, cluster))),
            .address(address, node.podCIDR.prefixLength, dev: "eth0"), .connected(node.podCIDR, from: address, dev: "eth0"),
            .route(.all(.ipv4), via: gateway, dev: "eth0"),
            .route(cluster.podSubnet, via: gateway, dev: "eth0"),
        ]
    }

    /// A pod's port on its node's bridge.
    package static func port(of pod: Pod, _ cluster: Cluster) -> NetworkItem {
        .link(LinkItem(vethName(pod), .plug, mtu: podMTU(cluster), master: bridge))
    }
}

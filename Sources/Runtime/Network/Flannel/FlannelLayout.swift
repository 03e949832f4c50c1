import Model
import Netlink

/// What the network of a node and of a pod consists of, as flannel lays it out, each in the order in which it can be made.
package enum FlannelLayout {
    static let bridge = "cni0"
    /// Each family has a tunnel of its own, of the same VNI.
    package static func vxlan(_ family: IPFamily, vni: Int = 1) -> String { family == .ipv4 ? "flannel.\(vni)" : "flannel-v6.\(vni)" }
    private static let vxlanPort: UInt16 = 8472

    /// What a VXLAN adds to a packet: outer Ethernet, IP, UDP and VXLAN headers.
    package static func tunnelOverhead(_ family: IPFamily) -> Int { family == .ipv4 ? 50 : 70 }

    static func tunnelMTU(_ family: IPFamily, _ cluster: Cluster) -> Int { cluster.mtu - tunnelOverhead(family) }

    /// What fits into every tunnel.
    static func podMTU(_ cluster: Cluster) -> Int { cluster.families.map { tunnelMTU($0, cluster) }.min() ?? cluster.mtu }

    /// The VTEP address of a node: derived, so that peers need not be told when a node is rebuilt.
    static func vtep(_ node: Cluster.NodeSpec, _ family: IPFamily, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/\(vxlan(family))")
    }

    /// The host side's name of a pod's veth: `veth` and eight hexadecimal digits.
    static func vethName(_ pod: Pod) -> String { "veth\(ShortHash.hex(pod.uid, digits: 8))" }

    /// The MAC of a pod's eth0: derived, so that a link that is made again is known by the same.
    static func hardwareAddress(_ pod: Pod, _ cluster: Cluster) -> MACAddress { MACAddress(derivedFrom: "\(cluster.name)/\(pod.uid)") }

    /// As flannel lays a node out: eth0 on the LAN, flannel.1 and flannel-v6.1 to the peers, cni0 for its pods.
    package static func node(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        var items = withoutBridge(node, cluster)
        items.append(.link(bridgeLink(node, cluster, mtu: podMTU(cluster))))
        for (_, place) in cluster.places(of: node) { items += NetworkItem.onLink(place.podCIDR[1], in: place.podCIDR, dev: bridge) }
        // So that 127.0.0.1 leads to host ports, too.
        if cluster.families.contains(.ipv4) { items.append(.sysctl("net.ipv4.conf.\(bridge).route_localnet", "1")) }
        return items
    }

    static func bridgeLink(_ node: Cluster.NodeSpec, _ cluster: Cluster, mtu: Int) -> LinkItem {
        LinkItem(bridge, .bridge, mtu: mtu, address: MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/cni0"))
    }

    /// What flannel's daemon lays out; the bridge is its CNI plugin's.
    static func withoutBridge(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        NodeLayout.items(node, cluster) + cluster.places(of: node).flatMap { tunnel(node, $0.place, cluster) }
    }

    private static let lan = NodeLayout.lan

    /// One family's tunnel, and where each peer is in it: flannel's order is neighbour, FDB, route.
    private static func tunnel(_ node: Cluster.NodeSpec, _ place: NodePlace, _ cluster: Cluster) -> [NetworkItem] {
        let family = place.family, name = vxlan(family)
        let kind = LinkItem.Kind.vxlan(vni: cluster.vni, underlay: lan, local: place.address, port: vxlanPort)
        let link = LinkItem(name, kind, mtu: tunnelMTU(family, cluster), address: vtep(node, family, cluster))
        let peers = cluster.nodes.filter { $0.name != node.name }.flatMap { peer -> [NetworkItem] in
            guard let there = peer.place(family) else { return [] }
            let mac = vtep(peer, family, cluster)
            return [
                .neighbour(there.podCIDR.network, mac, dev: name), .forwarding(mac, to: there.address, dev: name),
                .route(there.podCIDR, via: there.podCIDR.network, dev: name, onlink: true),
            ]
        }
        return [.link(link), .address(place.podCIDR.network, family.bits, dev: name)] + peers
    }

    /// The inside of a pod, with an address of each family that it has.
    package static func pod(_ pod: Pod, addresses: [IPAddress], of subnet: FlannelSubnet, _ cluster: Cluster) -> [NetworkItem] {
        let link = NetworkItem.link(LinkItem(lan, .plug, mtu: subnet.mtu, address: hardwareAddress(pod, cluster)))
        return addresses.reduce(into: [link]) { items, address in
            guard let place = subnet.place(address.family) else { return }
            items += NetworkItem.onLink(address, in: place.subnet, dev: lan)
            items += [
                .route(.all(address.family), via: place.gateway, dev: lan), .route(place.network, via: place.gateway, dev: lan),
            ]
        }
    }

    /// A pod's port on its node's bridge.
    static func port(of pod: Pod, mtu: Int) -> NetworkItem { .link(LinkItem(vethName(pod), .plug, mtu: mtu, master: bridge)) }
}

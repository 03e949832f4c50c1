import Model
import Netlink
import TLS

/// What Calico lays out: no bridge, a route for each pod, and blocks of addresses.
/// (projectcalico/calico cni-plugin, felix, libcalico-go/lib/ipam)
package enum CalicoLayout {
    package static let vxlan = "vxlan.calico"
    private static let vxlanPort: UInt16 = 4789, vni = 4096
    /// What VXLAN puts around a packet.
    package static let tunnelOverhead = 50
    /// The node's end of every link has the same, so that a pod that moves needs no new neighbour.
    static let portAddress = MACAddress(0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE)
    /// Where a pod sends everything: nobody has it, and the node answers for it.
    static let gateway = IPAddress(ipv4: 0xA9FE_0101)
    private static let blockLength = 26, mostBlocks = 16

    /// `cali` and eleven digits, of the pod's name and not of the pod: its successor of the same name has the same.
    static func linkName(_ pod: Pod) -> String { linkName(pod.namespace, pod.name) }

    package static func linkName(_ namespace: String, _ name: String) -> String {
        let digest = Digest.sha1(Array("\(namespace).\(name)".utf8))
        return "cali" + String(digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined().prefix(11))
    }

    static func podMTU(_ cluster: Cluster) -> Int { cluster.encapsulation == .none ? cluster.mtu : cluster.mtu - tunnelOverhead }

    /// A node's range in blocks. One that would be too many blocks is led to whole.
    package static func blocks(of node: Cluster.NodeSpec) -> [IPNetwork] {
        let range = node.podCIDR, count = 1 << max(0, blockLength - range.prefixLength)
        guard range.prefixLength < blockLength, count <= mostBlocks else { return [range] }
        return (0..<count).map { IPNetwork(range[$0 << (32 - blockLength)], blockLength) }
    }

    /// The node's own address in the tunnel: the first of its first block.
    static func tunnelAddress(of node: Cluster.NodeSpec) -> IPAddress { node.podCIDR.network }

    static func vtep(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/\(vxlan)")
    }

    package static func node(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        let peers = cluster.nodes.filter { $0.name != node.name }
        var items = NodeLayout.items(node, cluster)
        if cluster.encapsulation == .vxlan {
            items += tunnel(
                at: tunnelAddress(of: node), vtep(node, cluster), underlay: NodeLayout.lan, local: node.address, mtu: podMTU(cluster))
        }
        for peer in peers {
            items +=
                cluster.encapsulation == .vxlan
                ? tunnelled(to: blocks(of: peer), via: tunnelAddress(of: peer), vtep(peer, cluster), of: peer.address)
                : direct(to: blocks(of: peer), via: peer.address, dev: NodeLayout.lan)
        }
        // What no pod has is nobody else's.
        return items + blocks(of: node).map { .blackhole($0) }
    }

    /// A node's end of the tunnel.
    package static func tunnel(at address: IPAddress, _ mac: MACAddress, underlay: String, local: IPAddress, mtu: Int) -> [NetworkItem] {
        let kind = LinkItem.Kind.vxlan(vni: vni, underlay: underlay, local: local, port: vxlanPort)
        return [.link(LinkItem(vxlan, kind, mtu: mtu, address: mac)), .address(address, 32, dev: vxlan)]
    }

    /// The way to another node's blocks through the tunnel, by its address in it.
    package static func tunnelled(to blocks: [IPNetwork], via address: IPAddress, _ mac: MACAddress, of node: IPAddress) -> [NetworkItem] {
        [.neighbour(address, mac, dev: vxlan), .forwarding(mac, to: node, dev: vxlan)]
            + blocks.map { .route($0, via: address, dev: vxlan, onlink: true) }
    }

    /// By the node's own address: on one LAN no tunnel is needed.
    package static func direct(to blocks: [IPNetwork], via node: IPAddress, dev device: String) -> [NetworkItem] {
        blocks.map { .route($0, via: node, dev: device) }
    }

    /// A pod's link on its node, and the way to the pod.
    package static func port(of pod: Pod, addresses: [IPAddress], mtu: Int) -> [NetworkItem] {
        port(linkName(pod), addresses: addresses, mtu: mtu)
    }

    package static func port(_ name: String, addresses: [IPAddress], mtu: Int) -> [NetworkItem] {
        [
            .link(LinkItem(name, .plug, mtu: mtu, address: portAddress)),
            .sysctl("net.ipv4.conf.\(name).proxy_arp", "1"),
            // The kernel would think up to 0.8 s before it answers for somebody else.
            .sysctl("net.ipv4.neigh.\(name).proxy_delay", "0"),
            // What a pod sends has the address that the route back leads to it by.
            .sysctl("net.ipv4.conf.\(name).rp_filter", "1"),
            // So that 127.0.0.1 leads to host ports, too.
            .sysctl("net.ipv4.conf.\(name).route_localnet", "1"),
        ] + addresses.map { .connected(IPNetwork($0, 32), from: nil, dev: name) }
    }

    /// The inside of a pod, whose link has the name `device` there.
    package static func pod(
        _ device: String = NodeLayout.lan, addresses: [IPAddress], mtu: Int, hardwareAddress: MACAddress
    ) -> [NetworkItem] {
        [.link(LinkItem(device, .plug, mtu: mtu, address: hardwareAddress))] + addresses.map { .address($0, 32, dev: device) } + [
            .connected(IPNetwork(gateway, 32), from: nil, dev: device), .route(.all(.ipv4), via: gateway, dev: device),
        ]
    }
}

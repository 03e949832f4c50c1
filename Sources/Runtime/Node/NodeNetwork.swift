import Model
import Netlink

/// The links of one emulated node, as flannel lays them out: eth0 on the node LAN, flannel.1 to the peers, cni0 for its pods.
package actor NodeNetwork {
    package static let bridge = "cni0"
    package static let vxlan = "flannel.1"
    private static let vxlanPort: UInt16 = 8472

    private let node: Cluster.NodeSpec
    private let cluster: Cluster
    private let path: String
    private var socket: NetlinkSocket
    private var bridgeIndex: Int32 = 0

    /// Opens the node's namespace; nothing is changed before `setUp`.
    package init(node: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths) throws {
        self.node = node
        self.cluster = cluster
        path = paths.nodeNetns(node.name)
        socket = try NetlinkSocket(in: NetworkNamespace(path: path))
    }

    /// What a VXLAN adds to a packet: outer Ethernet, IP, UDP and VXLAN headers.
    package static func podMTU(_ cluster: Cluster) -> Int { cluster.mtu - 50 }

    /// The VTEP address of a node: derived, so that peers need not be told when a node is rebuilt.
    package static func vtep(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/flannel.1")
    }

    /// Builds what is missing; what stands already is kept.
    package func setUp() throws {
        let namespace = try NetworkNamespace(path: path)
        for (key, value) in [
            ("net.ipv4.ip_forward", "1"), ("net.ipv4.conf.all.rp_filter", "0"), ("net.ipv4.conf.default.rp_filter", "0"),
            ("net.ipv4.conf.eth0.rp_filter", "0"), ("net.bridge.bridge-nf-call-iptables", "1"),
            // A connection that was cut off must not be taken up again in its midst.
            ("net.netfilter.nf_conntrack_tcp_loose", "0"),
        ] { try namespace.set(sysctl: key, value) }

        let eth0 = try socket.index(of: "eth0")
        try socket.setUp(eth0)
        try socket.addAddress(node.address, cluster.nodeSubnet.prefixLength, dev: eth0)
        try socket.addRoute(.all, via: cluster.gatewayAddress, dev: eth0)

        let mtu = Self.podMTU(cluster)
        if try socket.link(Self.vxlan) == nil {
            try socket.addVXLAN(
                Self.vxlan, vni: cluster.vni, underlay: eth0, local: node.address, port: Self.vxlanPort, mtu: mtu, address: Self.vtep(node, cluster))
        }
        let flannel = try socket.index(of: Self.vxlan)
        try socket.addAddress(node.podCIDR.network, 32, dev: flannel)
        for peer in cluster.nodes where peer.name != node.name { try add(peer, flannel) }

        if try socket.link(Self.bridge) == nil {
            try socket.addBridge(Self.bridge, mtu: mtu, address: MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/cni0"))
        }
        bridgeIndex = try socket.index(of: Self.bridge)
        try socket.addAddress(node.podCIDR[1], node.podCIDR.prefixLength, dev: bridgeIndex)
        // So that 127.0.0.1 leads to host ports, too.
        try namespace.set(sysctl: "net.ipv4.conf.\(Self.bridge).route_localnet", "1")
    }

    /// One peer: how its pods' network is routed, and where its frames go. Flannel's order: neighbour, FDB, route.
    private func add(_ peer: Cluster.NodeSpec, _ flannel: Int32) throws {
        let mac = Self.vtep(peer, cluster)
        try socket.addNeighbour(peer.podCIDR.network, mac, dev: flannel)
        try socket.addFDBEntry(mac, dst: peer.address, dev: flannel)
        try socket.addRoute(peer.podCIDR, via: peer.podCIDR.network, dev: flannel, onlink: true)
    }

    /// The host side's name of a pod's veth: `veth` and eight hexadecimal digits.
    package static func vethName(_ pod: Pod) -> String { "veth\(ShortHash.hex(pod.uid, digits: 8))" }

    /// Connects a pod: a veth from cni0 to eth0 in its namespace, its address and its two routes.
    package func attach(_ pod: Pod, namespace podPath: String, address: IPv4Address) throws {
        let podNamespace = try NetworkNamespace(path: podPath)
        let name = Self.vethName(pod)
        try socket.deleteLink(name)
        try socket.addVeth(
            name, master: bridgeIndex, mtu: Self.podMTU(cluster), peer: "eth0",
            peerAddress: MACAddress(derivedFrom: "\(cluster.name)/\(pod.uid)"), peerNamespace: podNamespace)
        try socket.setHairpin(try socket.index(of: name))
        var inside = try NetlinkSocket(in: podNamespace)
        let eth0 = try inside.index(of: "eth0")
        try inside.setUp(eth0)
        try inside.addAddress(address, node.podCIDR.prefixLength, dev: eth0)
        try inside.addRoute(.all, via: node.podCIDR[1], dev: eth0)
        try inside.addRoute(cluster.podSubnet, via: node.podCIDR[1], dev: eth0)
    }

    package func detach(_ pod: Pod) throws { try socket.deleteLink(Self.vethName(pod)) }
}

import CSandbox
import Glibc
import Model
import Netlink

/// The LAN that the nodes stand on: a bridge in a namespace of its own, a router that knows no way out, and one veth to
/// the host, which is the outside client.
package struct NodeLAN: Sendable {
    private static let bridge = "lan0"
    private let cluster: Cluster
    private let paths: ClusterPaths

    package init(cluster: Cluster, paths: ClusterPaths) {
        self.cluster = cluster
        self.paths = paths
    }

    /// Builds what is missing. Returns how the host takes part.
    package func setUp() throws -> OutsideClient {
        if !Files.exists(paths.lanNetns) { try NetworkNamespace.create(path: paths.lanNetns) }
        let namespace = try NetworkNamespace(path: paths.lanNetns)
        // As a router it answers "network unreachable" for what lies beyond the lab.
        try namespace.set(sysctl: "net.ipv4.ip_forward", "1")
        // Frames between nodes are the LAN's alone: nothing here filters them.
        try namespace.set(sysctl: "net.bridge.bridge-nf-call-iptables", "0")
        var lan = try NetlinkSocket(in: namespace)
        if try lan.link(Self.bridge) == nil {
            try lan.addBridge(Self.bridge, mtu: cluster.mtu, address: MACAddress(derivedFrom: "\(cluster.name)/lan"))
        }
        let bridge = try lan.index(of: Self.bridge)
        try lan.addAddress(cluster.gatewayAddress, cluster.nodeSubnet.prefixLength, dev: bridge)
        return try connectHost(&lan, bridge)
    }

    private func connectHost(_ lan: inout NetlinkSocket, _ bridge: Int32) throws -> OutsideClient {
        if Files.exists(paths.outsideNetns) { return .namespace(paths.outsideNetns) }
        var host = try NetlinkSocket(in: NetworkNamespace.current())
        if try host.link(paths.hostLink) != nil { return .host }
        // Where the host already has a route into the LAN's range, a route of ours would cut it off: the outside client is a
        // namespace of its own then.
        let conflict = try host.routes().contains { $0.destination.prefixLength > 0 && $0.destination.overlaps(cluster.nodeSubnet) }
        if conflict {
            try NetworkNamespace.create(path: paths.outsideNetns)
            try connect(&lan, bridge, NetworkNamespace(path: paths.outsideNetns), name: "eth0")
            return .namespace(paths.outsideNetns)
        }
        try connect(&lan, bridge, NetworkNamespace.current(), name: paths.hostLink)
        return .host
    }

    private func connect(_ lan: inout NetlinkSocket, _ bridge: Int32, _ outside: borrowing NetworkNamespace, name: String) throws {
        try lan.addVeth("outside", master: bridge, mtu: cluster.mtu, peer: name, peerNamespace: outside)
        var socket = try NetlinkSocket(in: outside)
        let index = try socket.index(of: name)
        try socket.setUp(index)
        try socket.addAddress(cluster.hostAddress, cluster.nodeSubnet.prefixLength, dev: index)
    }

    /// Plugs a node in: its eth0 on the LAN's bridge.
    package func attach(_ node: Cluster.NodeSpec) throws {
        var lan = try NetlinkSocket(in: NetworkNamespace(path: paths.lanNetns))
        let name = "lan\(ShortHash.hex(node.name, digits: 8))"
        if try lan.link(name) != nil { return }
        try lan.addVeth(
            name, master: try lan.index(of: Self.bridge), mtu: cluster.mtu, peer: "eth0",
            peerAddress: MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/eth0"),
            peerNamespace: NetworkNamespace(path: paths.nodeNetns(node.name)))
    }
}

/// Where the outside client stands.
package enum OutsideClient: Sendable, Hashable {
    case host
    /// The host's own network overlaps the lab's; commands for the outside client run in this namespace.
    case namespace(String)
}

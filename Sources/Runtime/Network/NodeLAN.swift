import Glibc
import Host
import Model
import Netlink

/// The LAN that the nodes stand on: a bridge in a namespace of its own, a router that knows no way out, and one veth to
/// the host, which is the outside client.
package struct NodeLAN: Sendable {
    static let bridge = "lan0"
    private static let outsidePort = "outside"
    private let cluster: Cluster
    private let paths: ClusterPaths

    /// How a node's link is to behave, as the cluster's document says it now.
    private let link: @Sendable (_ node: String) -> Cluster.NodeLink

    package init(cluster: Cluster, paths: ClusterPaths, link: (@Sendable (_ node: String) -> Cluster.NodeLink)? = nil) {
        self.cluster = cluster
        self.paths = paths
        self.link = link ?? { cluster.link(of: $0) }
    }

    /// Builds what is missing; in words, what was.
    package func repair() throws -> [String] {
        var found: [String] = []
        if !Self.isNetwork(paths.lanNetns) {
            NetworkNamespace.delete(path: paths.lanNetns)
            try NetworkNamespace.create(path: paths.lanNetns)
            found.append("the nodes' LAN")
        }
        var lan = try NetworkPlace(path: paths.lanNetns)
        found += try lan.repair(LANLayout.lan(cluster)).map { "\($0) of the nodes' LAN" }
        return found + (try connectHost(&lan).map { "\($0) of the outside client" })
    }

    /// A name under /run/netns that is bound to no namespace is a plain file.
    private static func isNetwork(_ path: String) -> Bool {
        var name = stat(), own = stat()
        return stat(path, &name) == 0 && stat("/proc/self/ns/net", &own) == 0 && name.st_dev == own.st_dev
    }

    private func connectHost(_ lan: inout NetworkPlace) throws -> [NetworkItem] {
        if Files.exists(paths.outsideNetns) {
            return try connect(&lan, .init(path: paths.outsideNetns), .init(path: paths.outsideNetns), link: "eth0")
        }
        var host = try NetlinkSocket(in: NetworkNamespace.current())
        // Where the host already has a route into the LAN's range, a route of ours would cut it off: the outside client is a
        // namespace of its own then.
        if try host.link(paths.hostLink) == nil,
            try cluster.networks.contains(where: { networks in
                try host.routes(networks.family).contains { $0.destination.prefixLength > 0 && $0.destination.overlaps(networks.nodes) }
            })
        {
            try NetworkNamespace.create(path: paths.outsideNetns)
            return try connect(&lan, .init(path: paths.outsideNetns), .init(path: paths.outsideNetns), link: "eth0")
        }
        return try connect(&lan, .current(), .current(), link: paths.hostLink)
    }

    /// `outside` twice, for a namespace has one owner: to reach in, and to be held against what it should be.
    private func connect(
        _ lan: inout NetworkPlace, _ outside: consuming NetworkNamespace, _ again: consuming NetworkNamespace, link: String
    ) throws -> [NetworkItem] {
        let port = LANLayout.lanPort(Self.outsidePort, cluster), layout = LANLayout.outside(link, cluster)
        var place = try NetworkPlace(again)
        var found: [NetworkItem] = []
        let hasPort = try lan.socket.link(Self.outsidePort) != nil, hasLink = try place.socket.link(link) != nil
        if !hasPort || !hasLink {
            found.append(port)
            try lan.socket.deleteLink(Self.outsidePort)
            try place.socket.deleteLink(link)
            try lan.socket.addVeth(
                Self.outsidePort, master: try lan.socket.index(of: Self.bridge), mtu: cluster.mtu, peer: link, peerNamespace: outside)
        }
        found += try lan.repair([port])
        return found + (try place.repair(layout))
    }

    /// Plugs a node in, whose namespace has its name: its eth0 on the LAN's bridge, which behaves as it is to. In words, what was missing.
    package func attach(_ node: Cluster.NodeSpec) throws -> [String] {
        var lan = try NetworkPlace(path: paths.lanNetns)
        let name = LANLayout.portName(node.name), link = link(node.name)
        var inside = try NetlinkSocket(in: NetworkNamespace(path: paths.nodeNetns(node.name)))
        let port = LANLayout.lanPort(name, cluster, isUp: !link.isPartitioned)
        var found: [String]
        if try lan.socket.link(name) != nil, try inside.link("eth0") != nil {
            found = try lan.repair([port]).map { "\($0) of the nodes' LAN" }
        } else {
            // The other end of what is left may stand in a namespace whose init is gone.
            try lan.socket.deleteLink(name)
            try inside.deleteLink("eth0")
            try lan.socket.addVeth(
                name, master: try lan.socket.index(of: Self.bridge), mtu: cluster.mtu, peer: "eth0",
                peerAddress: LANLayout.eth0Address(node, cluster),
                peerNamespace: NetworkNamespace(path: paths.nodeNetns(node.name)))
            _ = try lan.repair([port])
            found = ["link eth0"]
        }
        // A kernel that cannot emulate a link connects the node all the same.
        do { found += try LinkShape(link).repair(&lan.socket, port: name, &inside) } catch {
            found.append("\(NodeKeeper.unmended)\(error)")
        }
        return found
    }

    /// Takes a node's plug out for good.
    func unplug(_ node: String) throws {
        var lan = try NetlinkSocket(in: NetworkNamespace(path: paths.lanNetns))
        try lan.deleteLink(LANLayout.portName(node))
    }

    /// Has a node's link behave so from now on; a link that cannot is as it was before. A node that is not there gets it when it is.
    package func apply(_ wanted: Cluster.NodeLink) throws {
        var lan = try NetworkPlace(path: paths.lanNetns)
        let name = LANLayout.portName(wanted.node)
        guard try lan.socket.link(name) != nil, Files.exists(paths.nodeNetns(wanted.node)) else { return }
        var inside = try NetlinkSocket(in: NetworkNamespace(path: paths.nodeNetns(wanted.node)))
        try LinkShape(wanted).apply(&lan.socket, port: name, &inside)
        _ = try lan.repair([LANLayout.lanPort(name, cluster, isUp: !wanted.isPartitioned)])
    }

    /// The nodes whose plug is in, and whose other end is up, too: frames pass.
    package func connected() throws -> Set<String> {
        var lan = try NetlinkSocket(in: NetworkNamespace(path: paths.lanNetns))
        let links = Dictionary(try lan.links().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return Set(cluster.nodes.map(\.name).filter { links[LANLayout.portName($0)]?.hasCarrier == true })
    }
}

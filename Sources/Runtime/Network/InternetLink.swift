import Host
import Model
import Netlink

/// The link by which the nodes' LAN gets to this machine and beyond, in a cluster with `internet: true`.
package struct InternetLink: Sendable {
    private let cluster: Cluster
    private let paths: ClusterPaths
    /// The LAN's end.
    private let device: String

    package init(cluster: Cluster, paths: ClusterPaths, device: String) {
        self.cluster = cluster
        self.paths = paths
        self.device = device
    }

    /// Makes what is missing; in words, what was.
    package func repair() throws -> [String] {
        var lan = try NetworkPlace(path: paths.lanNetns), machine = try NetworkPlace(.current())
        let port = NetworkItem.link(LinkItem(device, .plug, mtu: cluster.mtu))
        var found: [NetworkItem] = []
        let hasPort = try lan.socket.link(device) != nil, hasLink = try machine.socket.link(paths.internetLink) != nil
        if !hasPort || !hasLink {
            found.append(port)
            try lan.socket.deleteLink(device)
            try machine.socket.deleteLink(paths.internetLink)
            try lan.socket.addVeth(device, mtu: cluster.mtu, peer: paths.internetLink, peerNamespace: .current())
        }
        found += try lan.repair(inside([port]))
        let own = [NetworkItem.link(LinkItem(paths.internetLink, .plug, mtu: cluster.mtu))]
        let outer = try machine.repair(
            own + cluster.waysOut.flatMap { NetworkItem.onLink($0.machine, in: $0.network, dev: paths.internetLink) })
        return found.map { "\($0) of the nodes' LAN" } + outer.map { "\($0) of this machine" }
    }

    private func inside(_ port: [NetworkItem]) -> [NetworkItem] {
        port
            + cluster.waysOut.flatMap { way in
                NetworkItem.onLink(way.lan, in: way.network, dev: device) + [.route(.all(way.family), via: way.machine, dev: device)]
            }
    }

    /// The families in which this machine has a way out itself: the default route of each, as `ip route` shows it.
    package static func defaultRoutes(_ families: [IPFamily]) throws -> [IPFamily: String] {
        var socket = try NetlinkSocket(in: .current())
        let names = Dictionary(try socket.links().map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        var found: [IPFamily: String] = [:]
        for family in families {
            guard let route = try socket.routes(family).first(where: { $0.destination.prefixLength == 0 && $0.device != 0 }) else {
                continue
            }
            found[family] = "default\(route.gateway.map { " via \($0)" } ?? "") dev \(names[route.device] ?? "?")"
        }
        return found
    }
}

import Model
import Netlink
import Runtime

/// What is said of the way out of a cluster.
package struct WayOutReport {
    private let cluster: Cluster
    private let paths: ClusterPaths

    package init(_ cluster: Cluster, _ paths: ClusterPaths) {
        self.cluster = cluster
        self.paths = paths
    }

    /// For each family: by which link, as whom, and where this machine leads it then.
    package var text: String {
        get throws {
            let routes = try InternetLink.defaultRoutes(cluster.families)
            return cluster.waysOut.map { way in
                "by \(paths.internetLink) as \(way.lan), then \(routes[way.family] ?? "nowhere: this machine has no default route")"
            }.joined(separator: "; ")
        }
    }

    /// How a packet to an address that is none of the cluster's goes on; nil for the cluster's own.
    package func words(to address: IPAddress) throws -> String? {
        guard let networks = cluster.networks(of: address.family) else { return nil }
        if [networks.nodes, networks.pods, networks.services].contains(where: { $0.contains(address) }) { return nil }
        guard cluster.internet, let way = cluster.waysOut.first(where: { $0.family == address.family }) else {
            return "nowhere: the nodes' LAN knows no way out (internet: true in the Cluster document makes one)"
        }
        var socket = try NetlinkSocket(in: .current())
        let route = try socket.route(to: address)
        let device = try socket.links().first { $0.index == route?.device }?.name
        let rest = route.map { "by its route \($0.text(device: device))" } ?? "which has no route there"
        return "out of the nodes' LAN by \(paths.internetLink), masqueraded as \(way.lan); then as this machine, \(rest)"
    }
}

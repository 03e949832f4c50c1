import Model
import Runtime

/// What flanneld lays out on its node: a tunnel of each family, and the way to every other node's pods.
package struct FlannelTunnels: Sendable {
    package let configuration: FlannelConfiguration
    package let uplink: Uplink
    package let own: FlannelLease

    package init(_ configuration: FlannelConfiguration, uplink: Uplink, own: FlannelLease) {
        self.configuration = configuration
        self.uplink = uplink
        self.own = own
    }

    /// What fits into every tunnel.
    package var podMTU: Int { configuration.networks.map { mtu($0.family) }.min() ?? uplink.mtu }

    private func mtu(_ family: IPFamily) -> Int {
        guard case .vxlan(_, _, _, let asked) = configuration.backend else { return uplink.mtu }
        return asked ?? uplink.mtu - FlannelLayout.tunnelOverhead(family)
    }

    /// In the order in which it can be made; what cannot be is said.
    package func items(_ peers: [FlannelLease]) -> (items: [NetworkItem], trouble: [String]) {
        var items: [NetworkItem] = [], trouble: [String] = []
        for place in own.places {
            items += device(place)
            for peer in peers.sorted(by: { $0.node < $1.node }) where peer.node != own.node {
                guard let there = peer.place(place.subnet.family) else { continue }
                switch way(to: there, of: peer) {
                case .some(let way): items += way
                case nil:
                    trouble.append(
                        "node \(peer.node) has backend \(peer.backend) at \(there.address): no way from \(configuration.backend.name) here")
                }
            }
        }
        return (items, trouble)
    }

    private func device(_ place: FlannelLease.Place) -> [NetworkItem] {
        guard case .vxlan(let vni, let port, _, _) = configuration.backend, let mac = place.tunnel else { return [] }
        let family = place.subnet.family, name = FlannelLayout.vxlan(family, vni: vni)
        let kind = LinkItem.Kind.vxlan(vni: vni, underlay: uplink.name, local: place.address, port: port)
        return [
            .link(LinkItem(name, kind, mtu: mtu(family), address: mac)), .address(place.subnet.network, family.bits, dev: name),
        ]
    }

    /// nil where there is none.
    private func way(to there: FlannelLease.Place, of peer: FlannelLease) -> [NetworkItem]? {
        let direct = NetworkItem.route(there.subnet, via: there.address, dev: uplink.name)
        guard case .vxlan(let vni, _, let isDirect, _) = configuration.backend else {
            return peer.backend == "host-gw" && uplink.isNeighbour(there.address) ? [direct] : nil
        }
        if isDirect, uplink.isNeighbour(there.address) { return [direct] }
        guard peer.backend == "vxlan", let mac = there.tunnel else { return nil }
        let name = FlannelLayout.vxlan(there.subnet.family, vni: vni)
        return [
            .neighbour(there.subnet.network, mac, dev: name), .forwarding(mac, to: there.address, dev: name),
            .route(there.subnet, via: there.subnet.network, dev: name, onlink: true),
        ]
    }

    /// What is there of an earlier state of things and leads to nobody.
    package func stale(_ reading: NetworkReading, wanted: [NetworkItem]) -> [NetworkItem] {
        uplink.stale(reading, wanted: wanted) { part in configuration.networks.contains { $0.contains(part) } }
    }
}

import Model
import Runtime

/// What calico-node lays out on its node where pods' packets are its affair: black holes for its own blocks, the way to the others'.
/// (projectcalico/calico felix/dataplane/linux, confd/etc/calico/confd/templates)
package struct CalicoRoutes: Sendable {
    /// A node as the others have to know it.
    package struct Peer: Sendable, Hashable {
        package let name: String
        package let address: IPAddress
        /// Its end of the tunnel, where it has one.
        package let tunnel: IPAddress?

        package init(name: String, address: IPAddress, tunnel: IPAddress?) {
            (self.name, self.address, self.tunnel) = (name, address, tunnel)
        }

        /// By its annotations; nil while it has none.
        package init?(_ node: Node) {
            let said = node.annotations
            guard let text = said[CalicoNodeObject.address], let address = IPAddress(text.prefix { $0 != "/" }, .ipv4) else { return nil }
            self.init(name: node.name, address: address, tunnel: said[CalicoNodeObject.tunnel].flatMap { IPAddress($0, .ipv4) })
        }

        /// Derived, so that the others' entries hold when the link is made again, and need not be told.
        var mac: MACAddress { MACAddress(derivedFrom: "\(name)/\(CalicoLayout.vxlan)") }
    }

    package let own: Peer
    package let uplink: Uplink
    package let pools: [CalicoPool]
    package let vxlanMTU: Int?

    package init(own: Peer, uplink: Uplink, pools: [CalicoPool], vxlanMTU: Int?) {
        (self.own, self.uplink, self.pools, self.vxlanMTU) = (own, uplink, pools, vxlanMTU)
    }

    /// What fits into a pod's packet.
    package var podMTU: Int { pools.contains { $0.encapsulation != .never } ? tunnelMTU : uplink.mtu }
    private var tunnelMTU: Int { vxlanMTU ?? uplink.mtu - CalicoLayout.tunnelOverhead }

    /// In the order in which it can be made; what cannot be is said. `blocks`: by the node that has them.
    package func items(_ peers: [Peer], blocks: [String: [IPNetwork]]) -> (items: [NetworkItem], trouble: [String]) {
        var items: [NetworkItem] = [], trouble: [String] = []
        if let address = own.tunnel {
            items += CalicoLayout.tunnel(at: address, own.mac, underlay: uplink.name, local: own.address, mtu: tunnelMTU)
        }
        for peer in peers.sorted(by: { $0.name < $1.name }) where peer.name != own.name {
            var tunnelled: [IPNetwork] = []
            for block in (blocks[peer.name] ?? []).sorted(by: { $0.network < $1.network }) {
                let isNeighbour = uplink.isNeighbour(peer.address)
                switch pools.first(where: { $0.range.contains(block) })?.encapsulation ?? .never {
                case .always: tunnelled.append(block)
                case .crossSubnet where !isNeighbour: tunnelled.append(block)
                case .never where !isNeighbour: trouble.append("block \(block) of node \(peer.name): no way to \(peer.address) but by BGP")
                case .never, .crossSubnet: items += CalicoLayout.direct(to: [block], via: peer.address, dev: uplink.name)
                }
            }
            guard !tunnelled.isEmpty else { continue }
            if let address = peer.tunnel, own.tunnel != nil {
                items += CalicoLayout.tunnelled(to: tunnelled, via: address, peer.mac, of: peer.address)
            } else {
                trouble.append("node \(peer.name) has said nothing of its end of the tunnel yet")
            }
        }
        // What no pod has is nobody else's.
        return (items + (blocks[own.name] ?? []).sorted { $0.network < $1.network }.map { .blackhole($0) }, trouble)
    }

    package func stale(_ reading: NetworkReading, wanted: [NetworkItem]) -> [NetworkItem] {
        // A pool is often wider than the pods' network, and holds other routes than blocks'.
        uplink.stale(reading, wanted: wanted) { part in pools.contains { $0.range.contains(part) && $0.blockLength == part.prefixLength } }
    }
}

import Glibc
import Model
import Netlink

/// cni0 as the bridge plugin sees to it before a pod is plugged in: made where it is missing, with the gateway's address where it has none.
/// (containernetworking/plugins plugins/main/bridge, ensureBridge and ensureAddr)
package enum FlannelBridge {
    package struct OtherAddress: Error, CustomStringConvertible {
        let wanted: String
        package var description: String { "\"\(FlannelLayout.bridge)\" already has an IP address different from \(wanted)" }
    }

    /// The bridge's index.
    static func ensureLink(_ layout: FlannelNetwork, in place: inout NetworkPlace) throws -> Int32 {
        if let link = try place.socket.link(FlannelLayout.bridge), link.kind == "bridge", link.isUp { return link.index }
        _ = try place.repair([.link(FlannelLayout.bridgeLink(layout.spec, layout.cluster, mtu: layout.podMTU))])
        return try place.socket.index(of: FlannelLayout.bridge)
    }

    static func ensureAddresses(_ layout: FlannelNetwork, of index: Int32, in place: inout NetworkPlace) throws {
        for wanted in layout.subnet.places {
            let found = try place.socket.addresses(wanted.subnet.family).filter { $0.device == index }.map { ($0.address, $0.prefixLength) }
            if try isMissing(wanted, among: found) {
                _ = try place.repair(NetworkItem.onLink(wanted.gateway, in: wanted.subnet, dev: FlannelLayout.bridge))
            }
        }
    }

    /// Whether the gateway's address is still to be given; of IPv6 a bridge may have others that lie elsewhere.
    package static func isMissing(_ wanted: FlannelSubnet.Place, among found: [(address: IPAddress, length: Int)]) throws(OtherAddress)
        -> Bool
    {
        for (address, length) in found {
            if (address, length) == (wanted.gateway, wanted.subnet.prefixLength) { return false }
            if wanted.subnet.family == .ipv4 || IPNetwork(address, length).overlaps(wanted.subnet) {
                throw OtherAddress(wanted: "\(wanted.gateway)/\(wanted.subnet.prefixLength)")
            }
        }
        return true
    }
}

/// The way out that `internet: true` makes: a link from the nodes' LAN to this machine, of which one end is the only address of the cluster
/// that the machine sends on.
extension Cluster {
    package struct WayOut: Sendable, Hashable {
        /// All links of all clusters.
        package let range: IPNetwork
        package let network: IPNetwork
        /// This machine's end.
        package var machine: IPAddress { network[1] }
        /// The end of the nodes' LAN, by whose address all packets leave.
        package var lan: IPAddress { network[2] }
        package var family: IPFamily { network.family }
    }

    /// One of each family. IPv4's are link-local (RFC 3927), which no route of anybody's leads to; IPv6's unique local (RFC 4193), of a
    /// prefix of minik's own.
    package var waysOut: [WayOut] {
        families.map { family in
            let range: IPNetwork, length: Int
            switch family {
            case .ipv4: (range, length) = (IPNetwork(IPAddress(ipv4: 0xA9FE_4000), 18), 30)  // 169.254.64.0/18
            case .ipv6: (range, length) = (IPNetwork(IPAddress(.ipv6, number: 0xFD6D_696E_696B_0000 << 64), 64), 126)
            }
            let place = Int(ShortHash.number("\(name)/internet") % 4096)
            return WayOut(range: range, network: range.subnet(place, length: length) ?? range)
        }
    }
}

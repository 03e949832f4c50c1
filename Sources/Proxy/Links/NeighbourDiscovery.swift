import Model
import Rules

/// IPv6's ARP: neighbour solicitations and advertisements, which are ICMPv6 packets. (RFC 4861)
enum NeighbourDiscovery {
    static let solicitation: UInt8 = 135, advertisement: UInt8 = 136
    static let types = [solicitation, advertisement]
    private static let icmpv6: UInt8 = 58

    static func matches(_ type: UInt8) -> [Statement] {
        [.match(.transportProtocol, .transportProtocol(icmpv6)), .match(.icmpv6Type, .icmpv6Type(type))]
    }
}

/// An Ethernet frame as it stands on the wire.
package struct Frame: Hashable, Sendable {
    package let source: MACAddress
    package let destination: MACAddress
    package let type: UInt16
    package let payload: [UInt8]

    package static let ipv4: UInt16 = 0x0800, arp: UInt16 = 0x0806, ipv6: UInt16 = 0x86DD

    /// nil for what is shorter than a header.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 14, let to = MACAddress(bytes[0..<6]), let from = MACAddress(bytes[6..<12]) else { return nil }
        (source, destination, type) = (from, to, UInt16(bytes[12]) << 8 | UInt16(bytes[13]))
        payload = Array(bytes[14...])
    }

    /// nil for what is no IP.
    package var datagram: Datagram? { [Self.ipv4, Self.ipv6].contains(type) ? Datagram(payload) : nil }

    /// Who asks whom, or tells, of an ARP packet of Ethernet and IPv4.
    package var arp: (isReply: Bool, sender: IPAddress, target: IPAddress)? {
        guard type == Self.arp, payload.count >= 28, let sender = IPAddress(bytes: payload[14..<18]),
            let target = IPAddress(bytes: payload[24..<28])
        else { return nil }
        return (payload[7] == 2, sender, target)
    }
}

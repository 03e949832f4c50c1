import Model

/// A packet that asks for a connection and carries a token by which it is known again wherever it arrives, translated or
/// not: a TCP SYN (in its sequence number), a UDP datagram (payload), an SCTP INIT (initiate tag), an ICMP echo request
/// (identifier and sequence number). Of either family, by its addresses.
package struct ProbePacket: Sendable, Hashable {
    package let source: IPAddress
    package let destination: IPAddress
    package let proto: UInt8
    /// 0 for ICMP.
    package let port: UInt16
    package let token: UInt32

    package init(from source: IPAddress, to destination: IPAddress, proto: UInt8, port: UInt16, token: UInt32) {
        self.source = source
        self.destination = destination
        self.proto = proto
        self.port = port
        self.token = token
    }

    private static let icmp = Datagram.icmp, icmpv6 = Datagram.icmpv6, tcp = Datagram.tcp, udp = Datagram.udp, sctp = Datagram.sctp
    /// Above the ports that connections take by themselves.
    package static let sourcePorts: Range<UInt16> = 61000..<65000
    /// The identification, or the end of the flow label: with the token it tells minik's packets from all others.
    private var sign: UInt16 { UInt16(truncatingIfNeeded: token) }
    private var sourcePort: UInt16 { Self.sourcePorts.lowerBound + UInt16(token % UInt32(Self.sourcePorts.count)) }

    /// The whole packet, IP header included (RFC 791, RFC 8200). The kernel fills in an IPv4 header's checksum.
    package var bytes: [UInt8] {
        let body = payload
        if destination.family == .ipv6 {
            return [0x60, 0] + Self.big(sign) + Self.big(UInt16(body.count)) + [proto, 64] + source.bytes + destination.bytes + body
        }
        let length = 20 + body.count
        var header: [UInt8] = [0x45, 0] + Self.big(UInt16(length)) + Self.big(sign)
        header += [0x40, 0, 64, proto, 0, 0] + source.bytes + destination.bytes
        return header + body
    }

    private var payload: [UInt8] {
        switch proto {
        case Self.icmp:
            var message: [UInt8] = [8, 0, 0, 0] + Self.big(token)
            message.replaceSubrange(2..<4, with: Self.big(Self.checksum(message)))
            return message
        case Self.icmpv6:
            var message: [UInt8] = [128, 0, 0, 0] + Self.big(token)
            message.replaceSubrange(2..<4, with: Self.big(Self.checksum(pseudoHeader(message.count) + message)))
            return message
        case Self.tcp:
            // No data, SYN, a window, no options (RFC 9293).
            var segment = Self.big(sourcePort) + Self.big(port) + Self.big(token)
            segment += [0, 0, 0, 0, 0x50, 0x02] + Self.big(UInt16(64240)) + [0, 0, 0, 0]
            segment.replaceSubrange(16..<18, with: Self.big(Self.checksum(pseudoHeader(segment.count) + segment)))
            return segment
        case Self.udp:
            var datagram = Self.big(sourcePort) + Self.big(port) + Self.big(UInt16(12)) + [0, 0] + Self.big(token)
            let sum = Self.checksum(pseudoHeader(datagram.count) + datagram)
            datagram.replaceSubrange(6..<8, with: Self.big(sum == 0 ? 0xFFFF : sum))
            return datagram
        default:
            // INIT: initiate tag, window, one stream each way, initial sequence number (RFC 9260, 3.3.2).
            let initiate = max(token, 1)
            var packet = Self.big(sourcePort) + Self.big(port) + [UInt8](repeating: 0, count: 8) + [1, 0, 0, 20]
            packet += Self.big(initiate) + Self.big(UInt32(65536)) + [0, 1, 0, 1] + Self.big(initiate)
            let sum = Self.crc32c(packet)
            packet.replaceSubrange(8..<12, with: [UInt8(sum & 255), UInt8(sum >> 8 & 255), UInt8(sum >> 16 & 255), UInt8(sum >> 24)])
            return packet
        }
    }

    /// The protocol and the token of a probe found on the wire; nil for any other packet.
    package static func token(in packet: [UInt8]) -> UInt32? {
        let proto: UInt8, body: [UInt8]
        switch packet.first.map({ $0 >> 4 }) {
        case 4 where packet.count >= 28: (proto, body) = (packet[9], Array(packet.dropFirst(Int(packet[0] & 15) * 4)))
        // A probe has no extension headers.
        case 6 where packet.count >= 48: (proto, body) = (packet[6], Array(packet.dropFirst(40)))
        default: return nil
        }
        func number(at offset: Int) -> UInt32? {
            body.count >= offset + 4 ? body[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } : nil
        }
        switch proto {
        case icmpv6: return body.count >= 8 && body[0] == 128 ? number(at: 4) : nil
        case icmp: return body.count >= 8 && body[0] == 8 ? number(at: 4) : nil
        case tcp: return body.count >= 20 && body[13] & 0x3F == 0x02 ? number(at: 4) : nil
        case udp: return number(at: 8)
        case sctp: return body.count >= 20 && body[12] == 1 ? number(at: 16) : nil
        default: return nil
        }
    }

    /// The token of a packet of minik's own, translated or not; nil for what anybody else sends. Beyond what `token(in:)` asks of it, it
    /// bears its token's end in its header, and has the form that no program's packet has: a SYN without options, an echo without data.
    package static func token(of datagram: Datagram) -> UInt32? {
        let found: UInt32?, size: Int
        switch datagram.proto {
        case icmp, icmpv6: (found, size) = (datagram.isEchoRequest ? datagram.number32(4) : nil, 8)
        case tcp: (found, size) = (datagram.flags == Datagram.syn ? datagram.sequence : nil, 20)
        case udp: (found, size) = (datagram.number32(8), 12)
        case sctp: (found, size) = (datagram.body.count > 12 && datagram.body[12] == 1 ? datagram.number32(16) : nil, 32)
        default: return nil
        }
        let header = datagram.destination.family == .ipv4 ? 20 : 40
        guard let found, datagram.length == header + size, datagram.identification == UInt16(truncatingIfNeeded: found) else { return nil }
        return found
    }

    /// The hops that a packet with a token has left: IPv4's time to live, IPv6's hop limit.
    package static func hops(in packet: [UInt8]) -> Int { Int(packet[packet[0] >> 4 == 4 ? 8 : 7]) }

    /// The address that a packet with a token comes from.
    package static func source(in packet: [UInt8]) -> IPAddress? {
        packet[0] >> 4 == 4 ? IPAddress(bytes: packet[12..<16]) : IPAddress(bytes: packet[8..<24])
    }

    /// RFC 9293, 3.1; RFC 8200, 8.1: what a family sums up of the header differs in zeros alone.
    private func pseudoHeader(_ length: Int) -> [UInt8] { source.bytes + destination.bytes + [0, proto] + Self.big(UInt16(length)) }

    private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    private static func big(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    /// RFC 1071
    private static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() { sum += index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte) }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
        return ~UInt16(sum)
    }

    /// RFC 9260, appendix A
    private static func crc32c(_ bytes: [UInt8]) -> UInt32 {
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0x82F6_3B78 : sum >> 1 }
        }
        return ~sum
    }
}

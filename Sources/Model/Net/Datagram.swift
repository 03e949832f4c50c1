/// An IP packet as it stands on the wire: its header, and the first bytes of what it carries.
package struct Datagram: Hashable, Sendable {
    package private(set) var source: IPAddress
    package private(set) var destination: IPAddress
    /// What it carries: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6, 132 SCTP.
    package let proto: UInt8
    /// IPv4's time to live, IPv6's hop limit.
    package let hops: Int
    /// What the sender numbered it with, and nobody on its way changes: IPv4's identification, the end of IPv6's flow label.
    package let identification: UInt16
    /// What the header says; more than was captured, perhaps.
    package let length: Int
    /// A fragment but the first: without ports.
    package let isLaterFragment: Bool
    /// What follows the header, as far as it is there.
    package private(set) var body: [UInt8]

    package static let icmp: UInt8 = 1, tcp: UInt8 = 6, udp: UInt8 = 17, icmpv6: UInt8 = 58, sctp: UInt8 = 132

    /// A whole packet, or its beginning; nil for what is none.
    package init?(_ bytes: some Collection<UInt8>) {
        let header = Array(bytes.prefix(60))
        switch header.first.map({ $0 >> 4 }) {
        case 4:
            let size = Int(header[0] & 15) * 4
            guard size >= 20, header.count >= size else { return nil }
            self.init(header: header, body: Array(bytes.dropFirst(size)))
        case 6:
            guard header.count >= 40 else { return nil }
            self.init(header: header, body: Array(bytes.dropFirst(40)))
        default: return nil
        }
    }

    /// A header, and apart from it what it carries.
    package init?(header: [UInt8], body: [UInt8]) {
        func number(_ offset: Int) -> Int { Int(header[offset]) << 8 | Int(header[offset + 1]) }
        switch header.first.map({ $0 >> 4 }) {
        case 4 where header.count >= 20:
            guard let from = IPAddress(bytes: header[12..<16]), let to = IPAddress(bytes: header[16..<20]) else { return nil }
            (source, destination, proto, hops, length) = (from, to, header[9], Int(header[8]), number(2))
            isLaterFragment = number(6) & 0x1FFF != 0
            identification = UInt16(number(4))
        case 6 where header.count >= 40:
            guard let from = IPAddress(bytes: header[8..<24]), let to = IPAddress(bytes: header[24..<40]) else { return nil }
            // What has extension headers is shown by the first of them.
            (source, destination, proto, hops, length) = (from, to, header[6], Int(header[7]), number(4) + 40)
            isLaterFragment = false
            identification = UInt16(number(2))
        default: return nil
        }
        self.body = body
    }

    private func number16(_ offset: Int) -> UInt16? {
        body.count >= offset + 2 && !isLaterFragment ? UInt16(body[offset]) << 8 | UInt16(body[offset + 1]) : nil
    }

    /// The number of four bytes of the body.
    package func number32(_ offset: Int) -> UInt32? {
        guard let high = number16(offset), let low = number16(offset + 2) else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    package var hasPorts: Bool { [Self.tcp, Self.udp, Self.sctp].contains(proto) }
    /// 0 where there are none.
    package var sourcePort: UInt16 { hasPorts ? number16(0) ?? 0 : 0 }
    package var destinationPort: UInt16 { hasPorts ? number16(2) ?? 0 : 0 }

    /// The same under other addresses and ports; its checksums stay what they were.
    package func translated(from: (IPAddress, UInt16), to: (IPAddress, UInt16)) -> Datagram {
        var other = self
        (other.source, other.destination) = (from.0, to.0)
        if hasPorts, body.count >= 4 {
            other.body.replaceSubrange(0..<4, with: [from.1, to.1].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
        }
        return other
    }

    /// Of TCP.
    package var flags: UInt8? { proto == Self.tcp && body.count >= 14 && !isLaterFragment ? body[13] & 0x3F : nil }
    package static let syn: UInt8 = 0x02, reset: UInt8 = 0x04, acknowledging: UInt8 = 0x10
    package var sequence: UInt32? { proto == Self.tcp ? number32(4) : nil }
    package var acknowledged: UInt32? { flags.map { $0 & Self.acknowledging != 0 } == true ? number32(8) : nil }

    private var isICMP: Bool { proto == Self.icmp || proto == Self.icmpv6 }
    package var icmpType: UInt8? { isICMP && !isLaterFragment ? body.first : nil }
    package var isEchoRequest: Bool { icmpType == (proto == Self.icmp ? 8 : 128) }
    package var isEchoReply: Bool { icmpType == (proto == Self.icmp ? 0 : 129) }

    /// The packet that an ICMP error is about.
    package var quoted: Datagram? {
        guard let type = icmpType, proto == Self.icmp ? [3, 4, 5, 11, 12].contains(type) : type < 128 else { return nil }
        return Datagram(body.dropFirst(8))
    }

    /// What a VXLAN packet carries; nil for all other. (RFC 7348; the ports of flannel, Calico and IANA)
    package var inner: (vni: Int, frame: Frame)? {
        guard proto == Self.udp, [8472, 4789].contains(destinationPort), body.count >= 16, body[8] & 0x08 != 0,
            let word = number32(12), let frame = Frame(Array(body.dropFirst(16)))
        else { return nil }
        return (Int(word >> 8), frame)
    }
}

extension Datagram {
    /// As tcpdump says it: who to whom, and what of a conversation it is.
    package var text: String { "\(place(source, sourcePort)) > \(place(destination, destinationPort)) \(kind)" }

    private func place(_ address: IPAddress, _ port: UInt16) -> String {
        hasPorts && !isLaterFragment ? address.authority(port: Int(port)) : "\(address)"
    }

    /// `TCP SYN`, `UDP`, `ICMP echo request`
    package var kind: String {
        if isLaterFragment { return "fragment" }
        if let flags {
            let names = [(Self.syn, "SYN"), (Self.reset, "RST"), (0x01, "FIN"), (0x08, "PSH"), (Self.acknowledging, "ACK")]
            return "TCP \(names.filter { flags & $0.0 != 0 }.map(\.1).joined(separator: "-"))"
        }
        if isEchoRequest { return "\(name) echo request" }
        if isEchoReply { return "\(name) echo reply" }
        return [name, Self.errors["\(proto)/\(icmpType ?? 0)/\(body.count > 1 ? body[1] : 0)"]].compactMap(\.self).joined(separator: " ")
    }

    private var name: String {
        switch proto {
        case Self.icmp: "ICMP"
        case Self.icmpv6: "ICMPv6"
        default: TransportProtocol.allCases.first { $0.number == proto }?.rawValue ?? "protocol \(proto)"
        }
    }

    /// The errors that are met here, by protocol, type and code. (RFC 792, RFC 4443)
    private static let errors = [
        "1/3/0": "network unreachable", "1/3/1": "host unreachable", "1/3/3": "port unreachable", "1/3/4": "fragmentation needed",
        "1/3/13": "administratively prohibited", "1/11/0": "time exceeded", "1/5/1": "redirect", "58/1/0": "no route",
        "58/1/1": "administratively prohibited", "58/1/3": "address unreachable", "58/1/4": "port unreachable", "58/2/0": "packet too big",
        "58/3/0": "time exceeded", "58/135/0": "neighbor solicitation", "58/136/0": "neighbor advertisement",
    ]
}

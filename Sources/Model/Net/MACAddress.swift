/// A 48-bit Ethernet address.
package struct MACAddress: Hashable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// Six bytes, or nil.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 6 else { return nil }
        self.bytes = Array(bytes)
    }

    package init?(_ text: String) {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false).map {
            $0.count <= 2 && $0.allSatisfy(\.isHexDigit) ? UInt8($0, radix: 16) : nil
        }
        guard fields.count == 6, fields.allSatisfy({ $0 != nil }) else { return nil }
        bytes = fields.compactMap(\.self)
    }

    package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, _ e: UInt8, _ f: UInt8) { bytes = [a, b, c, d, e, f] }

    /// A unicast, locally administered address derived from a name: the same name gives the same address, so that a
    /// rebuilt link keeps the entries that other nodes hold for it.
    package init(derivedFrom name: String) {
        var digest = Array(SHA256.digest(Array(name.utf8)).prefix(6))
        digest[0] = digest[0] & 0xFC | 0x02
        bytes = digest
    }

    package var description: String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":") }

    /// The address that a link with this one gives itself in IPv6. (RFC 4291, appendix A)
    package var linkLocalAddress: IPAddress {
        let identifier = [bytes[0] ^ 0x02, bytes[1], bytes[2], 0xFF, 0xFE, bytes[3], bytes[4], bytes[5]]
        return IPAddress(.ipv6, number: 0xFE80 << 112 | identifier.reduce(0) { $0 << 8 | UInt128($1) })
    }
}

/// An IPv4 address, in host byte order so that addresses of one network are neighbours.
package struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt32

    package init(_ value: UInt32) { self.value = value }

    /// Dotted decimal only: four fields, no leading zeros (as Kubernetes 1.36 and Go's netip read it).
    package init?(_ text: some StringProtocol) {
        // Read for each endpoint of each Service: no arrays on the way.
        var value: UInt32 = 0, number: UInt32 = 0, digits = 0, dots = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "."):
                guard digits > 0, dots < 3 else { return nil }
                value = value << 8 | number
                (number, digits, dots) = (0, 0, dots + 1)
            case 0x30...0x39:
                guard digits == 0 || number > 0 else { return nil }
                number = number * 10 + UInt32(byte - 0x30)
                digits += 1
                guard number <= 255 else { return nil }
            default: return nil
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        self.value = value << 8 | number
    }

    package var description: String { "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)" }

    /// The four bytes as they stand on the wire.
    package var bytes: [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    package static func < (a: IPv4Address, b: IPv4Address) -> Bool { a.value < b.value }

    package static func + (a: IPv4Address, offset: Int) -> IPv4Address {
        IPv4Address(UInt32(truncatingIfNeeded: Int(a.value) + offset))
    }

    package static let any = IPv4Address(0)
}

/// An IPv4 network: `10.244.1.0/24`.
package struct CIDR: Hashable, Sendable, CustomStringConvertible {
    /// The network's first address; host bits are zero.
    package let network: IPv4Address
    package let prefixLength: Int

    package init(_ address: IPv4Address, _ prefixLength: Int) {
        self.prefixLength = prefixLength
        network = IPv4Address(address.value & CIDR.mask(prefixLength))
    }

    /// Reads `address/length`; refuses host bits, as Kubernetes 1.36 does.
    package init?(_ text: some StringProtocol) {
        guard let (address, length) = CIDR.parts(text), CIDR(address, length).network == address else { return nil }
        self.init(address, length)
    }

    /// The address and the length of `address/length`, host bits kept; nil when it is not written canonically.
    package static func parts(_ text: some StringProtocol) -> (IPv4Address, Int)? {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let address = IPv4Address(halves[0]), let length = Int(halves[1]),
            (0...32).contains(length), String(length) == halves[1]
        else { return nil }
        return (address, length)
    }

    private static func mask(_ length: Int) -> UInt32 { length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length) }

    package var mask: IPv4Address { IPv4Address(CIDR.mask(prefixLength)) }
    package var size: Int { 1 << (32 - prefixLength) }
    package var last: IPv4Address { network + (size - 1) }
    package var description: String { "\(network)/\(prefixLength)" }

    package func contains(_ address: IPv4Address) -> Bool {
        address.value & CIDR.mask(prefixLength) == network.value
    }

    package func overlaps(_ other: CIDR) -> Bool { contains(other.network) || other.contains(network) }

    /// The address `index` places after the network's first.
    package subscript(index: Int) -> IPv4Address { network + index }

    /// The `index`th network of length `length` inside this one; nil past the end.
    package func subnet(_ index: Int, length: Int) -> CIDR? {
        guard length >= prefixLength, length <= 32, index >= 0, index < 1 << (length - prefixLength) else { return nil }
        return CIDR(network + (index << (32 - length)), length)
    }

    package static let all = CIDR(.any, 0)
}

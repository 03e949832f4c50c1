import Glibc

/// The two families of addresses, in the API's words (`spec.ipFamilies`).
package enum IPFamily: String, Hashable, Sendable, CaseIterable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"

    /// The bits of an address.
    package var bits: Int { self == .ipv4 ? 32 : 128 }
    /// The number that sockets and netlink call the family by.
    package var number: Int32 { self == .ipv4 ? AF_INET : AF_INET6 }
}

/// An IP address of either family.
///
/// Sixteen bytes and nothing more, for tables hold many of them: an IPv4 address is kept as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2). No
/// address of family IPv6 looks so, for Kubernetes takes none that is written like that. Addresses of one network are neighbours in order.
package struct IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    fileprivate let high: UInt64
    fileprivate let low: UInt64

    fileprivate static let mapped: UInt64 = 0xFFFF_0000_0000

    fileprivate init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// An IPv4 address by its number.
    package init(ipv4 number: UInt32) { self.init(high: 0, low: Self.mapped | UInt64(number)) }

    /// The bytes as they stand on the wire: four, or sixteen; nil for any other number of them.
    package init?(bytes: some Sequence<UInt8>) {
        var high: UInt64 = 0, low: UInt64 = 0, count = 0
        for byte in bytes {
            (high, low, count) = (high << 8 | low >> 56, low << 8 | UInt64(byte), count + 1)
            if count > 16 { return nil }
        }
        switch count {
        case 4: self.init(ipv4: UInt32(low))
        case 16: self.init(high: high, low: low)
        default: return nil
        }
    }

    /// IPv4: four decimal fields without leading zeros; IPv6: as RFC 4291 writes it, without a zone, and none that means an IPv4 address
    /// (as Kubernetes 1.36 reads addresses in its API).
    package init?(_ text: some StringProtocol) {
        if let number = Self.ipv4(text) {
            self.init(ipv4: number)
            return
        }
        guard text.utf8.contains(UInt8(ascii: ":")) else { return nil }
        var address = in6_addr()
        guard inet_pton(AF_INET6, String(text), &address) == 1 else { return nil }
        guard let found = withUnsafeBytes(of: &address, { IPAddress(bytes: $0) }), found.family == .ipv6 else { return nil }
        self = found
    }

    /// An address of one family.
    package init?(_ text: some StringProtocol, _ family: IPFamily) {
        guard let address = IPAddress(text), address.family == family else { return nil }
        self = address
    }

    /// Read for each endpoint of each Service: no arrays on the way.
    private static func ipv4(_ text: some StringProtocol) -> UInt32? {
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
        return dots == 3 && digits > 0 ? value << 8 | number : nil
    }

    package var family: IPFamily { high == 0 && low >> 32 == 0xFFFF ? .ipv4 : .ipv6 }

    /// The number of an IPv4 address.
    package var ipv4: UInt32? { family == .ipv4 ? UInt32(truncatingIfNeeded: low) : nil }

    /// A number by which addresses of one family are in order.
    package var number: UInt128 {
        family == .ipv4 ? UInt128(low & 0xFFFF_FFFF) : UInt128(high) << 64 | UInt128(low)
    }

    /// The address of a family with a `number`, of which only as many bits count as an address has.
    package init(_ family: IPFamily, number: UInt128) {
        switch family {
        case .ipv4: self.init(ipv4: UInt32(truncatingIfNeeded: number))
        case .ipv6: self.init(high: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number))
        }
    }

    /// Four or sixteen bytes as they stand on the wire.
    package var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: family.bits / 8)
        var number = number
        for index in bytes.indices.reversed() {
            bytes[index] = UInt8(truncatingIfNeeded: number)
            number >>= 8
        }
        return bytes
    }

    package static func < (a: IPAddress, b: IPAddress) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }

    package static func + (a: IPAddress, offset: Int) -> IPAddress {
        IPAddress(a.family, number: a.number &+ UInt128(truncatingIfNeeded: offset))
    }

    /// Cheap, for tables look up many addresses.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(low)
        if high != 0 { hasher.combine(high) }
    }

    /// The text that `init(_:)` reads: RFC 5952's form for IPv6.
    package var description: String {
        if family == .ipv4 { return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)" }
        let bytes = bytes
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        // The first of the longest runs of zeros, when longer than one.
        var longest = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || groups[index] != 0 {
            if index - start > max(longest.count, 1) { longest = start..<index }
            start = index + 1
        }
        func text(_ range: Range<Int>) -> String { groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        return longest.isEmpty ? text(0..<8) : "\(text(0..<longest.lowerBound))::\(text(longest.upperBound..<8))"
    }

    /// `10.0.0.1:80`, `[fd00::1]:80`
    package func authority(port: Int) -> String { family == .ipv4 ? "\(self):\(port)" : "[\(self)]:\(port)" }

    /// The address that stands for all of a host's: 0.0.0.0 or ::.
    package var isUnspecified: Bool { number == 0 }

    package static func unspecified(_ family: IPFamily) -> IPAddress { IPAddress(family, number: 0) }
}

extension Sequence<IPAddress> {
    /// A pod, a node or a Service has one address of each family at most.
    package func of(_ family: IPFamily) -> IPAddress? { first { $0.family == family } }
}

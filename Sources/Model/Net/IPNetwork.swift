/// A network of either family: `10.244.1.0/24`, `fd00:10:244::/56`.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    /// The network's first address; host bits are zero.
    package let network: IPAddress
    private let length: UInt8

    package init(_ address: IPAddress, _ prefixLength: Int) {
        length = UInt8(prefixLength)
        network = IPAddress(address.family, number: address.number & ~Self.hostBits(address.family, prefixLength))
    }

    /// Reads `address/length`; refuses host bits, as Kubernetes 1.36 does.
    package init?(_ text: some StringProtocol) {
        guard let (address, length) = IPNetwork.parts(text), IPNetwork(address, length).network == address else { return nil }
        self.init(address, length)
    }

    /// A network of one family.
    package init?(_ text: some StringProtocol, _ family: IPFamily) {
        guard let network = IPNetwork(text), network.family == family else { return nil }
        self = network
    }

    /// The address and the length of `address/length`, host bits kept; nil when it is not written canonically.
    package static func parts(_ text: some StringProtocol) -> (IPAddress, Int)? {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let address = IPAddress(halves[0]), let length = Int(halves[1]),
            (0...address.family.bits).contains(length), String(length) == halves[1]
        else { return nil }
        return (address, length)
    }

    private static func hostBits(_ family: IPFamily, _ length: Int) -> UInt128 {
        // Shifting by all of a number's bits gives zero.
        (UInt128.max >> UInt128(128 - family.bits)) >> UInt128(length)
    }

    package var family: IPFamily { network.family }
    package var prefixLength: Int { Int(length) }
    package var last: IPAddress { IPAddress(family, number: network.number | Self.hostBits(family, prefixLength)) }
    /// How many addresses there are, as far as they can be counted.
    package var size: Int {
        let others = Self.hostBits(family, prefixLength)
        return others >= UInt128(Int.max) ? .max : Int(others) + 1
    }
    package var description: String { "\(network)/\(length)" }

    package func contains(_ address: IPAddress) -> Bool { address.family == family && address >= network && address <= last }

    package func contains(_ other: IPNetwork) -> Bool { prefixLength <= other.prefixLength && contains(other.network) }

    /// The network's mask in the form of an address.
    package var mask: IPAddress { IPAddress(family, number: ~Self.hostBits(family, prefixLength)) }

    package func overlaps(_ other: IPNetwork) -> Bool { contains(other.network) || other.contains(network) }

    /// The address `index` places after the network's first.
    package subscript(index: Int) -> IPAddress { network + index }

    /// The `index`th network of length `length` inside this one; nil past the end.
    package func subnet(_ index: Int, length: Int) -> IPNetwork? {
        guard length >= prefixLength, length <= family.bits, index >= 0,
            UInt128(index) <= Self.hostBits(family, prefixLength) >> UInt128(family.bits - length)
        else { return nil }
        return IPNetwork(IPAddress(family, number: network.number + UInt128(index) << UInt128(family.bits - length)), length)
    }

    /// Every address of a family.
    package static func all(_ family: IPFamily) -> IPNetwork { IPNetwork(.unspecified(family), 0) }
}

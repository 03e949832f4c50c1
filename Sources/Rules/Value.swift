import Model

/// A piece of a packet or of its context that a rule can look at, in nft's words.
package enum Field: Hashable, Sendable {
    case sourceAddress(IPFamily)
    case destinationAddress(IPFamily)
    case transportProtocol
    case destinationPort
    case inputInterface
    case outputInterface
    case mark
    /// The mark in network byte order, as sets of intervals keep numbers.
    case orderedMark
    case etherType
    case sourceHardwareAddress
    case destinationHardwareAddress
    /// Kinds and lengths of the addresses that an ARP packet holds.
    case arpFormat
    case arpSenderHardwareAddress
    case arpSenderAddress
    case icmpv6Type
    /// Whom a neighbour solicitation asks for, and an advertisement tells of.
    case neighbourTarget

    package var text: String {
        switch self {
        case .sourceAddress(.ipv4): "ip saddr"
        case .sourceAddress(.ipv6): "ip6 saddr"
        case .destinationAddress(.ipv4): "ip daddr"
        case .destinationAddress(.ipv6): "ip6 daddr"
        case .transportProtocol: "meta l4proto"
        case .destinationPort: "th dport"
        case .inputInterface: "iifname"
        case .outputInterface: "oifname"
        case .mark, .orderedMark: "meta mark"
        case .etherType: "ether type"
        case .sourceHardwareAddress: "ether saddr"
        case .destinationHardwareAddress: "ether daddr"
        case .arpFormat: "@nh,0,48"
        case .arpSenderHardwareAddress: "arp saddr ether"
        case .arpSenderAddress: "arp saddr ip"
        case .icmpv6Type: "icmpv6 type"
        case .neighbourTarget: "@th,64,128"
        }
    }

    /// The field with its type, where a type's name does not say all (nft(8), "typeof").
    package static func typeof(_ type: FieldType) -> String {
        switch type {
        case .address(let family): Field.destinationAddress(family).text
        case .transportProtocol: Field.transportProtocol.text
        case .port: Field.destinationPort.text
        case .slot: "numgen random mod \(NamedSet.slots)"
        case .mark: Field.mark.text
        case .interface, .hardwareAddress, .etherType, .bytes, .icmpv6Type: type.text
        }
    }

    /// The nft data type of the field, as `nft list set` prints it.
    package var type: FieldType {
        switch self {
        case .sourceAddress(let family), .destinationAddress(let family): .address(family)
        case .arpSenderAddress: .address(.ipv4)
        case .neighbourTarget: .address(.ipv6)
        case .icmpv6Type: .icmpv6Type
        case .sourceHardwareAddress, .destinationHardwareAddress, .arpSenderHardwareAddress: .hardwareAddress
        case .etherType: .etherType
        case .arpFormat: .bytes
        case .transportProtocol: .transportProtocol
        case .destinationPort: .port
        case .inputInterface, .outputInterface: .interface
        case .mark, .orderedMark: .mark
        }
    }
}

/// The nft data types that sets are keyed by.
package enum FieldType: Hashable, Sendable, CaseIterable {
    case address(IPFamily)
    case transportProtocol
    case port
    case interface
    case mark
    case hardwareAddress
    case etherType
    case icmpv6Type
    case bytes
    /// What `numgen` throws: a number from 0, in the host's byte order.
    case slot

    package static let allCases: [FieldType] =
        IPFamily.allCases.map(FieldType.address) + [
            .transportProtocol, .port, .interface, .mark, .hardwareAddress, .etherType, .icmpv6Type, .bytes, .slot,
        ]

    package var text: String {
        switch self {
        case .address(.ipv4): "ipv4_addr"
        case .address(.ipv6): "ipv6_addr"
        case .transportProtocol: "inet_proto"
        case .port: "inet_service"
        case .interface: "ifname"
        case .mark: "mark"
        case .hardwareAddress: "ether_addr"
        case .etherType: "ether_type"
        case .icmpv6Type: "icmpv6_type"
        case .bytes, .slot: "integer"
        }
    }
}

/// A constant in a rule or in an element's key.
package enum Value: Hashable, Comparable, Sendable, CustomStringConvertible {
    case address(IPAddress)
    case network(IPNetwork)
    /// Apart from the value: few elements are ranges, and all are as large as the largest.
    indirect case addresses(ClosedRange<IPAddress>)
    case transportProtocol(UInt8)
    case transportProtocols(ClosedRange<UInt8>)
    case port(UInt16)
    case ports(ClosedRange<UInt16>)
    case interface(String)
    case mark(UInt32)
    case hardwareAddress(MACAddress)
    case etherType(UInt16)
    case icmpv6Type(UInt8)
    case bytes([UInt8])
    case slot(UInt32)

    package static func proto(_ proto: TransportProtocol) -> Value { .transportProtocol(proto.number) }

    /// The value as a range, or as one value where the range holds just that: two that mean the same are the same.
    package var canonical: Value {
        switch self {
        case .network(let network) where network.prefixLength == network.family.bits: .address(network.network)
        case .addresses(let range) where range.lowerBound == range.upperBound: .address(range.lowerBound)
        case .network(let network): .addresses(network.network...network.last)
        case .ports(let range) where range.count == 1: .port(range.lowerBound)
        case .transportProtocols(let range) where range.count == 1: .transportProtocol(range.lowerBound)
        default: self
        }
    }

    /// True for values that only an interval set can hold.
    package var isInterval: Bool {
        switch self {
        case .network, .addresses, .ports, .transportProtocols: true
        default: false
        }
    }

    /// First and last value as bytes on the wire (network byte order).
    package var bounds: (first: [UInt8], last: [UInt8]) {
        switch self {
        case .address(let address): return (address.bytes, address.bytes)
        case .network(let network): return (network.network.bytes, network.last.bytes)
        case .addresses(let range): return (range.lowerBound.bytes, range.upperBound.bytes)
        case .transportProtocol(let number): return ([number], [number])
        case .transportProtocols(let range): return ([range.lowerBound], [range.upperBound])
        case .port(let port): return (Value.bytes(port), Value.bytes(port))
        case .ports(let range): return (Value.bytes(range.lowerBound), Value.bytes(range.upperBound))
        case .interface(let name):
            let bytes = Array(name.utf8.prefix(15))
            let padded = bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
            return (padded, padded)
        case .hardwareAddress(let address): return (address.bytes, address.bytes)
        case .etherType(let type): return (Value.bytes(type), Value.bytes(type))
        case .icmpv6Type(let type): return ([type], [type])
        case .bytes(let bytes): return (bytes, bytes)
        case .mark(let number), .slot(let number):
            let bytes = withUnsafeBytes(of: number) { Array($0) }
            return (bytes, bytes)
        }
    }

    private static func bytes(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(port & 255)] }

    /// First and last value as numbers, by which values of one type are in order.
    private var place: (first: UInt128, last: UInt128) {
        func one(_ number: some BinaryInteger) -> (UInt128, UInt128) { (UInt128(number), UInt128(number)) }
        switch self {
        case .address(let address): return one(address.number)
        case .network(let network): return (network.network.number, network.last.number)
        case .addresses(let range): return (range.lowerBound.number, range.upperBound.number)
        case .transportProtocol(let number): return one(number)
        case .transportProtocols(let range): return (UInt128(range.lowerBound), UInt128(range.upperBound))
        case .port(let port): return one(port)
        case .ports(let range): return (UInt128(range.lowerBound), UInt128(range.upperBound))
        case .interface(let name): return one(Value.packed(name.utf8))
        case .hardwareAddress(let address): return one(Value.packed(address.bytes))
        case .etherType(let type): return one(type)
        case .icmpv6Type(let type): return one(type)
        case .bytes(let bytes): return one(Value.packed(bytes))
        case .mark(let number), .slot(let number): return one(number)
        }
    }

    /// The first sixteen bytes, as many as a name of an interface has.
    private static func packed(_ bytes: some Sequence<UInt8>) -> UInt128 {
        var number: UInt128 = 0, room = 16
        for byte in bytes.prefix(16) { (number, room) = (number << 8 | UInt128(byte), room - 1) }
        return number << UInt128(8 * room)
    }

    /// Cheap: elements are looked up by their keys many times over.
    package func hash(into hasher: inout Hasher) {
        let place = place
        Value.combine(place.first, into: &hasher)
        if place.last != place.first { Value.combine(place.last, into: &hasher) }
    }

    private static func combine(_ number: UInt128, into hasher: inout Hasher) {
        hasher.combine(UInt64(truncatingIfNeeded: number))
        let high = UInt64(truncatingIfNeeded: number >> 64)
        if high != 0 { hasher.combine(high) }
    }

    /// An order for what is told in order; values of different types come as their numbers do.
    package static func < (a: Value, b: Value) -> Bool { a.place < b.place }

    package var description: String {
        switch self {
        case .address(let address): "\(address)"
        case .network(let network): "\(network)"
        case .addresses(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .transportProtocol(let number): Value.protocolName(number)
        case .transportProtocols(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .port(let port): "\(port)"
        case .ports(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .interface(let name): "\"\(name)\""
        case .mark(let number): Value.hex(withUnsafeBytes(of: number.bigEndian) { Array($0) })
        case .hardwareAddress(let address): "\(address)"
        case .etherType(0x0800): "ip"
        case .etherType(0x0806): "arp"
        case .etherType(0x86DD): "ip6"
        case .etherType(let type): Value.hex(Value.bytes(type))
        case .icmpv6Type(135): "nd-neighbor-solicit"
        case .icmpv6Type(136): "nd-neighbor-advert"
        case .icmpv6Type(let type): "\(type)"
        case .bytes(let bytes): Value.hex(bytes)
        case .slot(let number): "\(number)"
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String { "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    private static func protocolName(_ number: UInt8) -> String {
        switch number {
        case 1: "icmp"
        case 58: "ipv6-icmp"
        default: TransportProtocol.allCases.first { $0.number == number }?.rawValue.lowercased() ?? "\(number)"
        }
    }
}

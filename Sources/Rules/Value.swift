import Model

/// A piece of a packet or of its context that a rule can look at, in nft's words.
package enum Field: String, Hashable, Sendable {
    case sourceAddress = "ip saddr"
    case destinationAddress = "ip daddr"
    case transportProtocol = "meta l4proto"
    case destinationPort = "th dport"
    case inputInterface = "iifname"
    case outputInterface = "oifname"
    case etherType = "ether type"
    case sourceHardwareAddress = "ether saddr"
    case destinationHardwareAddress = "ether daddr"
    /// Kinds and lengths of the addresses that an ARP packet holds.
    case arpFormat = "@nh,0,48"
    case arpSenderHardwareAddress = "arp saddr ether"
    case arpSenderAddress = "arp saddr ip"

    /// The nft data type of the field, as `nft list set` prints it.
    package var type: FieldType {
        switch self {
        case .sourceAddress, .destinationAddress, .arpSenderAddress: .address
        case .sourceHardwareAddress, .destinationHardwareAddress, .arpSenderHardwareAddress: .hardwareAddress
        case .etherType: .etherType
        case .arpFormat: .bytes
        case .transportProtocol: .transportProtocol
        case .destinationPort: .port
        case .inputInterface, .outputInterface: .interface
        }
    }
}

/// The nft data types that sets are keyed by.
package enum FieldType: String, Hashable, Sendable, CaseIterable {
    case address = "ipv4_addr"
    case transportProtocol = "inet_proto"
    case port = "inet_service"
    case interface = "ifname"
    case hardwareAddress = "ether_addr"
    case etherType = "ether_type"
    case bytes = "integer"
}

/// A constant in a rule or in an element's key.
package enum Value: Hashable, Comparable, Sendable, CustomStringConvertible {
    case address(IPv4Address)
    case network(CIDR)
    case addresses(ClosedRange<IPv4Address>)
    case transportProtocol(UInt8)
    case transportProtocols(ClosedRange<UInt8>)
    case port(UInt16)
    case ports(ClosedRange<UInt16>)
    case interface(String)
    case hardwareAddress(MACAddress)
    case etherType(UInt16)
    case bytes([UInt8])

    package static func proto(_ proto: TransportProtocol) -> Value { .transportProtocol(proto.number) }

    /// The value as a range, or as one value where the range holds just that: two that mean the same are the same.
    package var canonical: Value {
        switch self {
        case .network(let cidr) where cidr.prefixLength == 32: .address(cidr.network)
        case .addresses(let range) where range.lowerBound == range.upperBound: .address(range.lowerBound)
        case .network(let cidr): .addresses(cidr.network...cidr.last)
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
        case .network(let cidr): return (cidr.network.bytes, cidr.last.bytes)
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
        case .bytes(let bytes): return (bytes, bytes)
        }
    }

    private static func bytes(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(port & 255)] }

    /// First and last value as numbers, by which values of one type are in order.
    private var place: (first: UInt64, last: UInt64) {
        func one(_ number: some BinaryInteger) -> (UInt64, UInt64) { (UInt64(number), UInt64(number)) }
        switch self {
        case .address(let address): return one(address.value)
        case .network(let cidr): return (UInt64(cidr.network.value), UInt64(cidr.last.value))
        case .addresses(let range): return (UInt64(range.lowerBound.value), UInt64(range.upperBound.value))
        case .transportProtocol(let number): return one(number)
        case .transportProtocols(let range): return (UInt64(range.lowerBound), UInt64(range.upperBound))
        case .port(let port): return one(port)
        case .ports(let range): return (UInt64(range.lowerBound), UInt64(range.upperBound))
        case .interface(let name): return Value.packed(name.utf8)
        case .hardwareAddress(let address): return Value.packed(address.bytes)
        case .etherType(let type): return one(type)
        case .bytes(let bytes): return Value.packed(bytes)
        }
    }

    /// The first sixteen bytes, as many as a name of an interface has.
    private static func packed(_ bytes: some Sequence<UInt8>) -> (UInt64, UInt64) {
        var words: [UInt64] = [0, 0]
        for (index, byte) in bytes.prefix(16).enumerated() { words[index / 8] |= UInt64(byte) << UInt64(56 - index % 8 * 8) }
        return (words[0], words[1])
    }

    /// Cheap: elements are looked up by their keys many times over.
    package func hash(into hasher: inout Hasher) {
        let place = place
        hasher.combine(place.first)
        if place.last != place.first { hasher.combine(place.last) }
    }

    /// An order for what is told in order; values of different types come as their numbers do.
    package static func < (a: Value, b: Value) -> Bool { a.place < b.place }

    package var description: String {
        switch self {
        case .address(let address): "\(address)"
        case .network(let cidr): "\(cidr)"
        case .addresses(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .transportProtocol(let number): Value.protocolName(number)
        case .transportProtocols(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .port(let port): "\(port)"
        case .ports(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .interface(let name): "\"\(name)\""
        case .hardwareAddress(let address): "\(address)"
        case .etherType(0x0800): "ip"
        case .etherType(0x0806): "arp"
        case .etherType(let type): Value.hex(Value.bytes(type))
        case .bytes(let bytes): Value.hex(bytes)
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String { "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    private static func protocolName(_ number: UInt8) -> String {
        switch number {
        case 1: "icmp"
        default: TransportProtocol.allCases.first { $0.number == number }?.rawValue.lowercased() ?? "\(number)"
        }
    }
}

import Model

/// The first packet of a connection, as rules see it.
package struct Packet: Hashable, Sendable {
    package var source: IPAddress
    package var destination: IPAddress
    /// The IP protocol's number: 1 ICMP, 6 TCP, 17 UDP, 132 SCTP.
    package var proto: UInt8
    /// 0 for protocols without ports.
    package var destinationPort: UInt16
    package var inputInterface = ""
    package var outputInterface = ""
    package var mark: UInt32 = 0
    package var state: ConnectionState = .new
    package var isDestinationTranslated = false

    package init(from source: IPAddress, to destination: IPAddress, proto: UInt8, port: UInt16 = 0) {
        self.source = source
        self.destination = destination
        self.proto = proto
        destinationPort = port
    }

    func value(_ field: Field) -> Value {
        switch field {
        case .sourceAddress(source.family): .address(source)
        case .destinationAddress(destination.family): .address(destination)
        case .transportProtocol: .transportProtocol(proto)
        case .destinationPort: .port(destinationPort)
        case .inputInterface: .interface(inputInterface)
        case .outputInterface: .interface(outputInterface)
        case .mark, .orderedMark: .mark(mark)
        // What a packet is wrapped in is the link's business, and no table of its family asks.
        case .sourceAddress, .destinationAddress: .bytes([])
        case .etherType, .sourceHardwareAddress, .destinationHardwareAddress, .arpFormat, .arpSenderHardwareAddress, .arpSenderAddress,
            .icmpv6Type, .neighbourTarget:
            .bytes([])
        }
    }
}

extension Value {
    /// True when the single value `other` lies in this one.
    func contains(_ other: Value) -> Bool {
        switch (self, other) {
        case (.network(let network), .address(let address)): network.contains(address)
        case (.addresses(let range), .address(let address)): address.family == range.lowerBound.family && range.contains(address)
        case (.transportProtocols(let range), .transportProtocol(let number)): range.contains(number)
        case (.ports(let range), .port(let port)): range.contains(port)
        default: self == other
        }
    }
}

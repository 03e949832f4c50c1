import Model

/// The first packet of a connection, as rules see it.
package struct Packet: Hashable, Sendable {
    package var source: IPv4Address
    package var destination: IPv4Address
    /// The IP protocol's number: 1 ICMP, 6 TCP, 17 UDP, 132 SCTP.
    package var proto: UInt8
    /// 0 for protocols without ports.
    package var destinationPort: UInt16
    package var inputInterface = ""
    package var outputInterface = ""
    package var mark: UInt32 = 0
    package var state: ConnectionState = .new
    package var isDestinationTranslated = false

    package init(from source: IPv4Address, to destination: IPv4Address, proto: UInt8, port: UInt16 = 0) {
        self.source = source
        self.destination = destination
        self.proto = proto
        destinationPort = port
    }

    func value(_ field: Field) -> Value {
        switch field {
        case .sourceAddress: .address(source)
        case .destinationAddress: .address(destination)
        case .transportProtocol: .transportProtocol(proto)
        case .destinationPort: .port(destinationPort)
        case .inputInterface: .interface(inputInterface)
        case .outputInterface: .interface(outputInterface)
        // What a packet is wrapped in is the link's business, and no table of family `ip` asks.
        case .etherType, .sourceHardwareAddress, .destinationHardwareAddress, .arpFormat, .arpSenderHardwareAddress, .arpSenderAddress:
            .bytes([])
        }
    }
}

extension Value {
    /// True when the single value `other` lies in this one.
    func contains(_ other: Value) -> Bool {
        switch (self, other) {
        case (.network(let cidr), .address(let address)): cidr.contains(address)
        case (.addresses(let range), .address(let address)): range.contains(address)
        case (.transportProtocols(let range), .transportProtocol(let number)): range.contains(number)
        case (.ports(let range), .port(let port)): range.contains(port)
        default: self == other
        }
    }
}

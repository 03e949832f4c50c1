import Model
import Netlink

/// Knows minik's own packets among all others wherever they come by, and what is said to them: by their connections, under each name that
/// translation gives these. Ports say nothing, for a node that masquerades gives any connection any port.
package struct ProbeTraffic: Sendable {
    /// The probes' tokens, by what each connection is called where it was seen, and half translated: a bridge takes an answer in between.
    private var names: [ConnectionTuple: UInt32] = [:]
    private struct End: Hashable {
        let address: IPAddress, port: UInt16
    }
    private struct Ends {
        var sources: Set<End> = [], destinations: Set<End> = []
    }
    private var ends: [UInt32: Ends] = [:]

    package init() {}

    /// Packets of one namespace come in their order: an answer is known once the probe has been.
    package mutating func has(_ datagram: Datagram) -> Bool {
        if let quoted = datagram.quoted { return names[Self.name(quoted)] != nil }
        let name = Self.name(datagram)
        if let token = ProbePacket.token(of: datagram) {
            learn(name, token)
            return true
        }
        if datagram.hasPorts || datagram.isEchoReply, let token = names[Self.asked(datagram)] {
            return datagram.proto != Datagram.tcp || datagram.acknowledged == token &+ 1
        }
        guard let token = names[name] else { return false }
        // The sender's kernel ends what it knows nothing of.
        switch datagram.proto {
        case Datagram.tcp where datagram.sequence == token &+ 1: return true
        case Datagram.sctp where datagram.body.count > 12 && datagram.body[12] == Self.abort: return true
        default:
            // Somebody else has the name now.
            names[name] = nil
            return false
        }
    }

    private mutating func learn(_ name: ConnectionTuple, _ token: UInt32) {
        // No more than a matrix sends at a time is remembered.
        if names.count > 200_000 { (names, ends) = ([:], [:]) }
        ends[token, default: Ends()].sources.insert(End(address: name.source, port: name.sourcePort))
        ends[token, default: Ends()].destinations.insert(End(address: name.destination, port: name.destinationPort))
        guard names.updateValue(token, forKey: name) != token, let ends = ends[token] else { return }
        for source in ends.sources {
            for destination in ends.destinations {
                var half = name
                (half.source, half.sourcePort) = (source.address, source.port)
                (half.destination, half.destinationPort) = (destination.address, destination.port)
                names[half] = token
            }
        }
    }

    /// SCTP's ABORT (RFC 9260, 3.3.7).
    private static let abort: UInt8 = 6

    /// An echo has its identifier and number in the place of ports.
    private static func name(_ datagram: Datagram) -> ConnectionTuple {
        var name = ConnectionTuple(datagram)
        if !datagram.hasPorts, let number = datagram.number32(4) {
            (name.sourcePort, name.destinationPort) = (UInt16(number >> 16), UInt16(number & 0xFFFF))
        }
        return name
    }

    /// The name of what `datagram` would be the answer to.
    private static func asked(_ datagram: Datagram) -> ConnectionTuple {
        if datagram.hasPorts { return ConnectionTuple(datagram).reversed }
        var name = name(datagram)
        (name.source, name.destination) = (name.destination, name.source)
        return name
    }
}

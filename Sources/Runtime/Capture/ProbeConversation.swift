import Model
import Netlink

/// Knows a probe, and what is said to it, wherever a frame is seen: translated, wrapped in a tunnel, quoted by an error.
package struct ProbeConversation: Sendable {
    package enum Leg: String, Sendable, Hashable { case there, back }

    private let probe: ProbePacket
    /// What the probe was called in each place that it passed.
    private var names: Set<ConnectionTuple> = []

    package init(_ probe: ProbePacket) { self.probe = probe }

    /// Learns what the probe is called where `datagram` was seen, if it is the probe.
    package mutating func learn(_ datagram: Datagram) { if isProbe(datagram) { names.insert(ConnectionTuple(datagram)) } }

    /// nil for what is neither the probe nor an answer to it. Answers are known once the probe has been.
    package func leg(_ datagram: Datagram) -> Leg? {
        if isProbe(datagram) { return .there }
        if let quoted = datagram.quoted { return isProbe(quoted) || names.contains(ConnectionTuple(quoted)) ? .back : nil }
        switch datagram.proto {
        case Datagram.tcp: return datagram.acknowledged == probe.token &+ 1 ? .back : nil
        case Datagram.icmp, Datagram.icmpv6: return datagram.isEchoReply && isEcho(datagram) ? .back : nil
        default: return names.contains(ConnectionTuple(datagram).reversed) ? .back : nil
        }
    }

    private func isProbe(_ datagram: Datagram) -> Bool {
        guard datagram.proto == probe.proto, !datagram.isLaterFragment else { return false }
        switch datagram.proto {
        case Datagram.tcp:
            // An error quotes eight bytes, which hold no flags.
            return datagram.sequence == probe.token && datagram.flags ?? Datagram.syn == Datagram.syn
        case Datagram.icmp, Datagram.icmpv6: return datagram.isEchoRequest && isEcho(datagram)
        case Datagram.sctp: return datagram.number32(16) == max(probe.token, 1)
        default: return datagram.number32(8) == probe.token
        }
    }

    /// Masquerading gives an echo another identifier; its number stays.
    private func isEcho(_ datagram: Datagram) -> Bool { datagram.number32(4).map { $0 & 0xFFFF == probe.token & 0xFFFF } ?? false }
}

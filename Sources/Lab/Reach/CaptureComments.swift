import Model
import Netlink
import Proxy
import Rules
import Runtime

/// What a capture says beside its packets: on which hop of their way each was seen, and which rules decided on it there.
package struct CaptureComments: Sendable {
    /// What the rules of one node said of one packet.
    private struct Decision {
        let time: UInt64
        let datagrams: [Datagram]
        let words: [String]
    }

    private var decisions: [String: [Decision]] = [:]
    private static let keep: UInt64 = 1_000_000_000

    package init() {}

    /// Remembers what a node's rules said of a packet that the datagrams show as it came and as it became.
    package mutating func add(_ node: String, at time: UInt64, _ datagrams: [Datagram], _ words: [String]) {
        decisions[node, default: []].removeAll { $0.time + Self.keep < time }
        if !words.isEmpty { decisions[node, default: []].append(Decision(time: time, datagrams: datagrams, words: words)) }
    }

    package func comment(_ place: PacketStory.Place, _ frame: CapturedFrame) -> String {
        let device = place.device(frame.device), neighbour = place.neighbours[frame.device]
        var words = "\(place.name): \(frame.isOutgoing ? "out" : "in") \(device)"
        if let neighbour { words += " \(frame.isOutgoing ? "to" : "from") \(neighbour)" }
        if frame.isForOther, place.links[frame.device]?.master == nil { words += ", for another" }
        guard let outer = Frame(frame.bytes)?.datagram else { return words }
        if let inner = outer.inner, let datagram = inner.frame.datagram { return "\(words), in VXLAN \(inner.vni): \(datagram.text)" }
        // One packet's passage is told in pieces where a bridge takes it up or hands it on.
        let found = decisions[place.name, default: []].filter { decision in decision.datagrams.contains { Self.isSame($0, outer) } }
        let said = found.flatMap(\.words).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return ([words] + said).joined(separator: "; ")
    }

    /// Translation changes one end at a time, and the kernel tells of a packet before it or behind it.
    private static func isSame(_ told: Datagram, _ seen: Datagram) -> Bool {
        let (a, b) = (ConnectionTuple(told), ConnectionTuple(seen))
        guard a.proto == b.proto else { return false }
        let isFromSame = a.source == b.source && a.sourcePort == b.sourcePort
        let isToSame = a.destination == b.destination && a.destinationPort == b.destinationPort
        // A datagram has no number of its own.
        if told.proto == Datagram.udp { return isFromSame }
        return (isFromSame || isToSame) && told.number32(4) == seen.number32(4)
    }
}

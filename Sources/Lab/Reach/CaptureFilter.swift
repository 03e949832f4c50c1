import Model
import Netlink
import Proxy
import Rules
import Runtime

/// Which of the frames that are seen belong into a capture.
package struct CaptureFilter: Sendable {
    /// A packet's ends as a flow has them in some place, and back.
    package struct Ends: Hashable, Sendable {
        let source: IPAddress
        let destination: IPAddress
        let proto: UInt8
        let port: UInt16
    }

    /// nil: everybody's.
    package var addresses: Set<IPAddress>?
    /// nil: every flow.
    package var flow: Set<Ends>?
    /// The packets of why, matrix and trace, too.
    package var includesProbes = false
    private var probes = ProbeTraffic()

    package init() {}

    /// What a flow's packets are called, of those that are sent, translated and arrive.
    package static func ends(_ packets: [Packet]) -> Set<Ends> {
        Set(packets.map { Ends(source: $0.source, destination: $0.destination, proto: $0.proto, port: $0.destinationPort) })
    }

    /// The rules that have the kernel tell of a capture's packets: of each connection the first, for that is what is decided on.
    package func rules(_ family: IPFamily) -> [Rule] {
        let first: [Statement] = [.connectionState([.new]), .trace]
        func at(_ field: Field, _ address: IPAddress) -> Statement { .match(field, .address(address)) }
        if let flow {
            return flow.filter { $0.source.family == family }.sorted { "\($0)" < "\($1)" }.map { ends in
                var matches = [at(.sourceAddress(family), ends.source), at(.destinationAddress(family), ends.destination)]
                matches.append(.match(.transportProtocol, .transportProtocol(ends.proto)))
                if ends.port > 0 { matches.append(.match(.destinationPort, .port(ends.port))) }
                return Rule(matches + first)
            }
        }
        guard let addresses else { return [Rule(first)] }
        return addresses.filter { $0.family == family }.sorted().flatMap { address in
            [Rule([at(.sourceAddress(family), address)] + first), Rule([at(.destinationAddress(family), address)] + first)]
        }
    }

    package mutating func takes(_ frame: Frame) -> Bool {
        guard let outer = frame.datagram else {
            guard let arp = frame.arp else { return addresses == nil && flow == nil }
            let both: Set = [arp.sender, arp.target]
            if let addresses { return !addresses.isDisjoint(with: both) }
            return flow?.contains { both.isSubset(of: [$0.source, $0.destination]) } ?? true
        }
        let datagram = outer.inner?.frame.datagram ?? outer
        if !includesProbes, probes.has(datagram) { return false }
        if let flow { return isOf(flow, datagram) || datagram.quoted.map { isOf(flow, $0) } ?? false }
        guard let addresses else { return true }
        return addresses.contains(datagram.source) || addresses.contains(datagram.destination)
    }

    private func isOf(_ flow: Set<Ends>, _ datagram: Datagram) -> Bool {
        let to = Ends(
            source: datagram.source, destination: datagram.destination, proto: datagram.proto, port: datagram.destinationPort)
        let from = Ends(
            source: datagram.destination, destination: datagram.source, proto: datagram.proto, port: datagram.sourcePort)
        if flow.contains(to) || flow.contains(from) { return true }
        // A later fragment has no ports.
        return datagram.isLaterFragment
            && flow.contains { $0.source == datagram.source && $0.destination == datagram.destination && $0.proto == datagram.proto }
    }
}

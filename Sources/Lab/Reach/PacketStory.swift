import Model
import Netlink
import Proxy
import Rules
import Runtime

/// One packet's way and its answer's, as every namespace on it saw them, in order of time.
package struct PacketStory: Sendable {
    package typealias Leg = ProbeConversation.Leg

    /// A network namespace on the way.
    package struct Place: Sendable, Hashable {
        package enum Kind: String, Sendable { case pod, node, lan, outside }

        package let name: String
        package let kind: Kind
        package var links: [Int32: Link] = [:]
        /// Who is at a link's other end, where it is known.
        package var neighbours: [Int32: String] = [:]

        package init(name: String, kind: Kind, links: [Int32: Link] = [:], neighbours: [Int32: String] = [:]) {
            (self.name, self.kind, self.links, self.neighbours) = (name, kind, links, neighbours)
        }

        func device(_ index: Int32) -> String { links[index]?.name ?? "#\(index)" }
    }

    /// The packet, or its answer, on a device.
    package struct Sight: Sendable, Hashable {
        package let time: UInt64
        package let place: Int
        package let device: Int32
        package let isOutgoing: Bool
        package let leg: Leg
        /// As it is on this device: what a tunnel carries is in `datagram`, and what carries it here.
        package let frame: Frame
        package let datagram: Datagram
        package let vni: Int?
    }

    /// A name that was asked for, and what its server said.
    package struct Resolution: Sendable, Hashable {
        package let name: String
        package let server: IPAddress
        package let answer: NameQuestion.Answer
        package let nanoseconds: UInt64

        package var addresses: [IPAddress] { if case .addresses(let found) = answer { found } else { [] } }
    }

    package enum Event: Sendable {
        case resolved(Resolution)
        case seen(Sight)
        case route(String)
        case bridged(String)
        case rule(RuleSight)
        case policy(PolicyExplanation)
        case tracked(original: ConnectionTuple, reply: ConnectionTuple)
    }

    package struct Step: Sendable {
        /// Nanoseconds since the packet was sent; nil for what has no time of its own and follows what stands before it.
        package let time: UInt64?
        package let place: String
        package let leg: Leg
        package let event: Event
    }

    package enum Ending: Sendable {
        case answered(Datagram, after: UInt64)
        /// By a reset, or an ICMP error.
        case refused(Datagram, after: UInt64)
        case arrived
        case dropped(RuleSight, place: String)
        case lost(last: Sight?)
    }

    package var places: [Place]
    package var steps: [Step] = []
    package var ending = Ending.lost(last: nil)

    package init(places: [Place]) { self.places = places }

    /// The probe and its answers among frames, each with the number of the place that saw it.
    /// What a bridge floods to stations that it is not for is none of the way.
    package static func sights(_ frames: [(place: Int, frame: CapturedFrame)], of probe: ProbePacket, in places: [Place]) -> [Sight] {
        struct Parsed {
            let place: Int, captured: CapturedFrame, frame: Frame, datagram: Datagram, vni: Int?
        }
        let parsed = frames.compactMap { place, captured -> Parsed? in
            let isPort = places[place].links[captured.device]?.master != nil
            if captured.isForOther, !isPort { return nil }
            guard let frame = Frame(captured.bytes), let outer = frame.datagram else { return nil }
            let inner = outer.inner
            return Parsed(place: place, captured: captured, frame: frame, datagram: inner?.frame.datagram ?? outer, vni: inner?.vni)
        }
        var conversation = ProbeConversation(probe)
        for one in parsed { conversation.learn(one.datagram) }
        let found = parsed.compactMap { one in
            conversation.leg(one.datagram).map {
                Sight(
                    time: one.captured.time, place: one.place, device: one.captured.device, isOutgoing: one.captured.isOutgoing, leg: $0,
                    frame: one.frame, datagram: one.datagram, vni: one.vni)
            }
        }
        // As each place told them, where the clock does not tell them apart.
        return found.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }
}

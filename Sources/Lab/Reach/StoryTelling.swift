import Model
import Netlink
import Proxy
import Rules
import Runtime

/// Makes a story of what was seen: frames from each place, the kernels' words about their rules, connections and routes.
package struct StoryTelling {
    /// What a node's kernel told of its rules.
    package struct Told {
        package var events: [TraceEvent] = []
        package var outlines: [TableID: TableOutline] = [:]
        package var connections: [(original: ConnectionTuple, reply: ConnectionTuple)] = []

        package init() {}
    }

    package struct Question: Hashable {
        package let place: Int
        package let destination: IPAddress

        package init(place: Int, destination: IPAddress) { (self.place, self.destination) = (place, destination) }
    }

    private let places: [PacketStory.Place]
    private let sights: [PacketStory.Sight]
    private let conversation: ProbeConversation
    private let ownTable: TableID
    /// By place.
    package var told: [Int: Told] = [:]
    package var routes: [Question: RouteAnswer] = [:]
    /// The way that the packet took, as it was computed.
    package var journey: Journey?
    package var explanations: [PolicyExplanation] = []
    /// Whom a client outside hands the packet to.
    package var router: IPAddress?

    package init(places: [PacketStory.Place], sights: [PacketStory.Sight], of probe: ProbePacket, ownTable: TableID) {
        (self.places, self.sights, self.ownTable) = (places, sights, ownTable)
        var conversation = ProbeConversation(probe)
        for sight in sights { conversation.learn(sight.datagram) }
        self.conversation = conversation
    }

    /// Of the ways that a Service has, the one to the endpoint that the kernel chose: as frames show it, or, where the packet was stopped
    /// before it left, as the rules saw it.
    package func taken(of journeys: [Journey]) -> Journey? {
        let told = told.values.flatMap(\.events).compactMap(\.datagram).filter { conversation.leg($0) == .there }
        let seen = sights.filter { $0.leg == .there }.map(\.datagram) + told
        func isSeen(_ packet: Packet) -> Bool {
            seen.contains { $0.destination == packet.destination && $0.destinationPort == packet.destinationPort }
        }
        return journeys.first { isSeen($0.packet) } ?? (journeys.count == 1 ? journeys.first : nil)
    }

    /// One stay of the packet at a place: frames that came in, what the rules said, frames that went out.
    private struct Visit {
        let place: Int
        let leg: PacketStory.Leg
        var incoming: [PacketStory.Sight] = []
        var passage: [TraceEvent] = []
        var outgoing: [PacketStory.Sight] = []
    }

    private struct Stay: Hashable {
        let place: Int
        let leg: PacketStory.Leg
    }

    private var visits: [Visit] {
        var visits: [Visit] = [], open: [Stay: Int] = [:]
        for sight in sights {
            let key = Stay(place: sight.place, leg: sight.leg)
            if let index = open[key], sight.isOutgoing || visits[index].outgoing.isEmpty {
                if sight.isOutgoing { visits[index].outgoing.append(sight) } else { visits[index].incoming.append(sight) }
                continue
            }
            open[key] = visits.count
            visits.append(Visit(place: sight.place, leg: sight.leg))
            if sight.isOutgoing { visits[visits.count - 1].outgoing = [sight] } else { visits[visits.count - 1].incoming = [sight] }
        }
        for (place, told) in told.sorted(by: { $0.key < $1.key }) {
            for passage in reading(place).passages(told.events) {
                guard let leg = leg(passage) else { continue }
                let isContinued = passage.first?.table != ownTable
                if isContinued, let index = visits.lastIndex(where: { $0.place == place && $0.leg == leg && !$0.passage.isEmpty }) {
                    if !isFlooded(passage, visits[index]) { visits[index].passage += passage }
                } else if let index = visits.firstIndex(where: { $0.place == place && $0.leg == leg && $0.passage.isEmpty }) {
                    visits[index].passage = passage
                } else if leg == .there {
                    // What a node sends, and a rule stops before it leaves, no frame shows.
                    visits.append(Visit(place: place, leg: leg, passage: passage))
                }
            }
        }
        return visits
    }

    /// The kernel calls a packet by another number where a bridge takes it up or hands it on, and each copy of a flooded one. Those that a
    /// bridge does not hand on tell nothing, where another went out.
    private func isFlooded(_ passage: [TraceEvent], _ visit: Visit) -> Bool {
        guard let device = passage.lazy.compactMap(\.outputDevice).first, passage.allSatisfy({ $0.table.family == .bridge }) else {
            return false
        }
        let ports = visit.outgoing.map(\.device).filter { places[visit.place].links[$0]?.master != nil }
        return !ports.isEmpty && !ports.contains(device)
    }

    /// Which routes the story wants to tell.
    package var questions: Set<Question> {
        Set(
            visits.compactMap { visit in
                guard bridge(visit) == nil, let datagram = routed(visit) else { return nil }
                return Question(place: visit.place, destination: datagram.destination)
            })
    }

    /// What was routed: as the hooks behind the routing saw it, or as it left. What came and never got so far was not.
    private func routed(_ visit: Visit) -> Datagram? {
        let points = points(visit)
        let behind = zip(visit.passage, points).first { event, point in
            event.datagram != nil && event.table != ownTable && event.table.family != .bridge
                && point.map { [.forward, .input, .postrouting].contains($0) } ?? false
        }
        return behind?.0.datagram ?? visit.outgoing.first?.datagram
    }

    private func points(_ visit: Visit) -> [Hook.Point?] { reading(visit.place).points(visit.passage) }

    private func reading(_ place: Int) -> RuleReading { RuleReading(outlines: told[place]?.outlines ?? [:], ownTable: ownTable) }

    /// The bridge that carries a frame from one of its ports to another, so that nothing is routed.
    private func bridge(_ visit: Visit) -> String? {
        let links = places[visit.place].links
        guard let from = visit.incoming.first, let to = visit.outgoing.last, let master = links[from.device]?.master,
            links[to.device]?.master == master, !(visit.incoming + visit.outgoing).contains(where: { $0.device == master })
        else { return nil }
        return links[master]?.name
    }

    /// `answer`: what a name server said, where one was asked.
    package func story(_ answer: (String, PacketStory.Resolution)?) -> PacketStory {
        var story = PacketStory(places: places)
        if let (place, answer) = answer {
            story.steps.append(PacketStory.Step(time: nil, place: place, leg: .there, event: .resolved(answer)))
        }
        let start = sights.first?.time ?? 0
        var steps: [(time: UInt64, step: PacketStory.Step)] = [], dropped: (RuleSight, String)?
        for visit in visits {
            let name = places[visit.place].name, rules = rules(visit)
            func add(_ sights: [PacketStory.Sight]) {
                for sight in sights {
                    steps.append(
                        (sight.time, PacketStory.Step(time: sight.time - start, place: name, leg: visit.leg, event: .seen(sight))))
                }
            }
            func add(_ events: [PacketStory.Event], _ time: UInt64?) {
                steps += events.map { (time ?? start, PacketStory.Step(time: nil, place: name, leg: visit.leg, event: $0)) }
            }
            let early = visit.outgoing.prefix(takenBack(visit))
            let untaken = visit.incoming.prefix(untranslated(visit)), moment = visit.incoming.last?.time ?? visit.outgoing.first?.time
            add(Array(untaken))
            add(arrival(visit, rules), untaken.last?.time ?? moment)
            add(Array(visit.incoming.dropFirst(untaken.count)))
            add(way(visit), moment)
            add(Array(early))
            add(events(behind: visit, rules), early.last?.time ?? visit.incoming.last?.time ?? visit.outgoing.first?.time)
            add(Array(visit.outgoing.dropFirst(early.count)))
            if let rule = rules.last(where: { $0.verdict == "drop" }), dropped == nil, visit.leg == .there { dropped = (rule, name) }
        }
        story.steps += steps.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element.step)
        story.ending = ending(dropped)
        return story
    }

    private func leg(_ passage: [TraceEvent]) -> PacketStory.Leg? {
        passage.lazy.compactMap { $0.datagram.flatMap { conversation.leg($0) } }.first
    }

    private func rules(_ visit: Visit) -> [RuleSight] {
        reading(visit.place).sights(visit.passage) { element(visit, $0, $1, $2) }
    }

    /// Whose element of a set a packet was found in: computed, for the kernel does not say.
    private func element(_ visit: Visit, _ point: Hook.Point?, _ event: TraceEvent, _ text: String) -> String? {
        guard visit.leg == .there, let journey else { return nil }
        let hops = journey.hops.filter { $0.node == places[visit.place].name && $0.point == point }
        return hops.lazy.flatMap(\.trace.steps).first { $0.table == event.table && $0.chain == event.chain && $0.text == text }?.element
    }

    /// How many of the outgoing frames a bridge sees before it judges: what came by one of its ports, is translated to somebody behind
    /// another, and goes through its own device to find his MAC address. (br_netfilter)
    private func takenBack(_ visit: Visit) -> Int {
        guard let from = visit.incoming.last, let bridge = places[visit.place].links[from.device]?.master,
            visit.outgoing.first?.device == bridge
        else { return 0 }
        return 1
    }

    /// How many of the incoming frames came before the packet was translated: a bridge has the rules judge what its ports take in before it
    /// takes it in itself. (br_netfilter)
    private func untranslated(_ visit: Visit) -> Int {
        guard let first = visit.incoming.first, let bridge = places[visit.place].links[first.device]?.master else {
            return visit.incoming.count
        }
        let name = ConnectionTuple(first.datagram)
        return visit.incoming.firstIndex { $0.device == bridge && ConnectionTuple($0.datagram) != name } ?? visit.incoming.count
    }

    /// What happened to a packet that has come, before its way was chosen.
    private func arrival(_ visit: Visit, _ rules: [RuleSight]) -> [PacketStory.Event] {
        let events: [PacketStory.Event] = rules.filter { ["prerouting", "output"].contains($0.point) }.map { .rule($0) }
        return events
            + (visit.leg == .there ? [connection(visit).map { .tracked(original: $0.original, reply: $0.reply) }] : []).compactMap(\.self)
    }

    /// The choice of its way.
    private func way(_ visit: Visit) -> [PacketStory.Event] {
        if let bridge = bridge(visit) { return [.bridged(bridge)] }
        guard let datagram = routed(visit) else { return [] }
        if let route = routes[Question(place: visit.place, destination: datagram.destination)] {
            return [.route(route.text(device: route.device == 0 ? nil : places[visit.place].device(route.device)))]
        }
        // A client outside that knows no way is told one.
        let router = visit.leg == .there && places[visit.place].kind == .outside ? self.router : nil
        return [.route("none to \(datagram.destination)\(router.map { ", handed to \($0)" } ?? "")")]
    }

    /// And up to its going.
    private func events(behind visit: Visit, _ rules: [RuleSight]) -> [PacketStory.Event] {
        let judging = rules.filter { ["forward", "input"].contains($0.point) }
        let policies = visit.leg == .there ? policies(visit) : []
        // Nobody asks those behind the first that denies.
        let passed = policies.prefix(while: \.isAllowed), denying = policies.dropFirst(passed.count).prefix(1)
        let stop = judging.firstIndex { $0.verdict == "drop" } ?? judging.count
        var events: [PacketStory.Event] = judging[..<stop].map { .rule($0) } + passed.map { .policy($0) }
        events += judging[stop...].map { .rule($0) } + denying.map { .policy($0) }
        return events + rules.filter { $0.point == "postrouting" }.map { .rule($0) }
    }

    /// Both ways of the connection that the packet began, where the node keeps one. What the node itself sends is translated when it is
    /// first seen.
    private func connection(_ visit: Visit) -> (original: ConnectionTuple, reply: ConnectionTuple)? {
        guard let first = (visit.incoming + visit.outgoing).first(where: { $0.vni == nil })?.datagram, first.hasPorts else { return nil }
        let name = ConnectionTuple(first), connections = told[visit.place]?.connections ?? []
        return connections.first { $0.original == name } ?? connections.first { visit.incoming.isEmpty && $0.reply.reversed == name }
    }

    /// An answer as the sender's programs have it: one that a node gets for itself is translated back behind all devices.
    private func received(_ back: PacketStory.Sight) -> Datagram {
        let name = ConnectionTuple(back.datagram)
        func isReply(_ connection: (original: ConnectionTuple, reply: ConnectionTuple)) -> Bool {
            var half = connection.reply
            // What a bridge takes in has its destination back already. (br_netfilter)
            (half.destination, half.destinationPort) = (connection.original.source, connection.original.sourcePort)
            return name == connection.reply || name == half
        }
        guard places[back.place].kind == .node, back.datagram.hasPorts,
            let connection = told[back.place]?.connections.first(where: isReply)
        else { return back.datagram }
        return back.datagram.translated(
            from: (connection.original.destination, connection.original.destinationPort),
            to: (connection.original.source, connection.original.sourcePort))
    }

    /// The sender's policies speak on its node, the receiver's on its own.
    private func policies(_ visit: Visit) -> [PolicyExplanation] {
        guard let journey, places[visit.place].kind == .node else { return [] }
        let deciding = journey.hops.filter { [.forward, .input, .output].contains($0.point) }
        let node = places[visit.place].name
        return explanations.filter { explanation in
            (explanation.direction == .egress ? deciding.first : deciding.last)?.node == node
        }
    }

    private func ending(_ dropped: (RuleSight, String)?) -> PacketStory.Ending {
        guard let first = sights.first else { return dropped.map { .dropped($0.0, place: $0.1) } ?? .lost(last: nil) }
        // The answer has come back when the packet's sender has it.
        if let back = sights.last(where: { $0.leg == .back && $0.place == first.place && !$0.isOutgoing }) {
            let after = back.time - first.time, isReset = back.datagram.flags.map { $0 & Datagram.reset != 0 } ?? false
            let answer = received(back)
            return isReset || answer.quoted != nil ? .refused(answer, after: after) : .answered(answer, after: after)
        }
        if let dropped { return .dropped(dropped.0, place: dropped.1) }
        let last = sights.last { $0.leg == .there }
        let isAnswered = sights.contains { $0.leg == .back }
        if let last, !last.isOutgoing, places[last.place].kind == .pod, last.place != first.place, !isAnswered { return .arrived }
        return .lost(last: sights.last)
    }
}

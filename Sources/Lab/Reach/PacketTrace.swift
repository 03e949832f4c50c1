import Glibc
import Host
import Model
import Netlink
import Proxy
import Rules
import Runtime

/// Sends one real packet and listens to every namespace on its way: frames, rules, connections, routes.
package struct PacketTrace {
    let paths: ClusterPaths
    let snapshot: ClusterSnapshot
    let walk: PacketWalk
    let question: FlowQuestion
    let journeys: [Journey]

    package init(paths: ClusterPaths, snapshot: ClusterSnapshot, walk: PacketWalk, question: FlowQuestion, journeys: [Journey]) {
        (self.paths, self.snapshot, self.walk) = (paths, snapshot, walk)
        (self.question, self.journeys) = (question, journeys)
    }

    private var family: IPFamily { question.address.family }

    /// `patience`: the seconds that an answer may take.
    package func run(patience: Double) async throws -> PacketStory {
        let places = try TapPlaces(paths: paths, snapshot: snapshot).read(pods: pods, nodes: snapshot.cluster.nodes.map(\.name))
        // First of all, for the kernel begins to note the time of packets a moment after it is asked to.
        let taps = try PacketTaps(places.map { (namespace: $0.namespace, device: $0.device) }, snap: 512)
        defer { taps.close() }
        let probe = ProbePacket(
            from: walk.sourceAddress(of: question.source, to: question.address), to: question.address, proto: question.proto,
            port: question.probe.port, token: UInt32.random(in: 1...UInt32.max - 1))
        var trace = RuleTrace("trace", family)
        do {
            var begun: [String: ConntrackEvents] = [:]
            for (node, entries) in entries {
                try await trace.listen(on: node, paths, entries)
                begun[node] = try ConntrackEvents(in: NetworkNamespace(path: paths.nodeNetns(node)))
            }
            let answer = try await resolve(places)
            let frames = try await send(probe, places, taps, patience)
            let story = try await tell(probe, places, frames, trace, begun, answer)
            await trace.stop()
            return story
        } catch {
            await trace.stop()
            throw error
        }
    }

    /// The sender, and whoever may receive it.
    private var pods: [Pod] {
        var addresses = Set(journeys.map(\.packet.destination))
        if case .pod(let address, _) = question.source { addresses.insert(address) }
        return snapshot.pods.filter { !$0.isHostNetwork && !$0.isFinished && !addresses.isDisjoint(with: $0.ips) }
    }

    /// The packet as it comes to each node, and its answers.
    private var entries: [String: Set<RuleTrace.Entry>] {
        var entries = RuleTrace.entries(journeys)
        for journey in journeys {
            for hop in journey.hops where [.prerouting, .output].contains(hop.point) {
                let packet = hop.trace.packet
                for source in Set([packet.source, journey.packet.source]) {
                    let answer = Packet(from: journey.packet.destination, to: source, proto: packet.proto)
                    for point in [Hook.Point.prerouting, .output] {
                        entries[hop.node, default: []].insert(RuleTrace.Entry(point: point, packet: answer))
                    }
                }
            }
        }
        return entries
    }

    /// The question for a name that stands before a pod's packet to a Service; nil where nobody would ask.
    private func resolve(_ places: [TapPlaces.One]) async throws -> (String, PacketStory.Resolution)? {
        guard case .pod(let address, _) = question.source,
            let service = snapshot.services.first(where: { $0.clusterIPs.contains(question.address) }),
            let pod = snapshot.pods.first(where: { $0.ips.contains(address) && !$0.isHostNetwork }),
            let server = snapshot.services.first(where: { $0.key == ObjectKey("kube-system", "kube-dns") })?.clusterIP(family),
            let place = places.first(where: { $0.place.name == "\(pod.key)" }),
            pod.spec["dnsPolicy"].string ?? "ClusterFirst" == "ClusterFirst"
        else { return nil }
        let name = "\(service.name).\(service.namespace).svc.\(snapshot.cluster.dnsDomain)", start = ContinuousClock.now
        let answer = try await NameQuestion(namespace: place.namespace, server: server, patience: 60).ask("\(name).", family)
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return (
            "\(pod.key)",
            PacketStory.Resolution(
                name: name, server: server, answer: answer,
                nanoseconds: UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000))
        )
    }

    /// The place that the packet starts at.
    private func start(_ places: [TapPlaces.One]) throws -> Int {
        let found: Int?
        switch question.source {
        case .pod(let address, let node):
            let pod = snapshot.pods.first { $0.ips.contains(address) && !$0.isHostNetwork }
            found = places.firstIndex { $0.place.name == pod.map { "\($0.key)" } ?? node }
        case .node(let name): found = places.firstIndex { $0.place.name == name && $0.place.kind == .node }
        case .outside: found = places.firstIndex { $0.place.kind == .outside }
        }
        guard let found else {
            throw UserError("error: \(question.sourceName) has no network any more", hint: "see: minik get pods -o wide")
        }
        return found
    }

    private var router: IPAddress? { if case .outside = question.source { walk.router(to: question.address) } else { nil } }

    private func send(
        _ probe: ProbePacket, _ places: [TapPlaces.One], _ taps: PacketTaps, _ patience: Double
    ) async throws -> [(place: Int, frame: CapturedFrame)] {
        let start = try start(places), home = places[start].namespace
        let sending = ReachProbe.Sending(namespace: home, packet: probe, via: router)
        let isExpected = !journeys.isEmpty && journeys.contains(where: \.isDelivered)
        let isTalkative = [Datagram.tcp, Datagram.icmp, Datagram.icmpv6].contains(probe.proto)
        // What nobody has to answer, and what is to be stopped, is waited for no longer than it takes to travel.
        let quiet = isExpected && isTalkative ? patience : isExpected ? min(0.15, patience) : min(0.06, patience)
        return try await SmallProgram.blocking {
            var frames: [(place: Int, frame: CapturedFrame)] = [], conversation = ProbeConversation(probe)
            try ReachProbe.send(sending)
            let begin = Self.now()
            var last = begin, isBack = false
            while Self.now() - begin < patience, Self.now() - last < (isBack ? 0.004 : quiet) {
                for (place, frame) in taps.read(milliseconds: 2) {
                    guard let outer = Frame(frame.bytes)?.datagram else { continue }
                    let datagram = outer.inner?.frame.datagram ?? outer
                    conversation.learn(datagram)
                    frames.append((place, frame))
                    guard let leg = conversation.leg(datagram) else { continue }
                    last = Self.now()
                    if leg == .back, place == start, !frame.isOutgoing { isBack = true }
                }
            }
            return frames
        }
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func tell(
        _ probe: ProbePacket, _ places: [TapPlaces.One], _ frames: [(place: Int, frame: CapturedFrame)], _ trace: RuleTrace,
        _ begun: [String: ConntrackEvents], _ answer: (String, PacketStory.Resolution)?
    ) async throws -> PacketStory {
        let sights = PacketStory.sights(frames, of: probe, in: places.map(\.place))
        var telling = StoryTelling(places: places.map(\.place), sights: sights, of: probe, ownTable: trace.table)
        for (index, one) in places.enumerated() where one.place.kind == .node {
            var told = StoryTelling.Told()
            told.events = trace.events(one.place.name)
            for table in Set(told.events.map(\.table)) { told.outlines[table] = try await trace.outline(one.place.name, table) }
            if sights.contains(where: { $0.place == index }), trace.nodes.contains(one.place.name) {
                var connections = try ConntrackSocket(in: NetworkNamespace(path: one.namespace))
                // A reset ends one at once, and then it is in no list; what is tracked already is not told again.
                told.connections = try (begun[one.place.name]?.read() ?? []) + connections.tuples(family)
            }
            telling.told[index] = told
        }
        for question in telling.questions {
            var socket = try NetlinkSocket(in: NetworkNamespace(path: places[question.place].namespace))
            telling.routes[question] = try socket.route(to: question.destination)
        }
        telling.router = router
        telling.journey = telling.taken(of: journeys)
        if let journey = telling.journey { telling.explanations = snapshot.explanations(journey, from: question.source) }
        return telling.story(answer)
    }
}

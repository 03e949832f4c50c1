import Glibc
import Host
import Model
import Netlink
import Proxy
import Rules
import Runtime

/// Captures in many namespaces at once, until it is stopped.
package actor PacketCapture {
    private let executor = QueueExecutor("capture")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let paths: ClusterPaths
    private let places: [TapPlaces.One]
    private let taps: PacketTaps
    private var filter: CaptureFilter
    private var comments = CaptureComments()
    private var traces: [RuleTrace] = []
    private var walk: PacketWalk
    private var outlines: [String: [TableID: TableOutline]] = [:]
    private let output: CaptureOutput
    private var pending: [(place: Int, frame: CapturedFrame)] = []
    private static let snap = 262144
    /// What rules say of a packet may come a little after it; and no namespace is read at the same moment as another.
    private static let hold: UInt64 = 60_000_000
    private static let mostPending = 20000

    package init(
        paths: ClusterPaths, snapshot: ClusterSnapshot, places: [TapPlaces.One], filter: CaptureFilter, output: CaptureOutput
    ) throws {
        (self.paths, self.places, self.filter, self.output) = (paths, places, filter, output)
        walk = snapshot.walk()
        taps = try PacketTaps(places.map { (namespace: $0.namespace, device: $0.device) }, snap: Self.snap)
    }

    package struct Outcome: Sendable {
        package let packets: Int
        package let interfaces: Int
        package let dropped: Int
    }

    /// Has the kernels tell of the first packets of connections. They do until `stop`, which has to come even where this fails.
    package func start(_ families: [IPFamily]) async throws {
        try output.begin(places.map(\.place), snap: Self.snap)
        for family in families {
            var trace = RuleTrace("capture", family)
            let rules = filter.rules(family)
            defer { traces.append(trace) }
            for one in places where one.place.kind == .node && !rules.isEmpty {
                try await trace.listen(on: one.place.name, paths, [.prerouting: rules, .output: rules], priority: RuleTrace.behindTracking)
            }
        }
    }

    /// `most`: as in `turn`.
    package func stop(most: Int? = nil) async throws -> Outcome {
        // All that came before the end, however far behind the reading is.
        let end = Self.now()
        while let last = take(milliseconds: 0), last <= end {}
        try await listen()
        await deafen()
        try write(until: .max, most: most)
        let dropped = taps.dropped()
        taps.close()
        try output.end(places.map(\.place), dropped: dropped)
        return Outcome(packets: output.packets, interfaces: output.interfaces, dropped: dropped.reduce(0, +))
    }

    /// After a failure: nothing stays in the kernels.
    package func abandon() async {
        await deafen()
        taps.close()
    }

    private func deafen() async {
        let open = traces
        traces = []
        for var trace in open { await trace.stop() }
    }

    /// Takes what has come and writes what is complete; false when as many packets as were wanted are written, or nobody reads them.
    package func turn(most: Int?) async throws -> Bool {
        take(milliseconds: 20)
        try await listen()
        try write(until: Self.now() - Self.hold, most: most)
        output.look()
        return !output.isAbandoned && most.map { output.packets < $0 } ?? true
    }

    /// Takes what has come, and waits for the first of it so long; when the earliest of it came, nil where nothing did.
    @discardableResult
    private func take(milliseconds: Int32) -> UInt64? {
        let frames = taps.read(milliseconds: milliseconds)
        for (place, frame) in frames {
            guard let parsed = Frame(frame.bytes), filter.takes(parsed) else { continue }
            pending.append((place, frame))
        }
        return frames.map(\.frame.time).min()
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func listen() async throws {
        for (index, trace) in traces.enumerated() {
            for node in trace.nodes {
                let events = trace.events(node)
                // Each hears what both families' tables have marked.
                if events.isEmpty || index > 0 { continue }
                for table in Set(events.map(\.table)) where isUnknown(events, node, table) {
                    outlines[node, default: [:]][table] = try await trace.outline(node, table)
                }
                let reader = RuleReading(outlines: outlines[node] ?? [:], ownTable: trace.table)
                for passage in reader.passages(events) where !reader.isFlooded(passage) { add(passage, node, reader) }
            }
        }
    }

    /// A rule that came since its table was read.
    private func isUnknown(_ events: [TraceEvent], _ node: String, _ table: TableID) -> Bool {
        guard let outline = outlines[node]?[table] else { return true }
        return events.contains { $0.table == table && $0.ruleHandle.map { outline.rules[$0] == nil } ?? false }
    }

    private func add(_ passage: [TraceEvent], _ node: String, _ reader: RuleReading) {
        let datagrams = passage.compactMap(\.datagram)
        let sights = reader.sights(passage) { point, event, text in
            guard let point, let first = datagrams.first else { return nil }
            let now = passage.prefix { $0 != event }.last { $0.datagram != nil }?.datagram ?? first
            var packet = Packet(from: now.source, to: now.destination, proto: now.proto, port: now.destinationPort)
            packet.isDestinationTranslated = first.destination != now.destination || first.destinationPort != now.destinationPort
            return walk.traces(of: packet, on: node, point).lazy.flatMap(\.steps)
                .first { $0.table == event.table && $0.chain == event.chain && $0.text == text }?.element
        }
        comments.add(node, at: Self.now(), datagrams, sights.filter(\.isDecision).map(\.words))
    }

    private func write(until end: UInt64, most: Int? = nil) throws {
        var end = end
        if pending.count > Self.mostPending { end = .max }
        let ready = pending.enumerated().filter { $0.element.frame.time <= end }
            .sorted { ($0.element.frame.time, $0.offset) < ($1.element.frame.time, $1.offset) }.map(\.element)
        pending.removeAll { $0.frame.time <= end }
        for (place, frame) in ready {
            if let most, output.packets >= most { return }
            let one = places[place].place
            try output.write(place, one, frame, comment: comments.comment(one, frame))
        }
    }
}

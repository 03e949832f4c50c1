import Model
import Netlink
import Proxy
import Rules
import Runtime

/// Asks the kernel itself: sends real packets, sees where they arrive, and hears of every rule that stopped one.
package struct LiveTrace {
    /// A packet that a rule of the kernel's stopped.
    package struct Stop: Hashable {
        package let node: String
        package let table: TableID
        package let chain: String
        package let rule: String
        package let comment: String?
        /// Where it was going when it was stopped.
        package let destination: IPAddress
    }

    package struct Finding {
        package var sent: Int
        /// The pods, and nodes, that a packet came to.
        package var arrivedAt: Set<String> = []
        package var stops: Set<Stop> = []

        package init(sent: Int) { self.sent = sent }
    }

    /// As often as it takes to meet every endpoint of a Service, very likely.
    private static let packetsPerEndpoint = 12

    let paths: ClusterPaths
    let snapshot: ClusterSnapshot
    let walk: PacketWalk
    private let family: IPFamily

    /// `walk`: the snapshot's, compiled once for the question.
    package init(paths: ClusterPaths, snapshot: ClusterSnapshot, walk: PacketWalk, _ family: IPFamily) {
        self.paths = paths
        self.snapshot = snapshot
        self.walk = walk
        self.family = family
    }

    package func run(_ question: FlowQuestion, _ journeys: [Journey]) async throws -> Finding {
        var trace = RuleTrace("why", family)
        do {
            for (node, entries) in RuleTrace.entries(journeys) { try await trace.listen(on: node, paths, entries) }
            let finding = try await ask(question, journeys, trace)
            await trace.stop()
            return finding
        } catch {
            await trace.stop()
            throw error
        }
    }

    private func ask(_ question: FlowQuestion, _ journeys: [Journey], _ trace: RuleTrace) async throws -> Finding {
        let count = journeys.count > 1 ? min(journeys.count * Self.packetsPerEndpoint, 1024) : 1
        let base = UInt32.random(in: 1...0x7FFF) << 16
        let packets = (0..<count).map { number in
            ProbePacket(
                from: walk.sourceAddress(of: question.source, to: question.address), to: question.address, proto: question.proto,
                port: question.probe.port, token: base + UInt32(number))
        }
        let namespace = namespace(question.source)
        var router: IPAddress?
        if case .outside = question.source { router = walk.router(to: question.address) }
        let isEveryExpected = journeys.allSatisfy(\.isDelivered)
        let arrivals = try await ReachProbe(listeners: listeners(journeys)).run(
            packets.map { ReachProbe.Sending(namespace: namespace, packet: $0, via: router) },
            expected: isEveryExpected ? Set(packets.map(\.token)) : []
        )
        var finding = Finding(sent: count)
        for names in arrivals.values { finding.arrivedAt.formUnion(names.keys) }
        for node in trace.nodes { finding.stops.formUnion(try await stops(node, trace)) }
        return finding
    }

    private func namespace(_ source: PacketSource) -> String {
        switch source {
        case .pod(let address, _):
            return snapshot.pods.first { $0.ips.contains(address) && !$0.isHostNetwork }.map { paths.podNetns($0.key) } ?? paths.outside
        case .node(let name): return paths.nodeNetns(name)
        case .outside: return paths.outside
        }
    }

    private func listeners(_ journeys: [Journey]) -> [(name: String, namespace: String)] {
        Set(journeys.map(\.packet.destination)).compactMap { address in
            if let pod = snapshot.pods.first(where: { $0.ips.contains(address) && !$0.isHostNetwork && !$0.isFinished }) {
                return ("\(address)", paths.podNetns(pod.key))
            }
            return snapshot.cluster.nodes.first { $0.addresses.contains(address) }.map { ("\(address)", paths.nodeNetns($0.name)) }
        }
    }

    /// The rules that stopped a packet on `node`.
    private func stops(_ node: String, _ trace: RuleTrace) async throws -> Set<Stop> {
        var outlines: [TableID: TableOutline] = [:], destinations: [UInt32: IPAddress] = [:]
        var stops: Set<Stop> = []
        for event in trace.events(node) {
            if let destination = event.destination { destinations[event.packet] = destination }
            guard event.verdict == "drop" else { continue }
            if outlines[event.table] == nil { outlines[event.table] = try await trace.outline(node, event.table) }
            let rule = event.ruleHandle.flatMap { outlines[event.table]?.rules[$0] }
            stops.insert(
                Stop(
                    node: node, table: event.table, chain: event.chain, rule: rule?.text ?? "policy drop", comment: rule?.comment,
                    destination: destinations[event.packet] ?? .unspecified(family)))
        }
        return stops
    }
}

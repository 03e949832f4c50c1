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

    /// A table sees its own family's packets.
    private var table: TableID { TableID(TableFamily(family), "minik-why") }
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
        var nodes: [String: Ears] = [:]
        for (node, entries) in entries(journeys) { nodes[node] = try await listen(on: node, entries) }
        do {
            let finding = try await ask(question, journeys, nodes)
            await silence(nodes)
            return finding
        } catch {
            await silence(nodes)
            throw error
        }
    }

    /// What hears one node's kernel.
    private final class Ears: Sendable {
        let trace: TraceSocket
        let rulesets: KernelRulesets

        init(namespace: String) throws {
            trace = try TraceSocket(in: NetworkNamespace(path: namespace))
            rulesets = try KernelRulesets(namespace: namespace)
        }
    }

    private struct Entry: Hashable {
        let point: Hook.Point
        let packet: Packet
    }

    /// How the packet looks when it comes to each node on its ways.
    private func entries(_ journeys: [Journey]) -> [String: Set<Entry>] {
        var result: [String: Set<Entry>] = [:]
        for journey in journeys {
            for hop in journey.hops where hop.point == .prerouting || hop.point == .output {
                result[hop.node, default: []].insert(Entry(point: hop.point, packet: hop.packet))
            }
        }
        return result
    }

    private func listen(on node: String, _ entries: Set<Entry>) async throws -> Ears {
        let ears = try Ears(namespace: paths.nodeNetns(node))
        var rules = Ruleset()
        let beforeEverything = -350
        for point in Set(entries.map(\.point)) {
            rules.chains["\(point.rawValue)"] = Chain(
                hook: Hook(.filter, point, beforeEverything),
                entries.filter { $0.point == point }.map { entry in
                    let packet = entry.packet
                    var statements: [Statement] = [
                        .match(.sourceAddress(packet.source.family), .address(packet.source)),
                        .match(.destinationAddress(packet.source.family), .address(packet.destination)),
                        .match(.transportProtocol, .transportProtocol(packet.proto)),
                    ]
                    if packet.destinationPort > 0 { statements.append(.match(.destinationPort, .port(packet.destinationPort))) }
                    return Rule(statements + [.trace])
                })
        }
        try await ears.rulesets.apply([.addTable, .deleteTable, .addTable] + Ruleset.diff(Ruleset(), rules), table: table)
        return ears
    }

    private func silence(_ nodes: [String: Ears]) async {
        for ears in nodes.values { try? await ears.rulesets.apply([.deleteTable], table: table) }
    }

    private func ask(_ question: FlowQuestion, _ journeys: [Journey], _ nodes: [String: Ears]) async throws -> Finding {
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
        for (node, ears) in nodes { finding.stops.formUnion(try await stops(node, ears)) }
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
    private func stops(_ node: String, _ ears: Ears) async throws -> Set<Stop> {
        let events = ears.trace.read()
        var handles: [TableID: [UInt64: Rule]] = [:], destinations: [UInt32: IPAddress] = [:]
        var stops: Set<Stop> = []
        for event in events {
            if let destination = event.destination { destinations[event.packet] = destination }
            guard event.verdict == "drop" else { continue }
            if handles[event.table] == nil { handles[event.table] = try await ears.rulesets.handles(event.table) }
            let rule = event.ruleHandle.flatMap { handles[event.table]?[$0] }
            stops.insert(
                Stop(
                    node: node, table: event.table, chain: event.chain, rule: rule?.text ?? "policy drop", comment: rule?.comment,
                    destination: destinations[event.packet] ?? .unspecified(family)))
        }
        return stops
    }
}

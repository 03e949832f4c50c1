import Glibc
import Model
import Netlink
import Proxy
import Rules
import Runtime

/// Hears what the rules of nodes' kernels do with packets: `nft monitor trace`, behind a table of its own that marks them.
package struct RuleTrace {
    /// Packets that are followed from where they come into a node's kernel.
    package struct Entry: Hashable, Sendable {
        package let point: Hook.Point
        package let packet: Packet

        package init(point: Hook.Point, packet: Packet) { (self.point, self.packet) = (point, packet) }

        fileprivate var rule: Rule {
            var statements: [Statement] = [
                .match(.sourceAddress(packet.source.family), .address(packet.source)),
                .match(.destinationAddress(packet.source.family), .address(packet.destination)),
                .match(.transportProtocol, .transportProtocol(packet.proto)),
            ]
            if packet.destinationPort > 0 { statements.append(.match(.destinationPort, .port(packet.destinationPort))) }
            return Rule(statements + [.trace])
        }
    }

    package let table: TableID
    private var ears: [String: Ears] = [:]
    private static let beforeEverything = -350
    /// Where it is known which connection a packet belongs to, and nothing is translated yet (NF_IP_PRI_CONNTRACK is -200).
    package static let behindTracking = -199

    /// One node's kernel.
    private final class Ears: Sendable {
        let trace: TraceSocket
        let rulesets: KernelRulesets

        init(namespace: String) throws {
            trace = try TraceSocket(in: NetworkNamespace(path: namespace))
            rulesets = try KernelRulesets(namespace: namespace)
        }
    }

    /// A table for each command, `minik-trace-4711`, which the kernel deletes when the command ends, however it does. A table sees its own
    /// family's packets.
    package init(_ command: String, _ family: IPFamily) { table = TableID(TableFamily(family), "minik-\(command)-\(getpid())") }

    package var nodes: [String] { ears.keys.sorted() }

    /// How a packet looks when it comes to each node on its ways.
    package static func entries(_ journeys: [Journey]) -> [String: Set<Entry>] {
        var result: [String: Set<Entry>] = [:]
        for journey in journeys {
            for hop in journey.hops where hop.point == .prerouting || hop.point == .output {
                result[hop.node, default: []].insert(Entry(point: hop.point, packet: hop.packet))
            }
        }
        return result
    }

    /// Follows `entries` on a node until `stop`, which has to come even where this fails.
    package mutating func listen(on node: String, _ paths: ClusterPaths, _ entries: Set<Entry>) async throws {
        let points = Dictionary(grouping: entries, by: \.point)
        try await listen(on: node, paths, points.mapValues { $0.map(\.rule) }, priority: Self.beforeEverything)
    }

    /// Follows what `rules`, at each hook, mark.
    package mutating func listen(
        on node: String, _ paths: ClusterPaths, _ rules: [Hook.Point: [Rule]], priority: Int
    ) async throws {
        let new = try Ears(namespace: paths.nodeNetns(node))
        ears[node] = new
        var ruleset = Ruleset()
        for (point, rules) in rules { ruleset.chains["\(point.rawValue)"] = Chain(hook: Hook(.filter, point, priority), rules) }
        try await new.rulesets.apply([.addOwnedTable] + Ruleset.diff(Ruleset(), ruleset), table: table)
    }

    package mutating func stop() async {
        // A node that went meanwhile took its table along.
        for ears in ears.values { try? await ears.rulesets.apply([.deleteTable], table: table) }
        ears = [:]
    }

    /// What a node's kernel has told since the last question.
    package func events(_ node: String) -> [TraceEvent] { ears[node]?.trace.read() ?? [] }

    /// The rules of a table that events name.
    package func outline(_ node: String, _ table: TableID) async throws -> TableOutline {
        try await ears[node]?.rulesets.outline(table) ?? TableOutline()
    }
}

import Model
import Netlink
import Proxy
import Rules

/// Lets nobody but the cluster's nodes put frames into a node's tunnels: what comes out of one is a packet from anyone.
struct TunnelGuard {
    private let tables: [IPFamily: TableKeeper<ObjectKey>]
    private static let nodes = ObjectKey("", "nodes")

    init(_ families: [IPFamily], target: KernelRulesets, report: @escaping @Sendable (String) -> Void) {
        tables = Dictionary(
            uniqueKeysWithValues: families.map { family in
                (
                    family,
                    TableKeeper(table: OverlayTable.id(family), base: Ruleset(), isOptional: true, target: target, report: report)
                )
            })
    }

    /// `port`: of the tunnels; nil where there is none.
    func set(_ nodes: [IPAddress], port: UInt16?) async {
        for (family, table) in tables {
            await table.set([Self.nodes: port.map { OverlayTable.compile(nodes, family, port: $0) } ?? Ruleset()])
        }
    }

    /// Until cancelled.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for table in tables.values { group.addTask { try await table.run() } }
            while try await group.next() != nil {}
        }
    }
}

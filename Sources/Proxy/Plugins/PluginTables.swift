import Model
import Rules

/// The tables that a cluster's network plugin keeps on a node beside those of Services and policies. No object of the API changes them.
package enum PluginTables {
    package static func compile(_ node: NodeView, of cluster: Cluster) -> [TableID: Ruleset] {
        switch cluster.plugin {
        case .flannel, .flannelNetpol, .canal:
            [
                FlannelMasquerade.id(node.family): FlannelMasquerade.compile(node),
                OverlayTable.id(node.family): OverlayTable.compile(cluster.nodes.flatMap(\.addresses), node.family),
            ]
        case .calico: calico(node, cluster)
        case .cni, .none: [:]
        }
    }

    /// Without a tunnel nobody can put anything into one.
    private static func calico(_ node: NodeView, _ cluster: Cluster) -> [TableID: Ruleset] {
        var tables = [CalicoMasquerade.id(node.family): CalicoMasquerade.compile(node)]
        if cluster.encapsulation == .vxlan {
            let peers = cluster.nodes.flatMap(\.addresses)
            tables[OverlayTable.id(node.family)] = OverlayTable.compile(peers, node.family, port: OverlayTable.calicoPort)
        }
        return tables
    }

    /// One for each, in the order of their names.
    package static func keepers(
        _ node: NodeView, of cluster: Cluster, target: any RulesetTarget, clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) -> [TableKeeper<ObjectKey>] {
        compile(node, of: cluster).sorted { $0.key < $1.key }.map { table, rules in
            TableKeeper(table: table, base: rules, target: target, clock: clock, report: { report("node \(node.name): \($0)") })
        }
    }
}

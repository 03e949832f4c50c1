import Model
import Rules

/// Everything that decides who reaches whom in a cluster, at one moment.
package struct ClusterSnapshot: Sendable {
    package let cluster: Cluster
    package var services: [Service] = []
    package var slices: [EndpointSlice] = []
    package var pods: [Pod] = []
    package var policies: [NetworkPolicy] = []
    package var namespaces: [Namespace] = []
    package var clusterPolicies: [ClusterNetworkPolicy] = []
    package var nodes: [Node] = []

    package init(cluster: Cluster) { self.cluster = cluster }

    /// What the API knows now.
    package init(cluster: Cluster, client: any Client) async throws {
        self.cluster = cluster
        services = try await client.list(Service.self)
        slices = try await client.list(EndpointSlice.self)
        pods = try await client.list(Pod.self)
        policies = try await client.list(NetworkPolicy.self)
        namespaces = try await client.list(Namespace.self)
        clusterPolicies = try await client.list(ClusterNetworkPolicy.self)
        nodes = try await client.list(Node.self)
    }

    /// Whether policies hold.
    package var isEnforced: Bool { cluster.plugin.enforcesPolicies }

    package func view(_ node: Cluster.NodeSpec) -> NodeView {
        NodeView(node, of: cluster)
    }

    /// What a node's policy table follows from.
    package func policySnapshot(_ node: String) -> PolicySnapshot {
        var snapshot = PolicySnapshot()
        for policy in policies { snapshot.policies[policy.key] = policy }
        for namespace in namespaces { snapshot.namespaces[namespace.name] = namespace.labels }
        for policy in clusterPolicies { snapshot.clusterPolicies[policy.key] = policy }
        for node in nodes { snapshot.nodes[node.name] = PolicyNode(node) }
        for pod in pods { snapshot.pods[pod.key] = PolicyPod(pod, node: node) }
        return snapshot
    }

    /// The tables that a node should hold.
    package func tables(_ node: Cluster.NodeSpec) -> [TableID: Ruleset] {
        let view = view(node)
        let byService = Dictionary(grouping: slices, by: \.serviceKey)
        let services = ServiceCompiler(node: view).table(self.services.map { ($0, byService[$0.key] ?? []) })
        var tables = PluginTables.compile(view, of: cluster)
        tables[ServiceTable.id(view.family)] = services
        if isEnforced { tables[PolicyCompiler.id(view.family)] = PolicyCompiler(node: view).compile(policySnapshot(node.name)) }
        return tables
    }

    /// The cluster's nodes with the tables they should hold.
    package func walk() -> PacketWalk {
        PacketWalk(nodes: cluster.nodes.map { NodeTables(view: view($0), tables: tables($0)) })
    }
}

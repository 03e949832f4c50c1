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
        let zone = nodes.first { $0.name == node.name }?.zone
        let services = ServiceCompiler(node: view, zone: zone).table(self.services.map { ($0, byService[$0.key] ?? []) })
        var tables = PluginTables.compile(view, of: cluster)
        tables[ServiceTable.id(view.family)] = services
        tables[HostPortTable.id(view.family)] = hostPorts(view)
        if isEnforced { tables[PolicyCompiler.id(view.family)] = PolicyCompiler(node: view).compile(policySnapshot(node.name)) }
        return tables
    }

    /// nil on a node whose ports no pod claims.
    private func hostPorts(_ view: NodeView) -> Ruleset? {
        var parts: [Ruleset] = []
        for pod in pods where pod.nodeName == view.name && !pod.isFinished && !pod.isHostNetwork && !pod.hostPorts.isEmpty {
            if let address = pod.ip, address.family == view.family { parts.append(HostPortTable.compile(pod, address)) }
        }
        if parts.isEmpty { return nil }
        return parts.reduce(into: HostPortTable.base(view)) { $0.merge($1) }
    }

    /// The load balancers' addresses, each with the node that answers for it; nil: none does.
    package var balancers: [IPAddress: String?] {
        let placement = LoadBalancerPlacement(nodes: nodes)
        var places: [IPAddress: String?] = [:]
        for service in services where Cluster.balances(service) {
            let slices = self.slices.filter { $0.serviceKey == service.key }
            for address in service.balancerAddresses {
                places.updateValue(placement.node(for: address, of: service, slices), forKey: address)
            }
        }
        return places
    }

    /// The cluster's nodes with the tables they should hold.
    package func walk() -> PacketWalk {
        let balancers = balancers
        return PacketWalk(
            nodes: cluster.nodes.map { node in
                NodeTables(view: view(node), balancers: Set(balancers.filter { $0.value == node.name }.keys), tables: tables(node))
            }, unanswered: Set(balancers.filter { $0.value == nil }.keys), externalIPs: Set(services.flatMap(\.externalIPs)))
    }
}

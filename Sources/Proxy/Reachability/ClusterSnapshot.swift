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

    /// What a node's policy table of one family follows from.
    package func policySnapshot(_ node: NodeView) -> PolicySnapshot {
        var snapshot = PolicySnapshot()
        for policy in policies { snapshot.policies[policy.key] = policy }
        for namespace in namespaces { snapshot.namespaces[namespace.name] = namespace.labels }
        for policy in clusterPolicies { snapshot.clusterPolicies[policy.key] = policy }
        for other in nodes { snapshot.nodes[other.name] = PolicyNode(other, node.family) }
        for pod in pods { snapshot.pods[pod.key] = PolicyPod(pod, node.family, node: node.name) }
        return snapshot
    }

    /// The tables of one family that a node should hold.
    package func tables(_ node: NodeView) -> [TableID: Ruleset] {
        let byService = Dictionary(grouping: slices, by: \.serviceKey)
        let zone = nodes.first { $0.name == node.name }?.zone
        let services = ServiceCompiler(node: node, zone: zone).table(self.services.map { ($0, byService[$0.key] ?? []) })
        var tables = PluginTables.compile(node, of: cluster)
        tables[ServiceTable.id(node.family)] = services
        if cluster.plugin.isBuiltIn { tables[HostPortTable.id(node.family)] = hostPorts(node) }
        if isEnforced { tables[PolicyCompiler.id(node.family)] = PolicyCompiler(node: node).compile(policySnapshot(node)) }
        return tables
    }

    /// nil on a node whose ports no pod claims.
    private func hostPorts(_ node: NodeView) -> Ruleset? {
        var parts: [Ruleset] = []
        for pod in pods where pod.nodeName == node.name && !pod.isFinished && !pod.isHostNetwork && !pod.hostPorts.isEmpty {
            if let address = pod.ip(node.family) { parts.append(HostPortTable.compile(pod, address)) }
        }
        if parts.isEmpty { return nil }
        return parts.reduce(into: HostPortTable.base(node)) { $0.merge($1) }
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

    /// The cluster's nodes with the tables they should hold, of every family.
    package func walk() -> PacketWalk {
        let balancers = balancers
        return PacketWalk(
            nodes: cluster.nodes.flatMap { node in
                let own = balancers.filter { $0.value == node.name }.keys
                return NodeView.views(node, of: cluster).map { view in
                    NodeTables(view: view, balancers: Set(own.filter { $0.family == view.family }), tables: tables(view))
                }
            }, unanswered: Set(balancers.filter { $0.value == nil }.keys), externalIPs: Set(services.flatMap(\.externalIPs)))
    }
}

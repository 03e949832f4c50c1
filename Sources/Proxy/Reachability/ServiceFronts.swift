import Model

/// A way into pods that is no pod's own address: an address and port of a Service, or a port of a node.
package struct ServiceFront: Sendable, Hashable {
    /// `svc/default/web`, `svc/default/web at 192.168.200.240`, `svc/default/web at node/n1`, `default/db at node/n1`
    package let name: String
    /// One of each family.
    package let addresses: [IPAddress]
    package let probe: ReachMatrix.Probe
}

extension ClusterSnapshot {
    /// All ways into the Services, and the host ports, of wanted namespaces: cluster addresses, load balancers', external ones, node ports.
    package func fronts(_ isWanted: (String) -> Bool) -> [ServiceFront] {
        let ofServices = services.filter { isWanted($0.namespace) && $0.type != "ExternalName" }.sorted { $0.key < $1.key }.flatMap(fronts)
        return ofServices
            + pods.filter { isWanted($0.namespace) && !$0.isFinished && !$0.isHostNetwork }.sorted { $0.key < $1.key }.flatMap(fronts)
    }

    private func fronts(_ service: Service) -> [ServiceFront] {
        if service.clusterIPs.isEmpty { return [] }
        let name = "svc/\(service.key)", outside = service.balancerAddresses + service.externalIPs
        return service.ports.flatMap { port -> [ServiceFront] in
            func front(_ name: String, _ addresses: [IPAddress], _ number: Int) -> ServiceFront? {
                UInt16(exactly: number).map {
                    ServiceFront(name: name, addresses: addresses, probe: ReachMatrix.Probe(proto: port.proto.number, port: $0))
                }
            }
            let ways = [front(name, service.clusterIPs, port.port)] + outside.map { front("\(name) at \($0)", [$0], port.port) }
            guard let number = port.nodePort else { return ways.compactMap(\.self) }
            let nodes = cluster.nodes.map { node in
                front("\(name) at node/\(node.name)", node.addresses.filter { service.clusterIP($0.family) != nil }, number)
            }
            return (ways + nodes).compactMap(\.self)
        }
    }

    private func fronts(_ pod: Pod) -> [ServiceFront] {
        guard let node = cluster.nodes.first(where: { $0.name == pod.nodeName }) else { return [] }
        return pod.hostPorts.compactMap { port -> ServiceFront? in
            let addresses = node.addresses.filter { pod.ip($0.family) != nil && port.address ?? $0 == $0 }
            if addresses.isEmpty { return nil }
            return ServiceFront(
                name: "\(pod.key) at node/\(node.name)", addresses: addresses,
                probe: ReachMatrix.Probe(proto: port.proto.number, port: port.port))
        }
    }
}

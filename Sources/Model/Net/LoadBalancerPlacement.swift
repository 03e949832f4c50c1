/// Which node answers for a load balancer's address on the nodes' LAN. The choice follows from the objects alone, so that everybody makes
/// the same; the address leaves its node only when that may not have it any more, and comes back to it.
package struct LoadBalancerPlacement: Sendable {
    package static let excludingLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

    private let nodes: [String]

    /// `nodes`: those of the cluster that are registered.
    package init(nodes: some Sequence<Node>) {
        self.nodes = nodes.filter { $0.isReady && $0.labels[Self.excludingLabel] == nil }.map(\.name)
    }

    /// Whether no node may have any address.
    package var isEmpty: Bool { nodes.isEmpty }

    /// nil: no node may have it. Where clients' addresses are to be kept, only nodes may that have endpoints of their own: ready ones, else
    /// such as end but still serve. A Service that nobody serves refuses, on whatever node.
    package func node(for address: IPAddress, of service: Service, _ slices: [EndpointSlice]) -> String? {
        guard service.externalTrafficIsLocal else { return choose(address, nodes) }
        var ready: Set<String> = [], ending: Set<String> = [], isServed = false
        for endpoint in slices.lazy.flatMap(\.endpoints) {
            let conditions = endpoint["conditions"], isReady = conditions["ready"].bool ?? true
            let isEnding = (conditions["serving"].bool ?? true) && conditions["terminating"].bool ?? false
            guard isReady || isEnding else { continue }
            isServed = true
            guard let node = endpoint["nodeName"].string else { continue }
            if isReady { ready.insert(node) } else { ending.insert(node) }
        }
        if !isServed { return choose(address, nodes) }
        return choose(address, nodes.filter(ready.contains)) ?? choose(address, nodes.filter(ending.contains))
    }

    /// The node that ranks highest for an address: when one goes, only the addresses that it has move. (rendezvous hashing)
    private func choose(_ address: IPAddress, _ nodes: [String]) -> String? {
        nodes.max { ShortHash.hex("\($0)#\(address)", digits: 16) < ShortHash.hex("\($1)#\(address)", digits: 16) }
    }
}

/// Where load balancers' addresses are answered for on the nodes' LAN.
package protocol AddressAnnouncer: Sendable {
    /// Has `node` alone answer for an address from now on; nil: nobody.
    func announce(_ address: IPAddress, from node: String?) async throws
}

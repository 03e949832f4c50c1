import Model

/// Gives each node that has none a range of its own of the cluster's pod network, in the order in which nodes come.
/// (k8s.io/kubernetes/pkg/controller/nodeipam/ipam/range_allocator.go)
package struct NodeRanges: Reconciler {
    /// The prefix length of a node's range.
    private static let nodeMask = 24

    private let network: IPNetwork

    package init(of network: IPNetwork) { self.network = network }

    package var sources: [Source] { [.own(.nodes)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let node = try await client.find(.nodes, key), node["spec"]["podCIDR"].string ?? "" == "" else { return }
        // Two nodes must not get the same one: what the API has counts, not what has been heard of it.
        let taken = Set(try await client.live.list(.nodes, namespace: nil, selector: nil).items.compactMap { $0["spec"]["podCIDR"].string })
        let count = network.prefixLength <= Self.nodeMask ? 1 << (Self.nodeMask - network.prefixLength) : 0
        let free = (0..<count).lazy.compactMap { network.subnet($0, length: Self.nodeMask)?.description }.first { !taken.contains($0) }
        guard let free else {
            await client.recordEvent(
                about: Node(node), type: "Normal", reason: "CIDRNotAvailable",
                message: "Node \(key.name) status is now: CIDRNotAvailable", component: "cidrAllocator")
            return
        }
        _ = try await client.patch(.nodes, key, ["spec": ["podCIDR": .string(free), "podCIDRs": [.string(free)]]])
    }

    /// A node that goes gives back what another waits for.
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let node = try await client.find(.nodes, key), node["spec"]["podCIDR"].string ?? "" == "" else { return nil }
        return .seconds(30)
    }
}

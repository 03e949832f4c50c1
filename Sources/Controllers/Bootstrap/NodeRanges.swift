import Model

/// Gives each node that has none a range of its own of the cluster's pod network, in the order in which nodes come.
/// (k8s.io/kubernetes/pkg/controller/nodeipam/ipam/range_allocator.go)
package struct NodeRanges: Reconciler {
    private let networks: [IPNetwork]
    private let kept: [String: [IPNetwork]]
    private let mask: Int

    /// `networks`: one of each family. `kept`: by name the nodes that have their ranges from elsewhere, written in their objects or not.
    /// `mask`: the prefix length of a node's IPv4 range. (kube-controller-manager, --node-cidr-mask-size-ipv4)
    package init(of networks: [IPNetwork], kept: [String: [IPNetwork]] = [:], mask: Int = 24) {
        (self.networks, self.kept, self.mask) = (networks, kept, mask)
    }

    /// (--node-cidr-mask-size-ipv6)
    private func nodeMask(_ family: IPFamily) -> Int { family == .ipv4 ? mask : 64 }

    package var sources: [Source] { [.own(.nodes)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let node = try await client.find(.nodes, key), lacks(node, key) else { return }
        // Two nodes must not get the same one: what the API has counts, not what has been heard of it.
        let others = try await client.live.list(.nodes, namespace: nil, selector: nil).items
        let texts = others.flatMap { $0["spec"]["podCIDRs"].items + [$0["spec"]["podCIDR"]] }.compactMap(\.string)
        let taken = texts.compactMap { IPNetwork($0) }
        let free = networks.compactMap { range(in: $0, beside: taken + kept.values.joined()) }
        guard free.count == networks.count, let first = free.first else {
            await client.recordEvent(
                about: Node(node), type: "Normal", reason: "CIDRNotAvailable",
                message: "Node \(key.name) status is now: CIDRNotAvailable", component: "cidrAllocator")
            return
        }
        let ranges = free.map { JSON.string($0.description) }
        _ = try await client.patch(.nodes, key, ["spec": ["podCIDR": .string(first.description), "podCIDRs": .array(ranges)]])
    }

    private func lacks(_ node: JSON, _ key: ObjectKey) -> Bool {
        kept[key.name] == nil && node["spec"]["podCIDR"].string ?? "" == ""
    }

    private func range(in network: IPNetwork, beside taken: [IPNetwork]) -> IPNetwork? {
        let length = nodeMask(network.family)
        var index = 0
        while let range = network.subnet(index, length: length) {
            if !taken.contains(where: { $0.overlaps(range) }) { return range }
            index += 1
        }
        return nil
    }

    /// A node that goes gives back what another waits for.
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let node = try await client.find(.nodes, key), lacks(node, key) else { return nil }
        return .seconds(30)
    }
}

import Model
import Rules
import Synchronization

/// The parts of Services as the cluster's nodes have compiled them: a part that is the same for each node is compiled by the first, and the
/// others take it, and keep it once.
package final class SharedServiceParts: Sendable {
    /// All that such a part is made from: an object's revision stands for what it says.
    private struct Origin: Hashable {
        let family: IPFamily
        let clusterCIDR: IPNetwork
        let service: Int
        let slices: [Int]
    }

    private let parts = Mutex<[ObjectKey: (origin: Origin, rules: Ruleset)]>([:])

    package init() {}

    /// `previous`: the part as the node has it.
    package func part(
        _ service: Service, _ slices: [EndpointSlice], _ compiler: ServiceCompiler, after previous: Ruleset,
        without taken: Set<ExternalFrontend> = []
    ) -> Ruleset {
        let key = service.key
        guard taken.isEmpty, let origin = origin(service, slices, compiler.node) else {
            forget(key)
            return compiler.compile(service, slices, after: previous, without: taken)
        }
        if let found = parts.withLock({ $0[key] }), found.origin == origin { return found.rules }
        let rules = compiler.compile(service, slices, after: previous)
        parts.withLock { $0[key] = (origin, rules) }
        return rules
    }

    package func forget(_ key: ObjectKey) { parts.withLock { _ = $0.removeValue(forKey: key) } }

    /// nil where nodes differ: a policy of Local asks which endpoints are a node's own, hints which are near it, and source ranges whether
    /// it may come itself.
    private func origin(_ service: Service, _ slices: [EndpointSlice], _ node: NodeView) -> Origin? {
        if service.internalTrafficIsLocal || service.externalTrafficIsLocal || slices.contains(where: \.hasHints) { return nil }
        if !service.spec["loadBalancerSourceRanges"].items.isEmpty { return nil }
        let revision = service.json.metadata.revision, others = slices.map(\.json.metadata.revision).sorted()
        // What has no revision is not the store's.
        guard revision > 0, others.first ?? 1 > 0 else { return nil }
        return Origin(family: node.family, clusterCIDR: node.clusterCIDR, service: revision, slices: others)
    }
}

import Model
import Proxy
import Store

/// What policies have done before anybody looked, as far as the store still knows how things stood: some minutes.
package struct MapPast: Sendable {
    package struct Moment: Sendable {
        /// nil: nobody wrote it down.
        package let time: Timestamp?
        package let snapshot: ClusterSnapshot
    }

    /// The last changes of policies that are looked at.
    package static let most = 6

    private let store: ObjectStore
    private let cluster: Cluster

    package init(store: ObjectStore, cluster: Cluster) { (self.store, self.cluster) = (store, cluster) }

    /// How it was before the first of the last changes, and after each.
    package func moments() async throws -> [Moment] {
        var changes: [(revision: Int, event: StoreEvent)] = []
        for resource in [NetworkPolicy.resource, ClusterNetworkPolicy.resource] { changes += await store.past(resource) }
        changes = changes.sorted { $0.revision < $1.revision }.suffix(Self.most)
        guard let first = changes.first else { return [] }
        do {
            var moments = [Moment(time: nil, snapshot: try await snapshot(at: first.revision - 1))]
            for change in changes {
                moments.append(Moment(time: Self.time(change.event), snapshot: try await snapshot(at: change.revision)))
            }
            return moments
        } catch let error as StatusError where error.reason == .expired {
            // The history has moved on meanwhile: then what was is not known.
            return []
        }
    }

    /// When an object was written last, as its fields' managers noted it.
    private static func time(_ event: StoreEvent) -> Timestamp? {
        let metadata = event.object["metadata"]
        let times =
            metadata["managedFields"].items.compactMap { $0["time"].string } + [metadata["creationTimestamp"].string].compactMap(\.self)
        return event.kind == .deleted ? nil : times.compactMap { Timestamp($0) }.max()
    }

    private func snapshot(at revision: Int) async throws -> ClusterSnapshot {
        func list<T: Object>(_ type: T.Type) async throws -> [T] { try await store.list(T.resource, at: revision).map { T($0) } }
        var snapshot = ClusterSnapshot(cluster: cluster)
        snapshot.services = try await list(Service.self)
        snapshot.slices = try await list(EndpointSlice.self)
        snapshot.pods = try await list(Pod.self)
        snapshot.policies = try await list(NetworkPolicy.self)
        snapshot.namespaces = try await list(Namespace.self)
        snapshot.clusterPolicies = try await list(ClusterNetworkPolicy.self)
        snapshot.nodes = try await list(Node.self)
        return snapshot
    }
}

import API
import Model
import Synchronization

/// The control plane that is served now, as machines other than its own find it.
final class ClusterLink: Sendable {
    struct Served: Sendable {
        let cluster: Cluster
        /// Where it is served.
        let node: String
        let api: APIServer
        /// HOST:PORT
        let place: String
        /// The certificate of its authority, PEM.
        let authority: String
    }

    private let held = Mutex<Served?>(nil)

    var served: Served? { held.withLock { $0 } }
    func set(_ served: Served?) { held.withLock { $0 = served } }
}

/// The API as a machine reaches it with its kubelet.conf: while it is served, and is the one that the file was written for.
struct NodeClient: Client {
    let link: ClusterLink
    /// HOST:PORT that the file names, and the authority it trusts.
    let place: String
    let authority: String
    let socket: HTTPClient

    struct Unreachable: Error, CustomStringConvertible { let description: String }

    private func reached() throws -> ClusterLink.Served {
        guard let served = link.served, served.place == place else {
            throw Unreachable(description: "Get \"https://\(place)/\": dial tcp \(place): connect: connection refused")
        }
        guard served.authority == authority else {
            throw Unreachable(description: "Get \"https://\(place)/\": x509: certificate signed by unknown authority")
        }
        return served
    }

    private func client() throws -> HTTPClient {
        _ = try reached()
        return socket
    }

    func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON { try await client().get(resource, key) }
    func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        try await client().list(resource, namespace: namespace, selector: selector)
    }
    func latest(_ resource: Resource) async throws -> Int { try await client().latest(resource) }
    func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error> {
        try await client().watch(resource, namespace: namespace, from: revision)
    }
    func create(_ resource: Resource, _ object: JSON) async throws -> JSON { try await client().create(resource, object) }
    func update(_ resource: Resource, _ object: JSON) async throws -> JSON { try await client().update(resource, object) }
    func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON { try await client().updateStatus(resource, object) }
    func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        try await client().patch(resource, key, patch)
    }
    func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        try await client().delete(resource, key, gracePeriod: gracePeriod, uid: uid)
    }
    func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String {
        try await reached().api.serviceAccountToken(for: pod, audiences: audiences, seconds: seconds)
    }
}

import API
import Model
import Synchronization

/// A client that remembers what was asked of the API: `get services default/web`.
final class CountingClient: Client {
    private let api: APIServer
    private let asked = Mutex<[(verb: String, resource: Resource, name: String)]>([])

    init(_ api: APIServer) { self.api = api }

    var calls: [(verb: String, resource: Resource, name: String)] { asked.withLock { $0 } }
    func forget() { asked.withLock { $0 = [] } }
    private func note(_ verb: String, _ resource: Resource, _ name: String) { asked.withLock { $0.append((verb, resource, name)) } }

    func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        note("list", resource, "")
        return try await api.list(resource, namespace: namespace, selector: selector)
    }
    func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error> {
        note("watch", resource, "")
        return try await api.watch(resource, namespace: namespace, from: revision)
    }
    func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON {
        note("get", resource, key.name)
        return try await api.get(resource, key)
    }
    func create(_ resource: Resource, _ object: JSON) async throws -> JSON {
        note("create", resource, object.metadata.name)
        return try await api.create(resource, object)
    }
    func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON {
        note("bind", .pods, key.name)
        return try await api.bind(key, binding)
    }
    func update(_ resource: Resource, _ object: JSON) async throws -> JSON {
        note("update", resource, object.metadata.name)
        return try await api.update(resource, object)
    }
    func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        note("updateStatus", resource, object.metadata.name)
        return try await api.updateStatus(resource, object)
    }
    func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        note("patch", resource, key.name)
        return try await api.patch(resource, key, patch)
    }
    func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        note("delete", resource, key.name)
        try await api.delete(resource, key, gracePeriod: gracePeriod, uid: uid)
    }
}

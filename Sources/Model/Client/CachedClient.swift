import Synchronization

/// A client whose lists come from what Informers know. A single object is read from the API itself, and so is what nobody follows.
///
/// What is known lags behind. Its owner nevertheless sees its own writes: a list waits until all that was written or deleted through this
/// client has been seen, so that nobody makes twice what is missing, nor takes two for one that is too many. (Kubernetes' controllers keep
/// expectations to the same end, k8s.io/kubernetes/pkg/controller, ControllerExpectations.)
package final class CachedClient: Client {
    package let live: any Client
    private let informers: Informers

    private struct Writes {
        /// The latest revision that was written.
        var revisions: [Resource: Int] = [:]
        /// The uids of what was deleted and has not been seen to go.
        var deleted: [Resource: [ObjectKey: String]] = [:]
    }
    private let writes = Mutex(Writes())

    package init(_ informers: Informers) {
        live = informers.client
        self.informers = informers
    }

    // MARK: Reading

    package func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON { try await live.get(resource, key) }

    package func latest(_ resource: Resource) async throws -> Int { try await live.latest(resource) }

    package func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        guard let reflector = try await current(resource) else {
            return try await live.list(resource, namespace: namespace, selector: selector)
        }
        return (reflector.list(namespace: namespace, selector: selector), reflector.revision)
    }

    package func list(_ resource: Resource, namespace: String, controller uid: String) async throws -> [JSON] {
        guard let reflector = try await current(resource) else {
            return try await live.list(resource, namespace: namespace, controller: uid)
        }
        return reflector.list(.controller, ObjectIndex.controlled(namespace, by: uid))
    }

    package func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<
        WatchEvent, any Error
    > {
        try await live.watch(resource, namespace: namespace, from: revision)
    }

    /// The kind's Reflector, when it has seen what was written here.
    private func current(_ resource: Resource) async throws -> Reflector? {
        guard let reflector = informers[resource] else { return nil }
        let (written, deleted) = writes.withLock { ($0.revisions[resource] ?? 0, $0.deleted[resource] ?? [:]) }
        try await reflector.wait { objects, revision in
            revision >= written
                && deleted.allSatisfy { key, uid in objects[key].map { $0.metadata.uid != uid || $0.metadata.isBeingDeleted } ?? true }
        }
        if !deleted.isEmpty {
            writes.withLock { writes in
                for (key, uid) in deleted where writes.deleted[resource]?[key] == uid { writes.deleted[resource]?[key] = nil }
            }
        }
        return reflector
    }

    // MARK: Writing

    package func create(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await noting(resource) { try await live.create(resource, object) }
    }
    package func update(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await noting(resource) { try await live.update(resource, object) }
    }

    package func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await noting(resource) { try await live.updateStatus(resource, object) }
    }

    package func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        try await noting(resource) { try await live.patch(resource, key, patch) }
    }

    package func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON {
        try await noting(.pods) { try await live.bind(key, binding) }
    }

    private func noting(_ resource: Resource, _ write: () async throws -> JSON) async throws -> JSON {
        let written = try await write()
        if !written.isNull { writes.withLock { $0.revisions[resource] = max($0.revisions[resource] ?? 0, written.metadata.revision) } }
        return written
    }

    package func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        func note() {
            guard let uid = uid ?? informers[resource]?.get(key)?.metadata.uid else { return }
            writes.withLock { $0.deleted[resource, default: [:]][key] = uid }
        }
        do { try await live.delete(resource, key, gracePeriod: gracePeriod, uid: uid) } catch let error as StatusError
            where error.reason == .notFound
        {
            // It is gone, whatever is known here.
            note()
            throw error
        }
        note()
    }

    package func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String {
        try await live.serviceAccountToken(for: pod, audiences: audiences, seconds: seconds)
    }
}

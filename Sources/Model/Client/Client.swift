/// The cluster's state as its clients see it. Controllers and agents know nothing else of it, so that they work the same
/// in the daemon's process and across a network. Every call may throw a `StatusError`.
package protocol Client: Sendable {
    func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON
    /// The objects of one namespace, or of all when it is nil, and the revision they stand at.
    func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int)
    /// The objects of a namespace that the owner with this uid manages; those that nobody manages when it is empty.
    func list(_ resource: Resource, namespace: String, controller uid: String) async throws -> [JSON]
    /// The revision of the newest change to any object of a kind, or a later one: who has heard of it knows all there is.
    func latest(_ resource: Resource) async throws -> Int
    /// The client that answers from the API itself, where this one may lag behind.
    var live: any Client { get }
    /// Events after `revision`; with nil, first an ADDED event for every object there is.
    func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error>
    func create(_ resource: Resource, _ object: JSON) async throws -> JSON
    /// Replaces an object. With a resourceVersion in `object`, only if nobody changed it since (409 Conflict).
    func update(_ resource: Resource, _ object: JSON) async throws -> JSON
    /// Replaces an object's status and nothing else.
    func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON
    /// Merges `patch` into the object (RFC 7386).
    func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON
    /// Gives a pod the node that `binding` (v1 Binding) names as its target. Returns the pod, or null where the answer does not tell it.
    func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON
    /// Marks for deletion, or deletes when nobody has to wind anything up. `gracePeriod` 0 deletes at once.
    func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws
    /// A token that a pod's processes may show as their service account's; valid for `seconds`.
    func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String
}

extension Client {
    package func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON {
        throw StatusError(501, .notImplemented, "this client binds no pods")
    }

    package func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String {
        throw StatusError(501, .notImplemented, "this client gets no tokens")
    }
}

extension Client {
    package func get<T: Object>(_ type: T.Type, _ key: ObjectKey) async throws -> T {
        T(try await get(T.resource, key))
    }

    package var live: any Client { self }

    package func latest(_ resource: Resource) async throws -> Int {
        try await list(resource, namespace: nil, selector: nil).revision
    }

    package func list(_ resource: Resource, namespace: String, controller uid: String) async throws -> [JSON] {
        try await list(resource, namespace: namespace, selector: nil).items.filter { ($0.metadata.controller?["uid"].string ?? "") == uid }
    }

    package func list<T: Object>(_ type: T.Type, namespace: String, controller uid: String) async throws -> [T] {
        try await list(T.resource, namespace: namespace, controller: uid).map { T($0) }
    }

    package func find(_ resource: Resource, _ key: ObjectKey) async throws -> JSON? {
        do { return try await get(resource, key) } catch let error as StatusError where error.reason == .notFound { return nil }
    }

    /// The object, or nil if there is none.
    package func find<T: Object>(_ type: T.Type, _ key: ObjectKey) async throws -> T? {
        do { return T(try await get(T.resource, key)) } catch let error as StatusError where error.reason == .notFound { return nil }
    }

    package func list<T: Object>(_ type: T.Type, namespace: String? = nil, selector: LabelSelector? = nil) async throws -> [T] {
        try await list(T.resource, namespace: namespace, selector: selector).items.map { T($0) }
    }

    package func delete(_ resource: Resource, _ key: ObjectKey) async throws {
        try await delete(resource, key, gracePeriod: nil, uid: nil)
    }

    /// Reads an object's status, changes it and writes it back, again after a conflict; throws the conflict when there is no end to them.
    /// Writes nothing when nothing changed; does nothing when the object is gone.
    package func mutateStatus<T: Object>(_ type: T.Type, _ key: ObjectKey, _ change: @Sendable (inout T) -> Void) async throws {
        var lost = StatusError.conflict(T.resource, key.name)
        for _ in 0..<8 {
            guard let old = try await find(type, key) else { return }
            var new = old
            change(&new)
            if new.json["status"] == old.json["status"] { return }
            do {
                _ = try await updateStatus(T.resource, new.json)
                return
            } catch let error as StatusError {
                if error.reason == .notFound { return }
                guard error.reason == .conflict else { throw error }
                lost = error
            }
        }
        throw lost
    }
}

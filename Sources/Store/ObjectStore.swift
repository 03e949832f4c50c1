import Model

/// The cluster's objects: JSON documents under (resource, namespace, name), a revision that every write moves on, and
/// watches that see every write in order.
///
/// The contract (one suite runs it over every journal):
/// - a write stamps `metadata.resourceVersion` with its revision and is in the journal before anyone sees it;
/// - `create` fails if the key exists; `update` and `delete` fail if it does not, or if it moved past `expected`;
/// - a watch from revision r delivers every later event once and in order, or says `Expired` when r is older than the history kept.
package actor ObjectStore {
    private struct Past: Sendable {
        let revision: Int
        let resource: Resource
        let event: WatchEvent
    }

    private struct Watcher {
        let resource: Resource
        let namespace: String?
        let continuation: AsyncThrowingStream<WatchEvent, any Error>.Continuation
    }

    private static let historyLength = 4096
    /// Events a watcher may lag behind before it is told to start over.
    private static let longestQueue = 16384

    private var objects: [Resource: [ObjectKey: JSON]] = [:]
    package private(set) var revision = 0
    private var history: [Past] = []
    private var watchers: [Int: Watcher] = [:]
    private var nextWatcher = 0
    private let journal: (any Journal)?

    /// Starts from what the journal holds; without one everything is forgotten with the process.
    package init(journal: (any Journal)? = nil) throws {
        self.journal = journal
        guard let journal else { return }
        revision = try journal.revision()
        for (resource, json) in try journal.load() {
            let key = ObjectKey(json["metadata"]["namespace"].string ?? "", json["metadata"]["name"].string ?? "")
            objects[resource, default: [:]][key] = json
        }
    }

    package func get(_ resource: Resource, _ key: ObjectKey) -> JSON? { objects[resource]?[key] }

    /// The objects in order of namespace and name, and the revision they stand at.
    package func list(_ resource: Resource, namespace: String? = nil) -> (items: [JSON], revision: Int) {
        let all = objects[resource] ?? [:]
        let keys = (namespace.map { wanted in all.keys.filter { $0.namespace == wanted } } ?? Array(all.keys)).sorted()
        return (keys.compactMap { all[$0] }, revision)
    }

    /// Every resource that has objects in `namespace`.
    package func resources(in namespace: String) -> [Resource] {
        objects.filter { $0.value.keys.contains { $0.namespace == namespace } }.map(\.key)
    }

    package func create(_ resource: Resource, _ object: JSON) throws -> JSON {
        let key = Self.key(object)
        guard objects[resource]?[key] == nil else { throw StatusError.alreadyExists(resource, key.name) }
        return try write(resource, key, object, .added)
    }

    /// Replaces an object. With `expected` (a resourceVersion), only if that is still its version.
    package func update(_ resource: Resource, _ object: JSON, expected: String?) throws -> JSON {
        let key = Self.key(object)
        guard let old = objects[resource]?[key] else { throw StatusError.notFound(resource, key.name) }
        if let expected, old["metadata"]["resourceVersion"].string != expected { throw StatusError.conflict(resource, key.name) }
        var same = object
        same["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if same == old { return old }  // a write that changes nothing is none: watchers stay asleep
        return try write(resource, key, object, .modified)
    }

    @discardableResult
    package func delete(_ resource: Resource, _ key: ObjectKey, expected: String? = nil) throws -> JSON {
        guard let old = objects[resource]?[key] else { throw StatusError.notFound(resource, key.name) }
        if let expected, old["metadata"]["resourceVersion"].string != expected { throw StatusError.conflict(resource, key.name) }
        return try write(resource, key, old, .deleted)
    }

    /// Events after `revision`; with nil, an ADDED event for each object first.
    package func watch(_ resource: Resource, namespace: String?, from start: Int?) throws -> AsyncThrowingStream<WatchEvent, any Error> {
        if let start, start < (history.first?.revision ?? revision + 1) - 1, start < revision { throw StatusError.expired }
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: WatchEvent.self, throwing: (any Error).self, bufferingPolicy: .bufferingOldest(Self.longestQueue))
        if let start {
            for past in history where past.revision > start && past.resource == resource { Self.send(past.event, namespace, continuation) }
        } else {
            for item in list(resource, namespace: namespace).items { Self.send(WatchEvent(.added, item), nil, continuation) }
        }
        let id = nextWatcher
        nextWatcher += 1
        watchers[id] = Watcher(resource: resource, namespace: namespace, continuation: continuation)
        continuation.onTermination = { [weak self] _ in
            // The store is an actor and the callback is not: a hop is the only way back in, and it ends at once.
            Task { await self?.forget(id) }
        }
        return stream
    }

    private func forget(_ id: Int) { watchers[id] = nil }

    private func write(_ resource: Resource, _ key: ObjectKey, _ object: JSON, _ kind: WatchEvent.Kind) throws -> JSON {
        let next = revision + 1
        let previous = kind == .modified ? objects[resource]?[key] : nil
        var stamped = object
        stamped["metadata"]["resourceVersion"] = .string(String(next))
        if kind == .deleted {
            try journal?.remove(resource, key, revision: next)
            objects[resource]?[key] = nil
        } else {
            try journal?.put(resource, key, stamped, revision: next)
            objects[resource, default: [:]][key] = stamped
        }
        revision = next
        let event = WatchEvent(kind, stamped, previous: previous)
        history.append(Past(revision: next, resource: resource, event: event))
        if history.count > Self.historyLength * 2 { history.removeFirst(Self.historyLength) }
        for watcher in watchers.values where watcher.resource == resource {
            Self.send(event, watcher.namespace, watcher.continuation)
        }
        return stamped
    }

    private static func send(
        _ event: WatchEvent, _ namespace: String?, _ continuation: AsyncThrowingStream<WatchEvent, any Error>.Continuation
    ) {
        if let namespace, event.object["metadata"]["namespace"].string != namespace { return }
        // A watcher too slow to follow is told so, never silently short of an event.
        if case .dropped = continuation.yield(event) { continuation.finish(throwing: StatusError.expired) }
    }

    private static func key(_ object: JSON) -> ObjectKey {
        ObjectKey(object["metadata"]["namespace"].string ?? "", object["metadata"]["name"].string ?? "")
    }
}

/// Where writes are kept for good, before anyone sees them.
package protocol Journal: Sendable {
    func revision() throws -> Int
    func load() throws -> [(Resource, JSON)]
    func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) throws
    func remove(_ resource: Resource, _ key: ObjectKey, revision: Int) throws
}

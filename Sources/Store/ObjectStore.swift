import Model

/// The cluster's objects: JSON documents under (resource, namespace, name), a revision that every write moves on, and
/// watches that see every write in order.
///
/// The contract (one suite runs it over every journal):
/// - a write stamps `metadata.resourceVersion` with its revision and is in the journal before anyone sees it;
/// - `create` fails if the key exists; `update` and `delete` fail if it does not, or if it moved past `expected`;
/// - a watch from revision r delivers every later event once and in order, or says `Expired` when r is older than the history kept,
///   at its beginning or because its reader has fallen so far behind: what has happened is kept once, however many watch;
/// - who reads does not wait for the disk: while a write is on its way there, everything is as it was before.
package actor ObjectStore {
    private var contents: Contents
    package private(set) var revision = 0
    /// The revision of the newest write of each resource since the start.
    private var newest: [Resource: Int] = [:]
    private let start: Int
    private var history: History
    /// Watchers that have seen all there is, to be woken when there is more.
    private var waiting: [Int: (watcher: Watcher, wake: CheckedContinuation<Void, Never>)] = [:]
    private var nextWait = 0
    /// How many watchers have been told all there is.
    package var idleWatchers: Int { waiting.count }
    /// How often watchers were to hear how far the store has come.
    private var marks = 0
    private let journal: JournalQueue?
    /// Writes come one after the other: each is in the journal before the next looks at what there is.
    private let writes = Turnstile()

    /// Starts from what the journal holds; without one everything is forgotten with the process. Of `left` nothing is kept in memory: most
    /// of a busy cluster's objects are events, an hour old and read by nobody but a person who asks.
    package init(journal: (any Journal)? = nil, history: History.Limits = .standard, leaving left: Set<Resource> = [.events]) throws {
        self.journal = journal.map(JournalQueue.init)
        start = try journal?.revision() ?? 0
        revision = start
        self.history = History(after: start, history)
        contents = try Contents(journal, leaving: left)
    }

    package func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON? {
        if let journal = elsewhere(resource) { return try await journal.get(resource, key) }
        return contents.get(resource, key)
    }

    /// Where the objects of a resource lie that are not kept in memory.
    private func elsewhere(_ resource: Resource) -> JournalQueue? { contents.isKept(resource) ? nil : journal }

    private func all(_ resource: Resource) async throws -> [ObjectKey: JSON] {
        if let journal = elsewhere(resource) { return try await journal.all(resource) }
        return contents.all(resource)
    }

    private func keys(_ resource: Resource) async throws -> [ObjectKey] {
        if let journal = elsewhere(resource) { return try await journal.keys(resource) }
        return contents.keys(resource)
    }

    /// The revision of a resource's newest write; of one that has not been written since the start, the start's.
    package func latest(_ resource: Resource) -> Int { newest[resource] ?? start }

    /// The objects in order of namespace and name, and the revision they stand at.
    package func list(_ resource: Resource, namespace: String? = nil) async throws -> (items: [JSON], revision: Int) {
        if elsewhere(resource) == nil { return (Self.ordered(contents.all(resource), namespace), revision) }
        return try await writes.withTurn { (Self.ordered(try await all(resource), namespace), revision) }
    }

    private static func ordered(_ objects: [ObjectKey: JSON], _ namespace: String?) -> [JSON] {
        let keys = (namespace.map { wanted in objects.keys.filter { $0.namespace == wanted } } ?? Array(objects.keys)).sorted()
        return keys.compactMap { objects[$0] }
    }

    /// The objects as they stood at `wanted`, an earlier revision; throws `Expired` when the history does not reach back so far.
    package func list(_ resource: Resource, namespace: String? = nil, at wanted: Int) async throws -> [JSON] {
        if elsewhere(resource) != nil {
            return try await writes.withTurn { try before(wanted, resource, try await all(resource), namespace) }
        }
        return try before(wanted, resource, contents.all(resource), namespace)
    }

    /// `now` as it was at an earlier revision.
    private func before(_ wanted: Int, _ resource: Resource, _ now: [ObjectKey: JSON], _ namespace: String?) throws -> [JSON] {
        if wanted == revision { return Self.ordered(now, namespace) }
        guard wanted < revision, wanted >= history.start else { throw StatusError.expiredContinue }
        var then = now
        // What came later is taken back, the last first.
        for past in history.events.reversed() {
            guard past.revision > wanted else { break }
            guard past.resource == resource else { continue }
            let key = Self.key(past.event.object)
            switch past.event.kind {
            case .added: then[key] = nil
            case .modified, .deleted: then[key] = past.event.previous
            case .bookmark: break
            }
        }
        return Self.ordered(then, namespace)
    }

    /// What has lately been written of a resource, as far as the history reaches, the first of it first.
    package func past(_ resource: Resource) -> [(revision: Int, event: StoreEvent)] {
        history.events.filter { $0.resource == resource }.map { ($0.revision, $0.event) }
    }

    /// How many objects of a resource there are.
    package func count(_ resource: Resource, namespace: String) async throws -> Int {
        try await keys(resource).count { $0.namespace == namespace }
    }

    /// Every resource that has objects in `namespace`.
    package func resources(in namespace: String) async throws -> [Resource] {
        var found: [Resource] = []
        for resource in contents.resources where try await keys(resource).contains(where: { $0.namespace == namespace }) {
            found.append(resource)
        }
        return found
    }

    package func create(_ resource: Resource, _ object: JSON) async throws -> JSON {
        let key = Self.key(object)
        return try await writes.withTurn {
            // Where the journal alone knows, it is asked as it is written to.
            if elsewhere(resource) == nil, try await get(resource, key) != nil { throw StatusError.alreadyExists(resource, key.name) }
            return try await write(resource, key, object, nil, .added)
        }
    }

    /// Replaces an object. With `expected` (a resourceVersion), only if that is still its version.
    package func update(_ resource: Resource, _ object: JSON, expected: String?) async throws -> JSON {
        let key = Self.key(object)
        return try await writes.withTurn {
            guard let old = try await get(resource, key) else { throw StatusError.notFound(resource, key.name) }
            if let expected, old["metadata"]["resourceVersion"].string != expected { throw StatusError.conflict(resource, key.name) }
            var same = object
            same["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            if same == old { return old }  // a write that changes nothing is none: watchers stay asleep
            return try await write(resource, key, object, old, .modified)
        }
    }

    @discardableResult
    package func delete(_ resource: Resource, _ key: ObjectKey, expected: String? = nil) async throws -> JSON {
        try await writes.withTurn {
            guard let old = try await get(resource, key) else { throw StatusError.notFound(resource, key.name) }
            if let expected, old["metadata"]["resourceVersion"].string != expected { throw StatusError.conflict(resource, key.name) }
            return try await write(resource, key, old, old, .deleted)
        }
    }

    package typealias Events = AsyncThrowingStream<StoreEvent, any Error>

    /// Events after `start`; with nil, an ADDED event for each object first, and with `marksStart` then a bookmark.
    package func watch(_ resource: Resource, namespace: String?, from start: Int?, marksStart: Bool = false, bookmarks: Bool = false)
        async throws -> Events
    {
        if let start, start > revision { throw StatusError.tooLarge(start, revision) }
        let watcher = Watcher(resource: resource, namespace: namespace, wantsBookmarks: bookmarks)
        return try await events(watcher, of: resource, from: start, marksStart: marksStart)
    }

    private func events(_ watcher: Watcher, of resource: Resource, from start: Int?, marksStart: Bool) async throws -> Events {
        if let start, start < history.start, start < revision { throw StatusError.expired(start, revision) }
        guard start == nil else { return events(watcher, [:], from: start, marksStart: marksStart) }
        if elsewhere(resource) == nil { return events(watcher, contents.all(resource), from: start, marksStart: marksStart) }
        return try await writes.withTurn {
            events(watcher, try await all(resource), from: start, marksStart: marksStart)
        }
    }

    /// What `found` holds, which is all there is now, and then what happens.
    private func events(_ watcher: Watcher, _ found: [ObjectKey: JSON], from start: Int?, marksStart: Bool) -> Events {
        var first = Self.ordered(found, watcher.namespace).map { StoreEvent(.added, $0, resource: watcher.resource) }
        if marksStart { first.append(Self.bookmark(at: revision, isStart: true)) }
        watcher.place.withLock { $0 = Watcher.Place(ready: first.reversed(), seen: start ?? revision, marks: marks) }
        return AsyncThrowingStream { [self] in
            if let event = watcher.place.withLock({ $0.ready.popLast() }) { return event }
            return try await next(watcher)
        }
    }

    /// The next event for a watcher that has been told all it had been given; nil when its task is cancelled.
    private func next(_ watcher: Watcher) async throws -> StoreEvent? {
        while !Task.isCancelled {
            let event = try watcher.place.withLock { place -> StoreEvent? in
                guard place.seen >= history.start else { throw StatusError.expired }
                var found = history.some(after: &place.seen) { watcher.wants($0) }
                if found.isEmpty, watcher.wantsBookmarks, place.marks < marks {
                    place.marks = marks
                    found = [Self.bookmark(at: revision, isStart: false)]
                }
                place.ready = found.reversed()
                return place.ready.popLast()
            }
            if let event { return event }
            await wait(watcher)
        }
        return nil
    }

    /// Until something happens that the watcher may want, or its task is cancelled.
    private func wait(_ watcher: Watcher) async {
        nextWait += 1
        let id = nextWait
        await withTaskCancellationHandler {
            await withCheckedContinuation { wake in
                if Task.isCancelled { wake.resume() } else { waiting[id] = (watcher, wake) }
            }
        } onCancel: {
            // The store is an actor and the handler is not: a hop is the only way back in, and it ends at once.
            Task { await self.wake(seen: 0) { waiting, _ in waiting == id } }
        }
    }

    /// Wakes those who wait and are meant. Whoever waits has seen all there was until now.
    private func wake(seen: Int, _ isMeant: (Int, Watcher) -> Bool) {
        var meant: [Int] = []
        for (id, entry) in waiting where isMeant(id, entry.watcher) { meant.append(id) }
        for id in meant {
            guard let entry = waiting.removeValue(forKey: id) else { continue }
            entry.watcher.place.withLock { $0.seen = max($0.seen, seen) }
            entry.wake.resume()
        }
    }

    /// Lets go of what happened before the last call; whoever calls says by its clock how long what has happened is remembered at least.
    package func forgetHistory() async {
        history.age()
        await journal?.releaseMemory()
    }

    /// Tells every watcher that asked for it how far the store has come, in order with its events.
    package func markRevision() {
        marks += 1
        wake(seen: revision) { $1.wantsBookmarks }
    }

    private static func bookmark(at revision: Int, isStart: Bool) -> StoreEvent {
        StoreEvent(
            .bookmark,
            [
                "metadata": [
                    "resourceVersion": .string(String(revision)), "annotations": isStart ? ["k8s.io/initial-events-end": "true"] : .null,
                ]
            ])
    }

    private func write(_ resource: Resource, _ key: ObjectKey, _ object: JSON, _ previous: JSON?, _ kind: WatchEvent.Kind)
        async throws -> JSON
    {
        let next = revision + 1
        var stamped = object
        stamped["metadata"]["resourceVersion"] = .string(String(next))
        if kind == .deleted {
            try await journal?.remove(resource, key, revision: next)
            contents.set(resource, key, nil)
        } else if kind == .added, let journal = elsewhere(resource) {
            guard try await journal.create(resource, key, stamped, revision: next) else {
                throw StatusError.alreadyExists(resource, key.name)
            }
            contents.set(resource, key, stamped)
        } else {
            try await journal?.put(resource, key, stamped, revision: next)
            contents.set(resource, key, stamped)
        }
        revision = next
        newest[resource] = next
        let event = StoreEvent(kind, stamped, resource: resource, previous: previous)
        history.append(event, resource, at: next)
        wake(seen: next - 1) { $1.wants(event) }
        return stamped
    }

    private static func key(_ object: JSON) -> ObjectKey {
        ObjectKey(object["metadata"]["namespace"].string ?? "", object["metadata"]["name"].string ?? "")
    }
}

/// Where writes are kept for good, before anyone sees them.
package protocol Journal: Sendable {
    func revision() throws -> Int
    /// All objects but those of some kinds.
    func load(except: Set<Resource>) throws -> [(Resource, JSON)]
    func get(_ resource: Resource, _ key: ObjectKey) throws -> JSON?
    func all(_ resource: Resource) throws -> [ObjectKey: JSON]
    func keys(_ resource: Resource) throws -> [ObjectKey]
    func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) throws
    func remove(_ resource: Resource, _ key: ObjectKey, revision: Int) throws
    /// Lets go of what it keeps in memory to be quick.
    func releaseMemory()
}

extension Journal {
    package func releaseMemory() {}
}

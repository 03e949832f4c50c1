import Model

/// Deletes what is left when its owners are gone, and lets owners go once their dependents are taken care of.
/// (kubernetes.io/docs/concepts/architecture/garbage-collection)
package actor GarbageCollector {
    private struct Item: Hashable {
        let resource: Resource
        let key: ObjectKey
    }

    private let client: any Client
    private let kinds: @Sendable () -> [Resource]
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void
    /// Every object there is, by uid.
    private var items: [String: Item] = [:]
    /// Who names an owner, by the owner's uid.
    private var dependents: [String: Set<String>] = [:]
    private var owners: [String: [String]] = [:]
    /// The kinds of the start whose objects have not all been seen.
    private var unseen: Set<Resource>
    private var isComplete: Bool { unseen.isEmpty }
    /// Whom to look at again, by uid, because something failed.
    private var owed: Set<String> = []
    /// What was reported and has not worked since.
    private var trouble: [String: String] = [:]

    /// `kinds`: those that can be followed, as many as there are at the time.
    package init(
        client: any Client, kinds: @escaping @Sendable () -> [Resource], clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.client = client
        let followed: @Sendable () -> [Resource] = { kinds().filter { !Self.passedOver.contains($0) } }
        self.kinds = followed
        unseen = Set(followed())
        self.clock = clock
        self.report = report
    }

    private static let pause = Duration.seconds(1)
    /// Nothing is done about events, of which there are thousands. (k8s.io/kubernetes/pkg/controller/garbagecollector,
    /// DefaultIgnoredResources; their registry takes no propagation policy either.)
    private static let passedOver: Set<Resource> = [.events]

    /// Follows all objects until cancelled. What failed is tried again by the clock.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.makeUp() }
            var followed: Set<Resource> = []
            while true {
                for kind in kinds() where followed.insert(kind).inserted { group.addTask { try await self.follow(kind) } }
                try await clock.sleep(for: Self.pause)
            }
        }
    }

    private func follow(_ kind: Resource) async throws {
        let report: @Sendable (String) -> Void = { [kinds, report] words in
            // One that a CustomResourceDefinition took along cannot be followed, until it is defined again.
            if kinds().contains(kind) { report("garbage collection: \(words)") }
        }
        try await Reflector(kind, client: client, clock: clock, report: report).run {
            await take($0, kind)
        } listed: {
            await listed(kind)
        }
    }

    private func listed(_ kind: Resource) async {
        guard unseen.remove(kind) != nil, isComplete else { return }
        // All there is has been seen: now absence means something.
        for uid in Array(owners.keys) { await check(uid) }
        for uid in Array(items.keys) { await finish(uid) }
    }

    private func makeUp() async throws {
        while true {
            try await clock.sleep(for: Self.pause)
            let uids = owed
            owed = []
            for uid in uids {
                await check(uid)
                await finish(uid)
            }
        }
    }

    /// Looks at one object; an error is reported once, and is no answer: it is looked at again.
    private func trying(_ uid: String, _ look: (Item) async throws -> Void) async {
        guard let item = items[uid] else { return }
        do {
            do { try await look(item) } catch let error as StatusError where error.reason == .notFound {}  // gone meanwhile
            trouble[uid] = nil
        } catch {
            if trouble[uid] != "\(error)" {
                report("garbage collection of \(item.resource) \(item.key): \(error); trying again until it works")
            }
            trouble[uid] = "\(error)"
            owed.insert(uid)
        }
    }

    /// The object, if it is still the one of this uid.
    private func find(_ uid: String) async throws -> JSON? {
        guard let item = items[uid], let object = try await client.find(item.resource, item.key) else { return nil }
        return object.metadata.uid == uid ? object : nil
    }

    private func take(_ change: Reflector.Change, _ kind: Resource) async {
        let object = change.object, uid = object.metadata.uid
        guard !uid.isEmpty else { return }
        guard change.new != nil else { return await forget(uid) }
        let references = object.metadata.ownerReferences.compactMap { $0["uid"].string }
        for owner in owners[uid] ?? [] where !references.contains(owner) { dependents[owner]?.remove(uid) }
        items[uid] = Item(resource: kind, key: change.key)
        owners[uid] = references.isEmpty ? nil : references
        for owner in references { dependents[owner, default: []].insert(uid) }
        guard isComplete else { return }
        if !references.isEmpty { await check(uid) }
        if object.metadata.isBeingDeleted, !object.metadata.finalizers.isEmpty { await finish(uid) }
    }

    private func forget(_ uid: String) async {
        items.drop(uid)
        for owner in owners.drop(uid) ?? [] {
            dependents[owner]?.remove(uid)
            if isComplete { await finish(owner) }
        }
        guard isComplete else { return }
        for dependent in dependents.removeValue(forKey: uid) ?? [] { await check(dependent) }
    }

    /// Deletes an object whose every owner is gone; one with an owner left loses the references to the others.
    private func check(_ uid: String) async {
        guard let named = owners[uid], !named.isEmpty else { return }
        await trying(uid) { item in
            guard let object = try await find(uid) else { return }
            let references = object.metadata.ownerReferences
            var present: [JSON] = []
            for reference in references where try await exists(reference, object) { present.append(reference) }
            if present.count == references.count { return }
            if !present.isEmpty {
                try await setOwners(of: item, uid, present)
            } else if !object.metadata.isBeingDeleted {
                try await client.delete(item.resource, item.key, gracePeriod: nil, uid: uid)
            }
        }
    }

    private func exists(_ reference: JSON, _ dependent: JSON) async throws -> Bool {
        guard let uid = reference["uid"].string else { return false }
        let namespace = dependent.metadata.namespace
        // An owner in another namespace is none.
        if let item = items[uid] { return item.key.namespace.isEmpty || item.key.namespace == namespace }
        // Each kind is heard of on a way of its own: that one has not been seen says nothing yet.
        guard let kind = kind(of: reference) else { return false }
        let key = ObjectKey(kind.namespaced ? namespace : "", reference["name"].string ?? "")
        return try await client.find(kind, key)?.metadata.uid == uid
    }

    private func kind(of reference: JSON) -> Resource? {
        let name = reference["kind"].string, version = reference["apiVersion"].string ?? ""
        let group = version.contains("/") ? String(version.prefix { $0 != "/" }) : ""
        return kinds().first { $0.kind == name && $0.group == group } ?? Self.passedOver.first { $0.kind == name }
    }

    /// An object that waits for its dependents: orphans them, or goes after those that hold it back.
    private func finish(_ uid: String) async {
        await trying(uid) { item in
            guard let object = try await find(uid), object.metadata.isBeingDeleted else { return }
            let finalizers = object.metadata.finalizers
            if finalizers.contains("orphan") {
                try await orphan(dependents[uid] ?? [], of: uid)
                try await drop("orphan", finalizers, item)
            } else if finalizers.contains("foregroundDeletion") {
                if try await !isBlocked(uid) { try await drop("foregroundDeletion", finalizers, item) }
            }
        }
    }

    private func orphan(_ children: Set<String>, of uid: String) async throws {
        for dependent in children {
            guard let child = items[dependent], let json = try await find(dependent) else { continue }
            let rest = json.metadata.ownerReferences.filter { $0["uid"].string != uid }
            try await setOwners(of: child, dependent, rest)
        }
    }

    /// Goes after an owner's dependents; true while there are some that hold it back.
    private func isBlocked(_ uid: String) async throws -> Bool {
        var isBlocked = false
        for dependent in dependents[uid] ?? [] {
            guard let child = items[dependent], let json = try await find(dependent) else { continue }
            let references = json.metadata.ownerReferences
            // One that others own as well is theirs from now on.
            let others = references.filter { other in other["uid"].string != uid && other["uid"].string.map { items[$0] != nil } == true }
            if !others.isEmpty {
                try await setOwners(of: child, dependent, others)
                continue
            }
            if references.first(where: { $0["uid"].string == uid })?["blockOwnerDeletion"].bool == true { isBlocked = true }
            guard !json.metadata.isBeingDeleted else { continue }
            do { try await client.delete(child.resource, child.key, gracePeriod: nil, uid: dependent) } catch let error as StatusError
                where error.reason == .notFound
            {}
        }
        return isBlocked
    }

    private func setOwners(of item: Item, _ uid: String, _ references: [JSON]) async throws {
        do {
            _ = try await client.patch(item.resource, item.key, ["metadata": ["uid": .string(uid), "ownerReferences": .array(references)]])
        } catch let error as StatusError where error.reason == .notFound {}
    }

    private func drop(_ finalizer: JSON, _ finalizers: [JSON], _ item: Item) async throws {
        _ = try await client.patch(item.resource, item.key, ["metadata": ["finalizers": .array(finalizers.filter { $0 != finalizer })]])
    }
}

import Model
import Store

/// Deletes what is left when its owners are gone, and lets owners go once their dependents are taken care of.
/// (kubernetes.io/docs/concepts/architecture/garbage-collection)
package actor GarbageCollector {
    private struct Item: Hashable {
        let resource: Resource
        let key: ObjectKey
    }

    private let store: ObjectStore
    private let client: any Client
    private let report: @Sendable (String) -> Void
    /// Every object there is, by uid.
    private var items: [String: Item] = [:]
    /// Who names an owner, by the owner's uid.
    private var dependents: [String: Set<String>] = [:]
    private var owners: [String: [String]] = [:]
    private var isComplete = false

    package init(store: ObjectStore, client: any Client, report: @escaping @Sendable (String) -> Void) {
        self.store = store
        self.client = client
        self.report = report
    }

    package func run() async throws {
        try await untilCancelled {
            items = [:]
            dependents = [:]
            owners = [:]
            isComplete = false
            for try await event in try await store.watchAll() { await take(event) }
        }
    }

    private func take(_ event: WatchEvent) async {
        if event.kind == .bookmark {
            // All there is has been seen: now absence means something.
            isComplete = true
            for uid in Array(owners.keys) { await check(uid) }
            for uid in Array(items.keys) { await finish(uid) }
            return
        }
        let object = event.object
        guard let uid = object["metadata"]["uid"].string, let resource = event.resource else { return }
        let references = object["metadata"]["ownerReferences"].items.compactMap { $0["uid"].string }
        for owner in owners[uid] ?? [] where !references.contains(owner) { dependents[owner]?.remove(uid) }
        if event.kind == .deleted {
            items[uid] = nil
            for owner in owners.removeValue(forKey: uid) ?? [] {
                dependents[owner]?.remove(uid)
                if isComplete { await finish(owner) }
            }
            guard isComplete else { return }
            for dependent in dependents.removeValue(forKey: uid) ?? [] { await check(dependent) }
            return
        }
        items[uid] = Item(resource: resource, key: ObjectKey(object["metadata"]["namespace"].string ?? "", object["metadata"]["name"].string ?? ""))
        owners[uid] = references.isEmpty ? nil : references
        for owner in references { dependents[owner, default: []].insert(uid) }
        guard isComplete else { return }
        if !references.isEmpty { await check(uid) }
        if !object["metadata"]["deletionTimestamp"].isNull, !object["metadata"]["finalizers"].items.isEmpty { await finish(uid) }
    }

    /// Deletes an object whose every owner is gone; one with an owner left loses the references to the others.
    private func check(_ uid: String) async {
        guard let item = items[uid], let named = owners[uid], !named.isEmpty else { return }
        guard let object = try? await client.get(item.resource, item.key), object["metadata"]["uid"].string == uid else { return }
        let references = object["metadata"]["ownerReferences"].items
        var present: [JSON] = []
        for reference in references where await exists(reference, object) { present.append(reference) }
        if present.count == references.count { return }
        do {
            if present.isEmpty {
                guard object["metadata"]["deletionTimestamp"].isNull else { return }
                try await client.delete(item.resource, item.key, gracePeriod: nil, uid: uid)
            } else {
                _ = try await client.patch(item.resource, item.key, ["metadata": ["ownerReferences": .array(present)]])
            }
        } catch let error as StatusError where error.reason == .notFound {} catch { report("garbage collection of \(item.key): \(error)") }
    }

    private func exists(_ reference: JSON, _ dependent: JSON) async -> Bool {
        guard let uid = reference["uid"].string else { return false }
        // An owner in another namespace is none.
        if let item = items[uid] { return item.key.namespace.isEmpty || item.key.namespace == dependent["metadata"]["namespace"].string }
        return false
    }

    /// An object that waits for its dependents: orphans them, or goes after those that hold it back.
    private func finish(_ uid: String) async {
        guard let item = items[uid], let object = try? await client.get(item.resource, item.key), object["metadata"]["uid"].string == uid,
            !object["metadata"]["deletionTimestamp"].isNull
        else { return }
        let finalizers = object["metadata"]["finalizers"].items
        do {
            if finalizers.contains("orphan") {
                for dependent in dependents[uid] ?? [] {
                    guard let child = items[dependent], let json = try? await client.get(child.resource, child.key) else { continue }
                    let rest = json["metadata"]["ownerReferences"].items.filter { $0["uid"].string != uid }
                    _ = try await client.patch(child.resource, child.key, ["metadata": ["ownerReferences": .array(rest)]])
                }
                try await drop("orphan", finalizers, item)
            } else if finalizers.contains("foregroundDeletion") {
                var isBlocked = false
                for dependent in dependents[uid] ?? [] {
                    guard let child = items[dependent], let json = try? await client.get(child.resource, child.key) else { continue }
                    let references = json["metadata"]["ownerReferences"].items
                    let reference = references.first { $0["uid"].string == uid }
                    // One that others own as well is theirs from now on.
                    let others = references.filter { other in other["uid"].string != uid && other["uid"].string.map { items[$0] != nil } == true }
                    if !others.isEmpty {
                        _ = try await client.patch(child.resource, child.key, ["metadata": ["ownerReferences": .array(others)]])
                        continue
                    }
                    if reference?["blockOwnerDeletion"].bool == true { isBlocked = true }
                    if json["metadata"]["deletionTimestamp"].isNull { try await client.delete(child.resource, child.key, gracePeriod: nil, uid: dependent) }
                }
                if !isBlocked { try await drop("foregroundDeletion", finalizers, item) }
            }
        } catch let error as StatusError where error.reason == .notFound {} catch { report("garbage collection of \(item.key): \(error)") }
    }

    private func drop(_ finalizer: JSON, _ finalizers: [JSON], _ item: Item) async throws {
        _ = try await client.patch(item.resource, item.key, ["metadata": ["finalizers": .array(finalizers.filter { $0 != finalizer })]])
    }
}

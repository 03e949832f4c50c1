import Model

/// The life of a namespace: what every one holds from the start, and, at its end, emptying it before it goes.
package struct NamespaceReconciler: Reconciler {
    private let contents: @Sendable () -> [Resource]
    private let watched: [Resource]
    private let furnish: @Sendable (String) async throws -> Void
    private let now: @Sendable () -> Timestamp

    /// `contents` are the kinds that live in namespaces, as many as there are at the time; `watched` those among them that are
    /// always there. `furnish` gives a namespace what each one holds.
    package init(
        watched: [Resource], contents: @escaping @Sendable () -> [Resource], now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        furnish: @escaping @Sendable (String) async throws -> Void
    ) {
        self.watched = watched
        self.contents = contents
        self.furnish = furnish
        self.now = now
    }

    package var sources: [Source] {
        [.own(.namespaces)]
            + watched.filter { $0 != .events }.map { resource in
                Source(resource) { change, informers in
                    let name = change.key.namespace, object = change.key.name
                    // What belongs to every namespace comes back when it is taken or tampered with.
                    let isFixture =
                        resource == .serviceAccounts && object == "default" || resource == .configMaps && object == "kube-root-ca.crt"
                    if isFixture { return [ObjectKey("", name)] }
                    // A namespace on its way out waits for the last of its objects.
                    guard change.new == nil, let home = informers[.namespaces]?.get(ObjectKey("", name)), home.metadata.isBeingDeleted
                    else { return [] }
                    return [home.metadata.key]
                }
            }
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        // What has come last must not be left behind.
        let client = client.live
        guard let namespace = try await client.find(Namespace.self, key) else { return }
        guard namespace.isBeingDeleted else { return try await furnish(key.name) }
        var remaining: [String: Int] = [:]
        var finalizers: [String: Int] = [:]
        for resource in contents() {
            for object in try await client.list(resource, namespace: key.name, selector: nil).items {
                let name = object["metadata"]["name"].string ?? ""
                if object["metadata"]["deletionTimestamp"].isNull {
                    do { try await client.delete(resource, ObjectKey(key.name, name)) } catch let error as StatusError
                        where error.reason == .notFound
                    {}
                }
            }
            let left = try await client.list(resource, namespace: key.name, selector: nil).items
            if !left.isEmpty { remaining["\(resource.plural).\(resource.group)"] = left.count }
            for finalizer in left.flatMap({ $0["metadata"]["finalizers"].items }) { finalizers[finalizer.string ?? "", default: 0] += 1 }
        }
        let ownFinalizers = namespace.json["metadata"]["finalizers"].items
        if remaining.isEmpty, ownFinalizers.isEmpty { return try await client.delete(.namespaces, key, gracePeriod: 0, uid: namespace.uid) }
        try await tell(namespace, remaining, finalizers, client)
    }

    /// Says in the namespace's conditions what it waits for.
    private func tell(_ namespace: Namespace, _ remaining: [String: Int], _ finalizers: [String: Int], _ client: any Client) async throws {
        let time = now()
        func list(_ counts: [String: Int], _ each: (String, Int) -> String) -> String {
            counts.sorted { $0.key < $1.key }.map(each).joined(separator: ", ")
        }
        let contents = list(remaining) { "\($0) has \($1) resource instances" },
            holders = list(finalizers) { "\($0) in \($1) resource instances" }
        try await client.mutateStatus(Namespace.self, namespace.key) { current in
            var conditions = current.status["conditions"]
            func set(_ type: String, _ value: Bool, _ reason: String, _ message: String) {
                conditions.setCondition(type, value, reason: reason, message: message, now: time)
            }
            set("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered")
            set("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions", "All legacy kube types successfully parsed")
            set(
                "NamespaceDeletionContentFailure", false, "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization")
            set(
                "NamespaceContentRemaining", !remaining.isEmpty, remaining.isEmpty ? "ContentRemoved" : "SomeResourcesRemain",
                remaining.isEmpty ? "All content successfully removed" : "Some resources are remaining: \(contents)")
            set(
                "NamespaceFinalizersRemaining", !finalizers.isEmpty, finalizers.isEmpty ? "ContentHasNoFinalizers" : "SomeFinalizersRemain",
                finalizers.isEmpty
                    ? "All content-preserving finalizers finished" : "Some content in the namespace has finalizers remaining: \(holders)")
            current.status["conditions"] = conditions
        }
    }

    /// Objects of kinds that came later are not watched: a namespace that waits for them is looked at again.
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let namespace = try await client.find(Namespace.self, key), namespace.isBeingDeleted else { return nil }
        return .milliseconds(500)
    }
}

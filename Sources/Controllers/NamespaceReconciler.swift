import Model

/// The life of a namespace: what every one holds from the start, and, at its end, emptying it before it goes.
package struct NamespaceReconciler: Reconciler {
    private let contents: [Resource]

    /// `contents` are the kinds that live in namespaces.
    package init(contents: [Resource]) { self.contents = contents }

    package var sources: [Source] {
        [.own(.namespaces)]
            + contents.filter { $0 != .events }.map { resource in
                // A namespace on its way out waits for the last of its objects.
                Source(resource) { event, client in
                    guard event.kind == .deleted, let name = event.object["metadata"]["namespace"].string,
                        let home = try? await client.find(Namespace.self, ObjectKey("", name)), home.isBeingDeleted
                    else { return [] }
                    return [home.key]
                }
            }
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let namespace = try await client.find(Namespace.self, key) else { return }
        guard namespace.isBeingDeleted else {
            let account = ObjectKey(key.name, "default")
            guard (try? await client.get(.serviceAccounts, account)) == nil else { return }
            do {
                _ = try await client.create(
                    .serviceAccounts, ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": .string(key.name)]])
            } catch let error as StatusError where error.reason == "AlreadyExists" {}
            return
        }
        var remaining = 0
        for resource in contents {
            for object in try await client.list(resource, namespace: key.name, selector: nil).items {
                let name = object["metadata"]["name"].string ?? ""
                if object["metadata"]["deletionTimestamp"].isNull {
                    do { try await client.delete(resource, ObjectKey(key.name, name)) } catch let error as StatusError where error.reason == "NotFound" {}
                }
            }
            remaining += try await client.list(resource, namespace: key.name, selector: nil).items.count
        }
        if remaining == 0 { try await client.delete(.namespaces, key, gracePeriod: 0, uid: namespace.uid) }
    }
}

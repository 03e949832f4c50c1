import Model

/// Deletes objects whose owners are all gone (kubernetes.io/docs/concepts/architecture/garbage-collection).
package struct GarbageCollector: Reconciler {
    private let owners: [Resource]
    private let dependents: [Resource]

    /// `owners` are the kinds that own others, `dependents` those that are owned.
    package init(owners: [Resource], dependents: [Resource]) {
        self.owners = owners
        self.dependents = dependents
    }

    package var sources: [Source] {
        owners.map { resource in
            Source(resource) { event, _ in
                guard event.kind == .deleted else { return [] }
                return [ObjectKey(event.object["metadata"]["namespace"].string ?? "", event.object["metadata"]["uid"].string ?? "")]
            }
        }
    }

    /// `key` names an owner that is gone, by uid.
    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        for resource in dependents {
            for object in try await client.list(resource, namespace: key.namespace, selector: nil).items {
                let references = object["metadata"]["ownerReferences"].items
                guard references.contains(where: { $0["uid"].string == key.name }), references.count == 1,
                    object["metadata"]["deletionTimestamp"].isNull
                else { continue }
                let dependent = ObjectKey(key.namespace, object["metadata"]["name"].string ?? "")
                do { try await client.delete(resource, dependent) } catch let error as StatusError where error.reason == "NotFound" {}
            }
        }
    }
}

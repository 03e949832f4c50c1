import Model

/// Deletes the objects of a kind whose CustomResourceDefinition is on its way out, then lets that go.
package struct CustomResourceCleanup: Reconciler {
    private static let finalizer = "customresourcecleanup.apiextensions.k8s.io"

    package init() {}

    package var sources: [Source] { [.own(.customResourceDefinitions)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        let client = client.live
        guard let definition = try await client.find(.customResourceDefinitions, key), definition.metadata.isBeingDeleted else { return }
        let spec = definition["spec"], names = spec["names"]
        let version = spec["versions"].items.first { $0["storage"].bool == true }?["name"].string ?? ""
        let resource = Resource(
            spec["group"].string ?? "", version, names["plural"].string ?? "", names["kind"].string ?? "",
            namespaced: spec["scope"].string == "Namespaced")
        for object in try await client.list(resource, namespace: nil, selector: nil).items
        where object["metadata"]["deletionTimestamp"].isNull {
            do { try await client.delete(resource, object.metadata.key) } catch let error as StatusError where error.reason == .notFound {}
        }
        guard try await client.list(resource, namespace: nil, selector: nil).items.isEmpty else { return }
        let rest = definition["metadata"]["finalizers"].items.filter { $0.string != Self.finalizer }
        _ = try await client.patch(.customResourceDefinitions, key, ["metadata": ["finalizers": .array(rest)]])
    }

    /// Objects with finalizers of their own go in their own time.
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let definition = try await client.find(.customResourceDefinitions, key), definition.metadata.isBeingDeleted else {
            return nil
        }
        return .milliseconds(500)
    }
}

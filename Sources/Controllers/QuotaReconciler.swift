import Model

/// Keeps a ResourceQuota's account of what its namespace uses.
package struct QuotaReconciler: Reconciler {
    private let counted: [Resource]

    /// `counted` are the kinds that a quota can count.
    package init(counted: [Resource]) { self.counted = counted }

    package var sources: [Source] {
        [.own(.resourceQuotas)]
            + counted.filter { $0 != .events && $0 != .resourceQuotas }.map { resource in
                Source(resource) { change, informers in
                    informers[.resourceQuotas]?.list(namespace: change.key.namespace).map(\.metadata.key) ?? []
                }
            }
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let quota = try await client.find(.resourceQuotas, key) else { return }
        let used = try await ResourceUsage.used(by: quota, among: counted) {
            try await client.list($0, namespace: key.namespace, selector: nil).items
        }
        let names = quota["spec"]["hard"].stringMap.keys.sorted()
        var current = quota
        current["status"] = [
            "hard": quota["spec"]["hard"],
            "used": .object(JSONObject(uniqueKeys: names, values: names.map { .string((used[$0] ?? Quantity(0)).description) })),
        ]
        guard current["status"] != quota["status"] else { return }
        current["metadata"]["resourceVersion"] = .null
        _ = try await client.updateStatus(.resourceQuotas, current)
    }
}

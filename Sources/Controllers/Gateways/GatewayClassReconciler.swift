import Model

/// Accepts the GatewayClasses that name minik's controller, and keeps one that Gateways have until they are gone.
package struct GatewayClassReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            .own(.gatewayClasses),
            Source(.gateways) { change, _ in
                Array(Set([change.old, change.new].compactMap { $0.map { ObjectKey("", Gateway($0).className) } }))
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        try await hold(key, client)
        let time = now()
        try await client.mutateStatus(GatewayClass.self, key) { found in
            guard found.isOwn else { return }
            let takesParameters = !found.spec["parametersRef"].isNull
            found.status["conditions"].setCondition(
                "Accepted", !takesParameters, reason: takesParameters ? "InvalidParameters" : "Accepted",
                message: takesParameters
                    ? "minik's Gateways take no parameters; leave out parametersRef" : "minik serves Gateways of this class",
                observedGeneration: found.generation, now: time)
        }
    }

    /// (gateway.networking.k8s.io/v1, GatewayClassFinalizerGatewaysExist)
    private static let finalizer: JSON = "gateway-exists-finalizer.gateway.networking.k8s.io"

    private func hold(_ key: ObjectKey, _ client: any Client) async throws {
        guard let found = try await client.find(GatewayClass.self, key), found.isOwn else { return }
        let isUsed = try await client.list(Gateway.self).contains { $0.className == key.name }
        var finalizers = found.json["metadata"]["finalizers"].items
        if isUsed == finalizers.contains(Self.finalizer) { return }
        // One that is on its way out takes no more.
        if isUsed, found.isBeingDeleted { return }
        finalizers.removeAll { $0 == Self.finalizer }
        var changed = found.json
        changed["metadata"]["finalizers"] = .array(finalizers + (isUsed ? [Self.finalizer] : []))
        _ = try await client.update(.gatewayClasses, changed)
    }
}

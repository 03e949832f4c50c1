import Model

/// Accepts the GatewayClasses that name minik's controller.
package struct GatewayClassReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] { [.own(.gatewayClasses)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
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
}

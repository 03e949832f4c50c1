import Model

/// Deletes bootstrap tokens whose time is over. (k8s.io/kubernetes/pkg/controller/bootstrap/tokencleaner.go)
package struct TokenCleaner: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            Source(.secrets) { change, _ in
                change.key.namespace == BootstrapToken.namespace && change.key.name.hasPrefix(BootstrapToken.prefix) ? [change.key] : []
            }
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let secret = try await client.find(.secrets, key), let token = BootstrapToken(secret: secret), token.isExpired(now()) else {
            return
        }
        try await client.delete(.secrets, key, gracePeriod: nil, uid: secret.metadata.uid)
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let end = try await client.find(.secrets, key).flatMap({ BootstrapToken(secret: $0) })?.expiration.flatMap(Timestamp.init)
        else { return nil }
        return .seconds(max(0, Timestamp.bounded(end.seconds - now().seconds)))
    }
}

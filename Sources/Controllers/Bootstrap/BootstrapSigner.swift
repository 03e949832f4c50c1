import Model

/// Signs the public cluster-info with every bootstrap token that is for signing, so that whoever knows a token can tell that the cluster
/// knows it, too: detached JSON Web Signatures, HS256, keyed with the token's secret.
/// (k8s.io/kubernetes/pkg/controller/bootstrap/bootstrapsigner.go; RFC 7515, appendix F)
package struct BootstrapSigner: Reconciler {
    package static let key = ObjectKey("kube-public", "cluster-info")
    package static let payload = "kubeconfig", prefix = "jws-kubeconfig-"

    private let now: @Sendable () -> Timestamp
    private let authentication: @Sendable (_ message: [UInt8], _ key: [UInt8]) -> [UInt8]

    /// `authentication`: HMAC-SHA-256.
    package init(
        now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        authentication: @escaping @Sendable (_ message: [UInt8], _ key: [UInt8]) -> [UInt8]
    ) {
        self.now = now
        self.authentication = authentication
    }

    package var sources: [Source] {
        [
            Source(.configMaps) { change, _ in change.key == Self.key ? [Self.key] : [] },
            Source(.secrets) { change, _ in
                change.key.namespace == BootstrapToken.namespace && change.key.name.hasPrefix(BootstrapToken.prefix) ? [Self.key] : []
            },
        ]
    }

    /// HEADER..SIGNATURE of a text: the payload is left out, as whoever verifies has it.
    package static func signature(
        of text: String, by token: BootstrapToken, _ authentication: (_ message: [UInt8], _ key: [UInt8]) -> [UInt8]
    ) -> String {
        let header = Base64.encodeURL(Array(#"{"alg":"HS256","kid":"\#(token.id)"}"#.utf8))
        let message = Array("\(header).\(Base64.encodeURL(Array(text.utf8)))".utf8)
        return "\(header)..\(Base64.encodeURL(authentication(message, Array(token.secret.utf8))))"
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard var map = try await client.find(.configMaps, key), let text = map["data"][Self.payload].string else { return }
        var data = map["data"].stringMap.filter { !$0.key.hasPrefix(Self.prefix) }
        for secret in try await client.list(.secrets, namespace: BootstrapToken.namespace, selector: nil).items {
            guard let token = BootstrapToken(secret: secret), token.usages.contains("signing"), !token.isExpired(now()) else { continue }
            data[Self.prefix + token.id] = Self.signature(of: text, by: token, authentication)
        }
        guard JSON(data) != map["data"], data != map["data"].stringMap else { return }
        map["data"] = JSON(data)
        _ = try await client.update(.configMaps, map)
    }
}

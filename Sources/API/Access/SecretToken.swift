import Model
import Store

/// The token of a service account that is kept in a Secret: it has no end of its own, and is worth nothing without its Secret.
/// (k8s.io/kubernetes/pkg/serviceaccount/legacy.go)
package enum SecretToken {
    private static let issuer = "kubernetes/serviceaccount"
    private static let namespace = "kubernetes.io/serviceaccount/namespace", secretName = "kubernetes.io/serviceaccount/secret.name"
    private static let accountName = "kubernetes.io/serviceaccount/service-account.name"
    private static let accountUID = "kubernetes.io/serviceaccount/service-account.uid"

    package static func sign(for account: JSON, in secret: JSON, by credentials: any Credentials) throws -> String {
        let metadata = account.metadata
        return try credentials.sign([
            "iss": .string(issuer), namespace: .string(metadata.namespace), secretName: .string(secret.metadata.name),
            accountName: .string(metadata.name), accountUID: .string(metadata.uid),
            "sub": .string(UserInfo.serviceAccountName(metadata.key)),
        ])
    }

    static func isIssuer(of claims: JSON) -> Bool { claims["iss"].string == issuer }

    /// The account that the token stands for, as long as its Secret holds it.
    static func account(_ claims: JSON, _ token: String, in store: ObjectStore) async throws -> JSON? {
        guard let namespace = claims[namespace].string, let secret = claims[secretName].string, let name = claims[accountName].string
        else { return nil }
        let key = ObjectKey(namespace, name)
        guard claims["sub"].string == UserInfo.serviceAccountName(key),
            let kept = try await store.get(.secrets, ObjectKey(namespace, secret)), !kept.metadata.isBeingDeleted,
            kept["data"]["token"].string == Base64.encode(Array(token.utf8)),
            let account = try await store.get(.serviceAccounts, key), !account.metadata.isBeingDeleted,
            claims[accountUID].string == account.metadata.uid
        else { return nil }
        return account
    }
}

/// A Secret that holds the token of a service account. (kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets)
package enum ServiceAccountSecret {
    package static let type = "kubernetes.io/service-account-token"
    /// The annotations that say whose token it is.
    package static let accountName = "kubernetes.io/service-account.name", accountUID = "kubernetes.io/service-account.uid"

    /// The name of the account whose token a Secret holds, or is to hold; nil of any other Secret.
    package static func account(of secret: JSON) -> String? {
        guard secret["type"].string == type, let name = secret["metadata"]["annotations"][accountName].string, !name.isEmpty else {
            return nil
        }
        return name
    }
}

import Model

/// What proves who speaks: the cluster's certificate authority and the key that signs service accounts' tokens.
package protocol Credentials: Sendable {
    /// The authority's certificate, PEM.
    var caCertificate: String { get }
    /// Who tokens say has made them.
    var issuer: String { get }
    /// A signed JSON Web Token with these claims.
    func sign(_ claims: JSON) throws -> String
    /// The claims of a token whose signature holds; nil for anything else.
    func verify(_ token: String) -> JSON?
    /// The public keys that verify tokens (RFC 7517).
    var keySet: JSON { get }
}

extension Credentials {
    package var issuer: String { Authenticator.standardIssuer }
}

/// Who makes a request.
package struct UserInfo: Sendable, Hashable {
    package var name: String
    package var uid = ""
    package var groups: [String]
    package var extra: [String: [String]] = [:]

    package init(name: String, groups: [String]) {
        self.name = name
        self.groups = groups
    }

    /// Who a service account is.
    init(serviceAccount account: JSON) {
        let metadata = account.metadata
        self.init(
            name: Self.serviceAccountName(metadata.key),
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(metadata.namespace)", Self.authenticated])
        uid = metadata.uid
    }

    static func serviceAccountName(_ key: ObjectKey) -> String { "system:serviceaccount:\(key.namespace):\(key.name)" }

    package static let authenticated = "system:authenticated", masters = "system:masters"
    static let unauthenticated = "system:unauthenticated"
    static let anonymous = UserInfo(name: "system:anonymous", groups: [unauthenticated])
    /// Whoever may open the daemon's own socket: root.
    package static let root = UserInfo(name: "kubernetes-admin", groups: [masters, authenticated])

    package var json: JSON {
        [
            "username": .string(name), "uid": uid.isEmpty ? .null : .string(uid), "groups": .array(groups.map(JSON.string)),
            "extra": extra.isEmpty
                ? .null
                : .object(
                    JSONObject(
                        uniqueKeys: extra.keys.sorted(), values: extra.keys.sorted().map { .array((extra[$0] ?? []).map(JSON.string)) })),
        ]
    }
}

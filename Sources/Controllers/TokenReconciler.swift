import Model

/// Fills the Secrets that are to hold a service account's token, and deletes those whose account is gone.
/// (k8s.io/kubernetes/pkg/controller/serviceaccount, TokensController)
package struct TokenReconciler: Reconciler {
    /// The certificate of the cluster's authority, PEM.
    private let authority: String
    private let sign: @Sendable (_ account: JSON, _ secret: JSON) throws -> String

    package init(authority: String, sign: @escaping @Sendable (_ account: JSON, _ secret: JSON) throws -> String) {
        self.authority = authority
        self.sign = sign
    }

    package var sources: [Source] {
        [
            .own(.secrets),
            Source(.serviceAccounts) { change, informers in
                let secrets = informers[.secrets]?.list(namespace: change.key.namespace) ?? []
                return secrets.filter { ServiceAccountSecret.account(of: $0) == change.key.name }.map(\.metadata.key)
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let secret = try await client.find(.secrets, key), let name = ServiceAccountSecret.account(of: secret),
            !secret.metadata.isBeingDeleted
        else { return }
        let uid = secret["metadata"]["annotations"][ServiceAccountSecret.accountUID].string ?? ""
        do {
            guard let account = try await client.find(.serviceAccounts, ObjectKey(key.namespace, name)),
                uid.isEmpty || uid == account.metadata.uid
            else { return try await client.delete(.secrets, key, gracePeriod: nil, uid: secret.metadata.uid) }
            let filled = try filled(secret, account)
            if filled != secret { _ = try await client.update(.secrets, filled) }
        } catch let error as StatusError where error.reason == .notFound || error.reason == .conflict {
            // Somebody else was here first: it is gone, or that change brings us back.
        }
    }

    private func filled(_ secret: JSON, _ account: JSON) throws -> JSON {
        var filled = secret
        func isEmpty(_ field: String) -> Bool { secret["data"][field].string ?? "" == "" }
        filled["data"]["ca.crt"] = .string(Self.encoded(authority))
        if isEmpty("namespace") { filled["data"]["namespace"] = .string(Self.encoded(account.metadata.namespace)) }
        if isEmpty("token") { filled["data"]["token"] = .string(Self.encoded(try sign(account, secret))) }
        if filled == secret { return secret }
        filled["metadata"]["annotations"][ServiceAccountSecret.accountUID] = .string(account.metadata.uid)
        return filled
    }

    private static func encoded(_ text: String) -> String { Base64.encode(Array(text.utf8)) }
}

import Model
import Store

/// Finds out who makes a request. (kubernetes.io/docs/reference/access-authn-authz/authentication)
struct Authenticator: Sendable {
    static let standardIssuer = "https://kubernetes.default.svc.cluster.local"
    var issuer: String { credentials?.issuer ?? Self.standardIssuer }

    let store: ObjectStore
    let credentials: (any Credentials)?
    let now: @Sendable () -> Timestamp
    /// `--enable-bootstrap-token-auth`
    var admitsBootstrapTokens = false

    /// The user; nobody in particular when nothing is there to prove who it is. Throws on a wrong proof.
    func user(of request: HTTPRequest) async throws -> UserInfo {
        if let peer = request.peer { return peer }
        let token = Self.token(of: request)
        if token == nil, !request.isRefused { return .anonymous }
        guard let token, let user = try await user(token: token) else { throw StatusError(401, .unauthorized, "Unauthorized") }
        return user
    }

    /// The bearer token that a request brings along.
    private static func token(of request: HTTPRequest) -> String? {
        guard let header = request.header("Authorization") else {
            // A browser's or Python's WebSocket cannot send headers: its token comes as a subprotocol.
            let prefix = "base64url.bearer.authorization.k8s.io."
            let offered = (request.header("Sec-WebSocket-Protocol") ?? "").split(separator: ",").map(\.trimmed).first {
                $0.hasPrefix(prefix)
            }
            guard let encoded = offered?.dropFirst(prefix.count), let bytes = Base64.decodeURL(String(encoded)) else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer", !parts[1].trimmed.isEmpty else { return nil }
        return parts[1].trimmed
    }

    /// (kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens)
    private func bootstrapUser(_ text: String) async throws -> UserInfo? {
        guard admitsBootstrapTokens, let wanted = BootstrapToken(text),
            let secret = try await store.get(.secrets, ObjectKey(BootstrapToken.namespace, wanted.name)), !secret.metadata.isBeingDeleted,
            let held = BootstrapToken(secret: secret), held.text == text, held.usages.contains("authentication"), !held.isExpired(now())
        else { return nil }
        return UserInfo(
            name: "system:bootstrap:\(held.id)", groups: [BootstrapToken.bootstrappers] + held.groups + [UserInfo.authenticated])
    }

    private func user(token: String) async throws -> UserInfo? {
        if let user = try await bootstrapUser(token) { return user }
        return try await user(token: token, audiences: [issuer])?.user
    }

    /// The service account that a token stands for, as long as it and the pod it is bound to are there, and those of
    /// `audiences` that it is meant for.
    func user(token: String, audiences: [String]) async throws -> (user: UserInfo, audiences: [String])? {
        guard let claims = credentials?.verify(token) else { return nil }
        if SecretToken.isIssuer(of: claims) {
            // It says of no audience that it is meant for it: it is for this server.
            guard audiences.contains(issuer), let account = try await SecretToken.account(claims, token, in: store) else { return nil }
            return (UserInfo(serviceAccount: account), [issuer])
        }
        guard claims["iss"].string == issuer, (claims["exp"].int ?? 0) > now().seconds else { return nil }
        let meant = audiences.filter { claims["aud"].items.contains(.string($0)) }
        guard !meant.isEmpty else { return nil }
        let bound = claims["kubernetes.io"], namespace = bound["namespace"].string ?? "",
            name = bound["serviceaccount"]["name"].string ?? ""
        guard let account = try await store.get(.serviceAccounts, ObjectKey(namespace, name)),
            account["metadata"]["uid"] == bound["serviceaccount"]["uid"]
        else {
            return nil
        }
        var user = UserInfo(serviceAccount: account)
        if let pod = bound["pod"]["name"].string {
            guard let held = try await store.get(.pods, ObjectKey(namespace, pod)), held["metadata"]["uid"] == bound["pod"]["uid"] else {
                return nil
            }
            user.extra["authentication.kubernetes.io/pod-name"] = [pod]
            user.extra["authentication.kubernetes.io/pod-uid"] = [bound["pod"]["uid"].string ?? ""]
            if let node = bound["node"]["name"].string { user.extra["authentication.kubernetes.io/node-name"] = [node] }
        }
        for (kind, resource) in [("secret", Resource.secrets), ("node", .nodes)] {
            // A pod's token names its pod's node, too, without that being a condition.
            guard !bound[kind].isNull, bound["pod"].isNull, let name = bound[kind]["name"].string else { continue }
            let held = try await store.get(resource, ObjectKey(resource.namespaced ? namespace : "", name))
            guard let held, held["metadata"]["uid"] == bound[kind]["uid"] else { return nil }
        }
        if let id = claims["jti"].string { user.extra["authentication.kubernetes.io/credential-id"] = ["JTI=\(id)"] }
        return (user, meant)
    }

    /// A token for a service account, valid for `seconds`, bound to a pod if one is given.
    static func token(
        for account: JSON, boundTo object: TokenBinding? = nil, audiences: [String], seconds: Int,
        now: Timestamp,
        by credentials: any Credentials
    ) throws -> (token: String, expires: Timestamp) {
        let namespace = account["metadata"]["namespace"].string ?? "", name = account["metadata"]["name"].string ?? ""
        var bound: JSON = ["namespace": .string(namespace), "serviceaccount": ["name": .string(name), "uid": account["metadata"]["uid"]]]
        if let object {
            bound[object.kind] = ["name": .string(object.name), "uid": .string(object.uid)]
            if let node = object.node { bound["node"] = ["name": .string(node)] }
        }
        let claims: JSON = [
            "aud": .array((audiences.isEmpty ? [credentials.issuer] : audiences).map(JSON.string)),
            "exp": .int(now.seconds + Timestamp.bounded(seconds)), "iat": .int(now.seconds),
            "iss": .string(credentials.issuer), "jti": .string(UID.random()), "kubernetes.io": bound, "nbf": .int(now.seconds),
            "sub": .string(UserInfo.serviceAccountName(ObjectKey(namespace, name))),
        ]
        return (try credentials.sign(claims), Timestamp(seconds: now.seconds + Timestamp.bounded(seconds)))
    }
}

extension APIServer {
    package nonisolated func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String {
        guard let credentials else { throw StatusError(500, .internalError, "this server signs no tokens") }
        let account = try await get(.serviceAccounts, ObjectKey(pod.namespace, pod.spec["serviceAccountName"].string ?? "default"))
        return try Authenticator.token(
            for: account, boundTo: TokenBinding(kind: "pod", name: pod.name, uid: pod.uid, node: pod.nodeName), audiences: audiences,
            seconds: seconds, now: now(),
            by: credentials
        ).token
    }
}

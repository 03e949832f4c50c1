import Model

/// `kubectl --as`: somebody else, for those who may. (kubernetes.io/docs/reference/access-authn-authz/authentication, "User impersonation")
extension Authorizer {
    func impersonated(by user: UserInfo, _ request: HTTPRequest) async throws -> UserInfo {
        var groups = request.headerValues("Impersonate-Group")
        let uid = request.header("Impersonate-Uid"), extra = Self.extra(request)
        guard let name = request.header("Impersonate-User") else {
            guard groups.isEmpty, uid == nil, extra.isEmpty else {
                throw StatusError(500, .internalError, "Internal error occurred: requested impersonation without impersonating a user")
            }
            return user
        }
        func check(_ group: String, _ resource: String, _ name: String, namespace: String = "", part: String = "") async throws {
            var access = AccessRequest(verb: "impersonate")
            (access.group, access.resource, access.subresource) = (group, resource, part)
            (access.name, access.namespace) = (name, namespace)
            guard try await allows(user, access) else { throw Authorizer.refusal(user, access) }
        }
        let parts = name.split(separator: ":").map(String.init)
        if parts.count == 4, name.hasPrefix("system:serviceaccount:") {
            try await check("", "serviceaccounts", parts[3], namespace: parts[2])
            if groups.isEmpty { groups = ["system:serviceaccounts", "system:serviceaccounts:\(parts[2])"] }
        } else {
            try await check("", "users", name)
        }
        for group in request.headerValues("Impersonate-Group") { try await check("", "groups", group) }
        if let uid { try await check("authentication.k8s.io", "uids", uid) }
        for (key, values) in extra {
            for value in values { try await check("authentication.k8s.io", "userextras", value, part: key) }
        }
        let whoever = name == UserInfo.anonymous.name ? UserInfo.unauthenticated : UserInfo.authenticated
        if !groups.contains(whoever) { groups.append(whoever) }
        var other = UserInfo(name: name, groups: groups)
        (other.uid, other.extra) = (uid ?? "", extra)
        return other
    }

    /// A key stands in a header's name, which knows no case, and percent-encoded where a name could not hold it.
    private static func extra(_ request: HTTPRequest) -> [String: [String]] {
        let prefix = "impersonate-extra-"
        var extra: [String: [String]] = [:]
        for (name, value) in request.headers where name.lowercased().hasPrefix(prefix) {
            extra[URL.decode(name.lowercased().dropFirst(prefix.count), plusIsSpace: false), default: []].append(value)
        }
        return extra
    }
}

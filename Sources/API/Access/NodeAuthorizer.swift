import Model
import Store

/// What a node may do with its own certificate: what kubelets need, and of what is other nodes' nothing.
/// (kubernetes.io/docs/reference/access-authn-authz/node; NodeRestriction of access-authn-authz/admission-controllers)
struct NodeAuthorizer: Sendable {
    private static let group = "system:nodes", prefix = "system:node:"
    /// Upstream follows which of them a node's pods refer to; who asks for these here asks for others'.
    private static let referred: Set<String> = ["secrets", "configmaps", "persistentvolumeclaims", "persistentvolumes"]
    private static let reading: Set<String> = ["get", "list", "watch"]

    let store: ObjectStore

    /// The node that a user is.
    static func node(_ user: UserInfo) -> String? {
        guard user.groups.contains(group), user.name.hasPrefix(prefix) else { return nil }
        return String(user.name.dropFirst(prefix.count))
    }

    /// `rules`: those of the role system:node.
    func allows(_ node: String, _ request: AccessRequest, rules: [JSON]) async throws -> Bool {
        guard rules.contains(where: { Authorizer.covers($0, request) }), !Self.referred.contains(request.resource) else { return false }
        if Self.reading.contains(request.verb) { return true }
        switch request.resource {
        case "nodes", "leases", "csinodes": return request.name.isEmpty || request.name == node
        case "pods":
            if request.name.isEmpty { return true }
            let pod = try await store.get(.pods, ObjectKey(request.namespace, request.name))
            return pod?["spec"]["nodeName"].string == node
        case "serviceaccounts": return false
        default: return true
        }
    }
}

import Model
import Store

/// What a request asks to do, as RBAC sees it.
package struct AccessRequest: Sendable {
    package var verb: String
    package var group = ""
    package var resource = ""
    package var subresource = ""
    package var name = ""
    package var namespace = ""
    /// Set for paths that are no resource.
    package var path: String?

    package init(verb: String) { self.verb = verb }

    var resourceWithSubresource: String { subresource.isEmpty ? resource : "\(resource)/\(subresource)" }
}

/// Role-based access control. (kubernetes.io/docs/reference/access-authn-authz/rbac)
struct Authorizer: Sendable {
    let store: ObjectStore

    func allows(_ user: UserInfo, _ request: AccessRequest) async throws -> Bool {
        if user.groups.contains(UserInfo.masters) { return true }
        if try await isNodes(user, request) { return true }
        return try await reason(user, request) != nil
    }

    private func isNodes(_ user: UserInfo, _ request: AccessRequest) async throws -> Bool {
        guard let node = NodeAuthorizer.node(user) else { return false }
        let rules = try await rules(of: ["kind": "ClusterRole", "name": "system:node"], in: "")
        return try await NodeAuthorizer(store: store).allows(node, request, rules: rules)
    }

    /// By which binding a request is allowed, in Kubernetes' words; nil: it is not.
    func reason(_ user: UserInfo, _ request: AccessRequest) async throws -> String? {
        for (binding, subject) in try await bindings(of: user, in: request.namespace) {
            let namespace = binding["metadata"]["namespace"].string ?? ""
            guard
                try await rules(of: binding["roleRef"], in: namespace).contains(where: {
                    Self.covers($0, request) && (namespace.isEmpty || request.path == nil)
                })
            else {
                continue
            }
            let name = binding["metadata"]["name"].string ?? "", role = binding["roleRef"]
            let place = namespace.isEmpty ? name : "\(name)/\(namespace)"
            let who =
                subject["kind"].string == "ServiceAccount"
                ? "\(subject["name"].string ?? "")/\(subject["namespace"].string ?? namespace)" : subject["name"].string ?? ""
            return
                "RBAC: allowed by \(namespace.isEmpty ? "ClusterRoleBinding" : "RoleBinding") \"\(place)\" of \(role["kind"].string ?? "") \"\(role["name"].string ?? "")\" to \(subject["kind"].string ?? "") \"\(who)\""
        }
        return nil
    }

    /// The bindings that concern a user, cluster-wide ones first, each with the subject that makes it so.
    private func bindings(of user: UserInfo, in namespace: String) async throws -> [(binding: JSON, subject: JSON)] {
        var all = try await store.list(.clusterRoleBindings).items
        if !namespace.isEmpty { all += try await store.list(.roleBindings, namespace: namespace).items }
        return all.compactMap { binding in Self.subject(of: binding, user).map { (binding, $0) } }
    }

    /// Every rule that holds for a user in a namespace, and cluster-wide.
    func rules(of user: UserInfo, in namespace: String) async throws -> [JSON] {
        if user.groups.contains(UserInfo.masters) {
            return [["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]], ["verbs": ["*"], "nonResourceURLs": ["*"]]]
        }
        var rules: [JSON] = []
        for (binding, _) in try await bindings(of: user, in: namespace) {
            let place = binding["metadata"]["namespace"].string ?? ""
            rules += try await self.rules(of: binding["roleRef"], in: place).filter { place.isEmpty || $0["nonResourceURLs"].items.isEmpty }
        }
        return rules
    }

    /// A rule that allows everything there is.
    static let everything: JSON = ["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "nonResourceURLs": ["*"]]

    /// Whether a binding's role is not there.
    func lacks(_ role: JSON, in namespace: String) async throws -> Bool {
        let name = role["name"].string ?? ""
        return role["kind"].string == "Role"
            ? try await store.get(.roles, ObjectKey(namespace, name)) == nil
            : try await store.get(.clusterRoles, ObjectKey("", name)) == nil
    }

    /// Whether some of `held` together allow all that `rule` does.
    static func covers(_ held: [JSON], all rule: JSON) -> Bool {
        rule["verbs"].items.allSatisfy { verb in
            let paths = rule["nonResourceURLs"].items
            let byPath = paths.allSatisfy { path in
                var request = AccessRequest(verb: verb.string ?? "")
                request.path = path.string
                return held.contains { covers($0, request) }
            }
            let byResource = rule["apiGroups"].items.allSatisfy { group in
                rule["resources"].items.allSatisfy { resource in
                    let sides = (resource.string ?? "").split(separator: "/", maxSplits: 1).map(String.init)
                    let names = rule["resourceNames"].items.isEmpty ? [JSON.string("")] : rule["resourceNames"].items
                    return names.allSatisfy { name in
                        var request = AccessRequest(verb: verb.string ?? "")
                        (request.group, request.resource, request.name) = (group.string ?? "", sides.first ?? "", name.string ?? "")
                        if sides.count > 1 { request.subresource = sides[1] }
                        return held.contains { covers($0, request) && ($0["resourceNames"].items.isEmpty || !request.name.isEmpty) }
                    }
                }
            }
            return byPath && byResource
        }
    }

    /// The rules of the role that `role`, a roleRef, names.
    func rules(of role: JSON, in namespace: String) async throws -> [JSON] {
        let name = role["name"].string ?? ""
        if role["kind"].string == "Role" { return try await store.get(.roles, ObjectKey(namespace, name))?["rules"].items ?? [] }
        guard let clusterRole = try await store.get(.clusterRoles, ObjectKey("", name)) else { return [] }
        let selectors = clusterRole["aggregationRule"]["clusterRoleSelectors"].items.map { LabelSelector($0) }
        guard !selectors.isEmpty else { return clusterRole["rules"].items }
        // An aggregated role is what the roles it selects are.
        let others = try await store.list(.clusterRoles).items.filter { other in
            selectors.contains { $0.matches(other["metadata"]["labels"].stringMap) }
        }
        return clusterRole["rules"].items + others.flatMap { $0["rules"].items }
    }

    private static func subject(of binding: JSON, _ user: UserInfo) -> JSON? {
        binding["subjects"].items.first { subject in
            let name = subject["name"].string ?? ""
            switch subject["kind"].string {
            case "User": return name == user.name
            case "Group": return user.groups.contains(name)
            case "ServiceAccount":
                let namespace = subject["namespace"].string ?? binding["metadata"]["namespace"].string ?? ""
                return user.name == "system:serviceaccount:\(namespace):\(name)"
            default: return false
            }
        }
    }

    static func covers(_ rule: JSON, _ request: AccessRequest) -> Bool {
        func has(_ field: String, _ wanted: String) -> Bool { rule[field].items.contains { $0.string == "*" || $0.string == wanted } }
        guard has("verbs", request.verb) else { return false }
        if let path = request.path {
            return rule["nonResourceURLs"].items.contains { pattern in
                guard let pattern = pattern.string else { return false }
                return pattern == "*" || pattern == path || (pattern.hasSuffix("*") && path.hasPrefix(pattern.dropLast()))
            }
        }
        guard has("apiGroups", request.group) else { return false }
        let resources = rule["resources"].items.compactMap(\.string)
        guard
            resources.contains("*") || resources.contains(request.resourceWithSubresource)
                || (!request.subresource.isEmpty && resources.contains("*/\(request.subresource)"))
        else { return false }
        let names = rule["resourceNames"].items
        return names.isEmpty || names.contains { $0.string == request.name }
    }

    /// 403, in Kubernetes' words.
    static func refusal(_ user: UserInfo, _ request: AccessRequest) -> StatusError {
        if let path = request.path {
            return StatusError.forbidden("forbidden: User \"\(user.name)\" cannot \(request.verb) path \"\(path)\"")
        }
        let qualified = request.group.isEmpty ? request.resource : "\(request.resource).\(request.group)"
        let what = request.name.isEmpty ? qualified : "\(qualified) \"\(request.name)\""
        let place = request.namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(request.namespace)\""
        return StatusError(
            403, .forbidden,
            "\(what) is forbidden: User \"\(user.name)\" cannot \(request.verb) resource \"\(request.resourceWithSubresource)\" in API group \"\(request.group)\" \(place)",
            details: [
                "name": request.name.isEmpty ? .null : .string(request.name),
                "group": request.group.isEmpty ? .null : .string(request.group),
                "kind": .string(request.resource),
            ])
    }
}

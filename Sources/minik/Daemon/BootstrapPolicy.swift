import Model

/// The roles every cluster has. (kubernetes.io/docs/reference/access-authn-authz/rbac, "Default roles and role bindings")
enum BootstrapPolicy {
    static var objects: [(Resource, JSON)] {
        roles.map { (.clusterRoles, $0) }
            + [
                (.clusterRoleBindings, binding("cluster-admin", group: "system:masters")),
                (.clusterRoleBindings, binding("system:basic-user", group: "system:authenticated")),
                (.clusterRoleBindings, binding("system:discovery", group: "system:authenticated")),
                (.clusterRoleBindings, binding("system:public-info-viewer", group: "system:authenticated")),
            ]
    }

    private static func role(_ name: String, _ rules: [JSON]) -> JSON {
        [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": ["name": .string(name), "labels": ["kubernetes.io/bootstrapping": "rbac-defaults"]], "rules": .array(rules),
        ]
    }

    private static func binding(_ role: String, group: String) -> JSON {
        [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": ["name": .string(role), "labels": ["kubernetes.io/bootstrapping": "rbac-defaults"]],
            "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)],
            "subjects": [["kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": .string(group)]],
        ]
    }

    private static func rule(_ groups: [JSON], _ resources: [JSON], _ verbs: [JSON]) -> JSON {
        ["apiGroups": .array(groups), "resources": .array(resources), "verbs": .array(verbs)]
    }

    private static let read: [JSON] = ["get", "list", "watch"]
    private static let write: [JSON] = ["create", "delete", "deletecollection", "patch", "update"]
    private static let core: [JSON] = [
        "configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "pods", "pods/log", "pods/status", "replicationcontrollers",
        "replicationcontrollers/scale", "resourcequotas", "serviceaccounts", "services",
    ]
    private static let groups: [JSON] = ["apps", "batch", "networking.k8s.io", "policy", "discovery.k8s.io", "policy.networking.k8s.io"]

    private static var roles: [JSON] {
        let view = [rule([""], core + ["namespaces"], read), rule(groups, ["*"], read)]
        let edit =
            view + [
                rule(
                    [""], core + ["secrets", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy", "pods/eviction", "serviceaccounts/token"],
                    read + write),
                rule(groups, ["*"], write),
            ]
        return [
            role("cluster-admin", [rule(["*"], ["*"], ["*"]), ["nonResourceURLs": ["*"], "verbs": ["*"]]]),
            role("view", view), role("edit", edit),
            role(
                "admin",
                edit + [
                    rule(["rbac.authorization.k8s.io"], ["roles", "rolebindings"], read + write),
                    rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
                ]),
            role(
                "system:basic-user",
                [
                    rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
                    rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
                ]),
            role(
                "system:discovery",
                [
                    [
                        "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"],
                        "verbs": ["get"],
                    ]
                ]),
            role("system:public-info-viewer", [["nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"], "verbs": ["get"]]]),
        ]
    }
}

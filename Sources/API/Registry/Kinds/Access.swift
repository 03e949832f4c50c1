import Model

extension KindDefinition {
    private static func subjects(_ kind: String) -> @Sendable (JSON, Timestamp) -> String {
        { object, _ in
            object["subjects"].items.filter { $0["kind"].string == kind }.map { subject in
                let name = subject["name"].string ?? ""
                return subject["namespace"].string.map { "\($0)/\(name)" } ?? name
            }.joined(separator: ", ")
        }
    }

    private static let bindingColumns: [Column] = [
        .name, Column("Role") { object, _ in "\(object["roleRef"]["kind"].string ?? "")/\(object["roleRef"]["name"].string ?? "")" }, .age,
        Column("Users", wide: true, subjects("User")), Column("Groups", wide: true, subjects("Group")),
        Column("ServiceAccounts", wide: true, subjects("ServiceAccount")),
    ]

    private static let prepareBinding: @Sendable (inout JSON) -> Void = { object in
        guard var subjects = object["subjects"].array else { return }
        for index in subjects.indices where subjects[index]["apiGroup"].isNull && subjects[index]["kind"].string != "ServiceAccount" {
            subjects[index]["apiGroup"] = "rbac.authorization.k8s.io"
        }
        object["subjects"] = .array(subjects)
    }

    private static func validateBinding(_ roleKinds: [String]) -> Validation {
        { object, old, _ in
            var causes: [StatusError.Cause] = []
            let role = object["roleRef"]
            if let kind = role["kind"].string, !roleKinds.contains(kind) {
                causes.append(.notSupported("roleRef.kind", .string(kind), roleKinds.map { "\"\($0)\"" }.joined(separator: ", ")))
            }
            if role["name"].string ?? "" == "" { causes.append(.required("roleRef.name")) }
            for (index, subject) in object["subjects"].items.enumerated() {
                if subject["name"].string ?? "" == "" { causes.append(.required("subjects[\(index)].name")) }
                let kind = subject["kind"].string ?? ""
                if !["ServiceAccount", "User", "Group"].contains(kind) {
                    causes.append(.notSupported("subjects[\(index)].kind", .string(kind), "\"Group\", \"ServiceAccount\", \"User\""))
                } else if kind == "ServiceAccount", subject["namespace"].isNull, roleKinds == ["ClusterRole"] {
                    // A RoleBinding without one means its own.
                    causes.append(.required("subjects[\(index)].namespace"))
                }
            }
            if let old, old["roleRef"] != role { causes.append(.invalid("roleRef", role, "cannot change roleRef")) }
            return causes
        }
    }

    private static let validateRules: Validation = { object, _, _ in
        object["rules"].items.enumerated().flatMap { index, rule -> [StatusError.Cause] in
            var causes: [StatusError.Cause] = []
            if rule["verbs"].items.isEmpty { causes.append(.required("rules[\(index)].verbs", "verbs must contain at least one value")) }
            if rule["nonResourceURLs"].items.isEmpty {
                if rule["apiGroups"].items.isEmpty {
                    causes.append(.required("rules[\(index)].apiGroups", "resource rules must supply at least one api group"))
                }
                if rule["resources"].items.isEmpty {
                    causes.append(.required("rules[\(index)].resources", "resource rules must supply at least one resource"))
                }
            } else if object["kind"].string == "Role" {
                causes.append(
                    .invalid(
                        "rules[\(index)].nonResourceURLs", rule["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs"))
            }
            return causes
        }
    }

    private static func asAccess(_ kind: inout KindDefinition) {
        kind.nameRule = .pathSegment
        kind.allowsCreateOnUpdate = true
    }

    static let role = KindDefinition(.roles, "role", type: "rbac:Role", validate: validateRules).with(asAccess)
    static let clusterRole = KindDefinition(.clusterRoles, "clusterrole", type: "rbac:ClusterRole", validate: validateRules).with(asAccess)
    static let roleBinding = KindDefinition(
        .roleBindings, "rolebinding", type: "rbac:RoleBinding", columns: bindingColumns, prepare: prepareBinding,
        validate: validateBinding(["Role", "ClusterRole"])
    ).with(asAccess)
    static let clusterRoleBinding = KindDefinition(
        .clusterRoleBindings, "clusterrolebinding", type: "rbac:ClusterRoleBinding", columns: bindingColumns, prepare: prepareBinding,
        validate: validateBinding(["ClusterRole"])
    ).with(asAccess)
}

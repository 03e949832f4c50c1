import Model

extension KindDefinition {
    /// A reference as upstream's validation sees it, which has no names of JSON.
    private static func goForm(_ role: JSON) -> JSON {
        ["APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]]
    }

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
        if (object["roleRef"]["apiGroup"].string ?? "").isEmpty { object["roleRef"]["apiGroup"] = .string(rbac) }
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
            let group = role["apiGroup"].string ?? "", kind = role["kind"].string ?? "", name = role["name"].string ?? ""
            if group != rbac { causes.append(.notSupported("roleRef.apiGroup", .string(group), "\"\(rbac)\"")) }
            if !roleKinds.contains(kind) {
                causes.append(.notSupported("roleRef.kind", .string(kind), roleKinds.map { "\"\($0)\"" }.joined(separator: ", ")))
            }
            causes += name.isEmpty ? [.required("roleRef.name")] : Names.each("roleRef.name", name, Names.pathSegmentComplaints(name))
            for (index, subject) in object["subjects"].items.enumerated() {
                causes += Self.subject(subject, "subjects[\(index)]", isClusterWide: roleKinds == ["ClusterRole"])
            }
            if let old, old["roleRef"] != role { causes.append(.invalid("roleRef", goForm(role), "cannot change roleRef")) }
            return causes
        }
    }

    private static let rbac = "rbac.authorization.k8s.io"

    private static func subject(_ subject: JSON, _ path: String, isClusterWide: Bool) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let name = subject["name"].string ?? "", group = subject["apiGroup"].string ?? ""
        if name.isEmpty { causes.append(.required("\(path).name")) }
        switch subject["kind"].string ?? "" {
        case "ServiceAccount":
            if !name.isEmpty { causes += Names.each("\(path).name", name, Names.subdomainComplaints(name)) }
            if !group.isEmpty { causes.append(.notSupported("\(path).apiGroup", .string(group), "\"\"")) }
            // A RoleBinding without one means its own.
            if isClusterWide, (subject["namespace"].string ?? "").isEmpty { causes.append(.required("\(path).namespace")) }
        case "User", "Group":
            if group != rbac { causes.append(.notSupported("\(path).apiGroup", .string(group), "\"\(rbac)\"")) }
        default:
            causes.append(
                .notSupported(
                    "\(path).kind", .string(subject["kind"].string ?? ""), "\"ServiceAccount\", \"User\", \"Group\""))
        }
        return causes
    }

    private static let validateAggregation: Validation = { object, old, context in
        let rule = object["aggregationRule"], path = "aggregationRule.clusterRoleSelectors"
        var causes = validateRules(object, old, context)
        guard !rule.isNull else { return causes }
        if rule["clusterRoleSelectors"].items.isEmpty {
            causes.append(.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
        }
        for (index, selector) in rule["clusterRoleSelectors"].items.enumerated() {
            let wrong = SelectorRules.validate(selector, "\(path)[\(index)]")
            causes += wrong
            if !wrong.isEmpty { causes.append(.invalid("\(path)[\(index)]", .null, "invalid label selector.")) }
        }
        return causes
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
            } else if !rule["apiGroups"].items.isEmpty || !rule["resources"].items.isEmpty {
                causes.append(
                    .invalid(
                        "rules[\(index)].nonResourceURLs", rule["nonResourceURLs"],
                        "rules cannot apply to both regular resources and non-resource URLs"))
            }
            if !rule["nonResourceURLs"].items.isEmpty, object["kind"].string == "Role" {
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
    static let clusterRole = KindDefinition(.clusterRoles, "clusterrole", type: "rbac:ClusterRole", validate: validateAggregation).with(
        asAccess)
    static let roleBinding = KindDefinition(
        .roleBindings, "rolebinding", type: "rbac:RoleBinding", columns: bindingColumns, prepare: prepareBinding,
        validate: validateBinding(["Role", "ClusterRole"])
    ).with(asAccess)
    static let clusterRoleBinding = KindDefinition(
        .clusterRoleBindings, "clusterrolebinding", type: "rbac:ClusterRoleBinding", columns: bindingColumns, prepare: prepareBinding,
        validate: validateBinding(["ClusterRole"])
    ).with(asAccess)
}

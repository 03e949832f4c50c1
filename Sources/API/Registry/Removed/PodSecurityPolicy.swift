import Model

/// Stored and shown, as until 1.24; minik holds no pod to them.
extension KindDefinition {
    static let podSecurityPolicy = KindDefinition(
        Resource("policy", "v1beta1", "podsecuritypolicies", "PodSecurityPolicy", namespaced: false), "podsecuritypolicy", ["psp"],
        type: "oldpolicy:PodSecurityPolicy",
        columns: [
            .name, Column("Priv") { object, _ in object["spec"]["privileged"].bool == true ? "true" : "false" },
            Column("Caps") { object, _ in list(object["spec"]["allowedCapabilities"]) },
            rule("SELinux", "seLinux"), rule("RunAsUser", "runAsUser"), rule("FsGroup", "fsGroup"), rule("SupGroup", "supplementalGroups"),
            Column("ReadOnlyRootFs") { object, _ in object["spec"]["readOnlyRootFilesystem"].bool == true ? "true" : "false" },
            Column("Volumes") { object, _ in list(object["spec"]["volumes"]) },
        ],
        validate: { object, _, _ in
            [
                ("seLinux", ["MustRunAs", "RunAsAny"]), ("runAsUser", ["MustRunAs", "MustRunAsNonRoot", "RunAsAny"]),
                ("fsGroup", ["MayRunAs", "MustRunAs", "RunAsAny"]), ("supplementalGroups", ["MayRunAs", "MustRunAs", "RunAsAny"]),
            ].compactMap { field, rules in
                let rule = object["spec"][field]["rule"].string ?? ""
                if rules.contains(rule) { return nil }
                return .notSupported("spec.\(field).rule", .string(rule), rules.map { "\"\($0)\"" }.joined(separator: ", "))
            }
        }
    ).with {
        $0.warn = { object in
            object["metadata"]["resourceVersion"].isNull ? ["minik stores PodSecurityPolicies and holds no pod to them"] : []
        }
    }

    private static func list(_ names: JSON) -> String { names.items.compactMap(\.string).joined(separator: ",") }

    private static func rule(_ title: String, _ field: String) -> Column {
        Column(title) { object, _ in object["spec"][field]["rule"].string ?? "" }
    }
}

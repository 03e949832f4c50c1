import Model

/// All versions of kinds that releases since 1.16 have removed, and that a cluster of an earlier release serves.
package enum RemovedVersions {
    private static let all: [RemovedVersion] =
        RemovedDefinitions.all
        + ["roles", "rolebindings", "clusterroles", "clusterrolebindings"].compactMap { plural in
            Registry.kind(group: "rbac.authorization.k8s.io", version: "v1", plural: plural).map {
                RemovedVersion("rbac.authorization.k8s.io/v1beta1", of: $0, 17, 22)
            }
        }
        + RemovedIngress.all + RemovedWorkloads.all
        + [
            RemovedVersion(.podSecurityPolicy, 21, 25),
            RemovedVersion("policy/v1beta1", of: .podDisruptionBudget, 21, 25),
            RemovedVersion("batch/v1beta1", of: .cronJob, 21, 25),
            RemovedVersion("admissionregistration.k8s.io/v1beta1", of: .validatingWebhooks, 16, 22, schema: webhooks),
            RemovedVersion("admissionregistration.k8s.io/v1beta1", of: .mutatingWebhooks, 16, 22, schema: webhooks),
            RemovedVersion("scheduling.k8s.io/v1beta1", of: .priorityClass, 14, 22),
            RemovedVersion("coordination.k8s.io/v1beta1", of: .lease, 19, 22),
            RemovedVersion("node.k8s.io/v1beta1", of: .runtimeClass, 22, 25),
        ]

    /// What was the default before v1. (k8s.io/kubernetes/pkg/apis/admissionregistration/v1beta1, SetDefaults_)
    private static func webhooks(_ schema: Schema) -> Schema {
        let defaults: [String: JSON] = [
            "failurePolicy": "Ignore", "matchPolicy": "Exact", "sideEffects": "Unknown", "timeoutSeconds": 30,
            "admissionReviewVersions": ["v1beta1"],
        ]
        return schema.changing("webhooks") { field in
            guard case .list(.object(let type), let list) = field.schema else { return }
            let fields = type.fields.map { old in
                var new = old
                if let value = defaults[old.name] { (new.defaultValue, new.isRequired) = (value, false) }
                return new
            }
            field.schema = .list(.object(ObjectSchema(name: "", fields: fields)), list)
        }
    }

    /// What a cluster of that release serves beside what it serves anyway.
    package static func kinds(in version: KubernetesVersion) -> [KindDefinition] {
        all.filter { $0.isServed(by: version) }.map { $0.kind(in: version) }
    }

    package static func version(apiVersion: String, kind: String) -> RemovedVersion? {
        all.first { $0.resource.apiVersion == apiVersion && $0.resource.kind == kind }
    }

    static func version(group: String, version: String, plural: String) -> RemovedVersion? {
        all.first { $0.resource.group == group && $0.resource.version == version && $0.resource.plural == plural }
    }
}

import Model

/// Deployments and their like before apps/v1: the selector may be left out, and other values are the default.
/// (k8s.io/kubernetes/pkg/apis/apps/v1beta1 and apis/extensions/v1beta1 of 1.15, SetDefaults_)
enum RemovedWorkloads {
    /// Served by default until 1.15, and by --runtime-config until 1.17.
    static let all: [RemovedVersion] = [
        RemovedVersion(
            "apps/v1beta1", of: .deployment, 8, 16, firstWithout: 18, schema: { deployment($0, history: 2) },
            form: .workload(.deployments)),
        RemovedVersion(
            "apps/v1beta1", of: .statefulSet, 8, 16, firstWithout: 18, schema: { workload($0).defaulting("spec.updateStrategy", onDelete) },
            form: .workload(.statefulSets)),
        RemovedVersion("apps/v1beta1", of: .controllerRevision, 8, 16, firstWithout: 18),
        RemovedVersion("apps/v1beta2", of: .deployment, 9, 16, firstWithout: 18),
        RemovedVersion("apps/v1beta2", of: .statefulSet, 9, 16, firstWithout: 18),
        RemovedVersion("apps/v1beta2", of: .daemonSet, 9, 16, firstWithout: 18),
        RemovedVersion("apps/v1beta2", of: .replicaSet, 9, 16, firstWithout: 18),
        RemovedVersion("apps/v1beta2", of: .controllerRevision, 9, 16, firstWithout: 18),
        RemovedVersion(
            "extensions/v1beta1", of: .deployment, 8, 16, firstWithout: 18,
            schema: {
                deployment($0, history: Int(Int32.max)).defaulting("spec.progressDeadlineSeconds", .int(Int(Int32.max)))
                    .defaulting("spec.strategy", ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 1, "maxSurge": 1]])
            }, form: .workload(.deployments)),
        RemovedVersion(
            "extensions/v1beta1", of: .daemonSet, 8, 16, firstWithout: 18, schema: daemonSet, form: .workload(.daemonSets)),
        RemovedVersion("extensions/v1beta1", of: .replicaSet, 8, 16, firstWithout: 18, schema: workload, form: .workload(.replicaSets)),
    ]

    private static let onDelete: JSON = ["type": "OnDelete"]

    private static func workload(_ schema: Schema) -> Schema { schema.changing("spec.selector") { $0.isRequired = false } }

    private static func deployment(_ schema: Schema, history: Int) -> Schema {
        workload(schema).adding(rollback, at: "spec").defaulting("spec.revisionHistoryLimit", .int(history))
    }

    private static func daemonSet(_ schema: Schema) -> Schema {
        workload(schema).adding(generation, at: "spec").defaulting("spec.updateStrategy", onDelete)
    }

    private static var rollback: Schema.Field {
        var field = Schema.Field("rollbackTo", .object([.init("revision", .int64)]))
        field.number = 8
        return field
    }

    private static var generation: Schema.Field {
        var field = Schema.Field("templateGeneration", .int64)
        field.number = 5
        return field
    }
}

extension StorageForm {
    /// Without a selector the pods' own labels are meant.
    fileprivate static func workload(_ resource: Resource) -> StorageForm {
        converted(
            to: resource,
            store: { object in
                var object = object
                let labels = object["spec"]["template"]["metadata"]["labels"]
                if object["spec"]["selector"].isNull, !labels.isNull { object["spec"]["selector"] = ["matchLabels": labels] }
                for field in ["rollbackTo", "templateGeneration"] where !object["spec"].isNull { object["spec"][field] = .null }
                return object
            }, present: { $0 })
    }
}

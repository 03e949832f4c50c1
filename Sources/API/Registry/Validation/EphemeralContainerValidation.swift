import Model

/// Containers that are added to a pod that runs. (k8s.io/kubernetes/pkg/apis/core/validation, validateEphemeralContainers and
/// ValidatePodEphemeralContainersUpdate)
enum EphemeralContainerValidation {
    private static let forbidden = [
        "ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources", "resizePolicy", "restartPolicy",
    ]

    static func validate(_ spec: JSON) -> [StatusError.Cause] {
        let others = Set((spec["initContainers"].items + spec["containers"].items).compactMap { $0["name"].string })
        let volumes = Set(spec["volumes"].items.compactMap { $0["name"].string })
        var names: Set<String> = []
        return spec["ephemeralContainers"].items.enumerated().flatMap { index, container -> [StatusError.Cause] in
            let path = "spec.ephemeralContainers[\(index)]", name = container["name"].string ?? ""
            var causes: [StatusError.Cause] = []
            if name.isEmpty {
                causes.append(.required("\(path).name"))
            } else {
                causes += Names.each("\(path).name", name, Names.labelComplaints(name))
            }
            if others.contains(name) || !names.insert(name).inserted { causes.append(.duplicate("\(path).name", .string(name))) }
            if container["image"].string?.trimmed ?? "" == "" { causes.append(.required("\(path).image")) }
            for field in forbidden where !isEmpty(container[field]) {
                causes.append(.forbidden("\(path).\(field)", "cannot be set for an Ephemeral Container"))
            }
            if let target = container["targetContainerName"].string, !target.isEmpty, !others.contains(target) {
                causes.append(.notFound("\(path).targetContainerName", .string(target)))
            }
            for (number, mount) in container["volumeMounts"].items.enumerated() {
                for field in ["subPath", "subPathExpr"] where !(mount[field].string ?? "").isEmpty {
                    causes.append(.forbidden("\(path).volumeMounts[\(number)].\(field)", "cannot be set for an Ephemeral Container"))
                }
            }
            if !causes.isEmpty { return causes }
            return ContainerValidation.validate(
                container, path, volumes: volumes, isHostNetwork: spec["hostNetwork"].bool ?? false,
                gracePeriod: PodValidation.gracePeriod(spec))
        }
    }

    private static func isEmpty(_ value: JSON) -> Bool { value.isNull || value.array?.isEmpty == true || value.object?.isEmpty == true }

    /// What has been added stays, as it is.
    static func validateUpdate(_ spec: JSON, old: JSON) -> [StatusError.Cause] {
        let path = "spec.ephemeralContainers"
        let byName = Dictionary(spec["ephemeralContainers"].items.map { ($0["name"], $0) }, uniquingKeysWith: { first, _ in first })
        return old["ephemeralContainers"].items.compactMap { before in
            let name = before["name"].string ?? ""
            guard let now = byName[before["name"]] else {
                return .forbidden(path, "existing ephemeral containers \"\(name)\" may not be removed\n")
            }
            return now == before ? nil : .forbidden(path, "existing ephemeral containers \"\(name)\" may not be changed\n")
        }
    }
}

extension StatusError.Cause {
    static func notFound(_ field: String, _ value: JSON) -> Self {
        Self(reason: "FieldValueNotFound", message: "Not found: \(value.text())", field: field)
    }
}

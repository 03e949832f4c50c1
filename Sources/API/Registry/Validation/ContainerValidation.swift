import Model

/// What one container of a pod must be. (k8s.io/kubernetes/pkg/apis/core/validation, in its words)
struct ContainerValidation {
    private let container: JSON
    private let path: String
    /// The pod's volumes that no container can have as a device.
    private let withoutBlocks: Set<String>
    private var causes: [StatusError.Cause] = []

    static func validate(
        _ container: JSON, _ path: String, volumes: Set<String>, withoutBlocks: Set<String> = [], isHostNetwork: Bool, gracePeriod: Int,
        claims: JSON = .null, hasHandlers: Bool = true
    ) -> [StatusError.Cause] {
        var validation = ContainerValidation(container: container, path: path, withoutBlocks: withoutBlocks)
        validation.checkPorts(isHostNetwork)
        validation.checkEnvironment(volumes)
        validation.checkSources()
        validation.checkMounts(volumes)
        if hasHandlers { validation.causes += HandlerValidation(gracePeriod: gracePeriod).causes(container, path) }
        validation.causes += ResourceValidation.requirements(container["resources"], "\(path).resources")
        validation.causes += Self.claims(container["resources"], claims, "\(path).resources.claims")
        validation.checkResizing()
        validation.checkSecurity()
        return validation.causes
    }

    private init(container: JSON, path: String, withoutBlocks: Set<String>) {
        self.withoutBlocks = withoutBlocks
        self.container = container
        self.path = path
    }

    private mutating func checkPorts(_ isHostNetwork: Bool) {
        var names: Set<String> = []
        for (number, port) in container["ports"].items.enumerated() {
            let here = "\(path).ports[\(number)]"
            let value = port["containerPort"].int ?? 0
            if value == 0 {
                causes.append(.required("\(here).containerPort"))
            } else if !(1...65535).contains(value) {
                causes.append(.invalid("\(here).containerPort", .int(value), "must be between 1 and 65535, inclusive"))
            }
            if let host = port["hostPort"].int, host != 0 {
                if !(1...65535).contains(host) {
                    causes.append(.invalid("\(here).hostPort", .int(host), "must be between 1 and 65535, inclusive"))
                } else if isHostNetwork, host != value {
                    causes.append(.invalid("\(here).hostPort", .int(host), "must match `containerPort` when `hostNetwork` is true"))
                }
            }
            guard let name = port["name"].string, !name.isEmpty else { continue }
            causes += Names.each("\(here).name", name, Names.portNameComplaints(name))
            if !names.insert(name).inserted { causes.append(.duplicate("\(here).name", .string(name))) }
        }
    }

    private static let fieldPaths = [
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
        "status.hostIPs", "status.podIP",
        "status.podIPs",
    ]

    private mutating func checkEnvironment(_ volumes: Set<String>) {
        for (number, item) in container["env"].items.enumerated() {
            let here = "\(path).env[\(number)]", name = item["name"].string ?? ""
            if name.isEmpty {
                causes.append(.required("\(here).name"))
            } else {
                causes += Self.variable(name, "\(here).name")
            }
            let source = item["valueFrom"]
            guard !source.isNull else { continue }
            let isEmpty = source.object?.isEmpty ?? true, hasValue = !(item["value"].string ?? "").isEmpty
            if hasValue, !isEmpty {
                causes.append(.invalid("\(here).valueFrom", "", "may not be specified when `value` is not empty"))
            }
            if isEmpty {
                causes.append(
                    .invalid(
                        "\(here).valueFrom", "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")
                )
            }
            if !hasValue, source.object?.count ?? 0 > 1 {
                causes.append(.invalid("\(here).valueFrom", "", "may not have more than one field specified at a time"))
            }
            if !source["fileKeyRef"].isNull, !volumes.contains(source["fileKeyRef"]["volumeName"].string ?? "") {
                let name = JSON.string(source["fileKeyRef"]["volumeName"].string ?? "")
                causes.append(.notFound("\(here).valueFrom.fileKeyRef.volumeName", name))
            }
            causes += divisor(source["resourceFieldRef"], "\(here).valueFrom.resourceFieldRef")
            for reference in ["configMapKeyRef", "secretKeyRef"] where !source[reference].isNull {
                let key = source[reference]["key"].string ?? "", place = "\(here).valueFrom.\(reference)"
                causes += key.isEmpty ? [.required("\(place).key")] : Names.each("\(place).key", key, Names.configKeyComplaints(key))
                let name = source[reference]["name"].string ?? ""
                causes += Names.each("\(place).name", name, Names.subdomainComplaints(name))
            }
            if let version = source["fieldRef"]["apiVersion"].string, version != "v1", !version.isEmpty {
                let why = "error converting fieldPath: unsupported pod version: \(version)"
                causes.append(.invalid("\(here).valueFrom.fieldRef.fieldPath", source["fieldRef"]["fieldPath"], why))
            } else if let field = source["fieldRef"]["fieldPath"].string, !field.isEmpty, !Self.fieldPaths.contains(field),
                field.wholeMatch(of: /metadata\.(labels|annotations)\['.+'\]/) == nil
            {
                let list = (Self.fieldPaths + ["metadata.annotations['<KEY>']", "metadata.labels['<KEY>']"]).sorted().map { "\"\($0)\"" }
                    .joined(separator: ", ")
                causes.append(.notSupported("\(here).valueFrom.fieldRef.fieldPath", .string(field), list))
            }
        }
    }

    private static func variable(_ name: String, _ path: String) -> [StatusError.Cause] {
        if !name.contains("="), name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return [] }
        let words = "a valid environment variable name must consist only of printable ASCII characters other than '='"
        return [.invalid(path, .string(name), words)]
    }

    /// Whole ConfigMaps and Secrets as an environment.
    private mutating func checkSources() {
        for (number, source) in container["envFrom"].items.enumerated() {
            let here = "\(path).envFrom[\(number)]", prefix = source["prefix"].string ?? ""
            if !prefix.isEmpty { causes += Self.variable(prefix, "\(here).prefix") }
            let given = ["configMapRef", "secretRef"].filter { !source[$0].isNull }
            for reference in given {
                let name = source[reference]["name"].string ?? "", field = "\(here).\(reference).name"
                causes += name.isEmpty ? [.required(field)] : Names.each(field, name, Names.subdomainComplaints(name))
            }
            if given.count == 1 { continue }
            let words =
                given.isEmpty
                ? "must specify one of: `configMapRef` or `secretRef`" : "may not have more than one field specified at a time"
            causes.append(.invalid("\(path).envFrom", "", words))
        }
    }

    /// The units in which a resource can be told.
    private func divisor(_ reference: JSON, _ here: String) -> [StatusError.Cause] {
        guard let text = reference["divisor"].string, let resource = reference["resource"].string else {
            return []
        }
        let allowed: [String]
        switch resource {
        case "limits.cpu", "requests.cpu": allowed = ["1m", "1"]
        case "limits.memory", "requests.memory", "limits.ephemeral-storage", "requests.ephemeral-storage":
            allowed = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"]
        default: return []
        }
        // As it is written: of two ways to say the same, one is known.
        if text == "0" || allowed.contains(text) { return [] }
        let words = allowed.count == 2 ? "1m and 1" : allowed.joined(separator: ", ")
        let what = allowed.count == 2 ? "cpu" : resource.hasSuffix("memory") ? "memory" : "local ephemeral storage"
        return [.invalid("\(here).divisor", .string(resource), "only divisor's values \(words) are supported with the \(what) resource")]
    }

    private mutating func checkMounts(_ volumes: Set<String>) {
        var targets: Set<String> = []
        let devices = Set(container["volumeDevices"].items.compactMap { $0["name"].string })
        for (number, mount) in container["volumeMounts"].items.enumerated() {
            let here = "\(path).volumeMounts[\(number)]", name = mount["name"].string ?? ""
            if name.isEmpty { causes.append(.required("\(here).name")) }
            if !volumes.contains(name) { causes.append(.notFound("\(here).name", .string(name))) }
            if devices.contains(name) {
                causes.append(.invalid("\(here).name", .string(name), "must not already exist in volumeDevices"))
            }
            let target = mount["mountPath"].string ?? ""
            if target.isEmpty { causes.append(.required("\(here).mountPath")) }
            if !targets.insert(target).inserted { causes.append(.invalid("\(here).mountPath", .string(target), "must be unique")) }
            checkSubPaths(mount, here)
            checkPropagation(mount)
        }
        checkDevices(volumes)
    }

    /// A volume that is there as a device is made of what has blocks, and is not mounted.
    private mutating func checkDevices(_ volumes: Set<String>) {
        let mounted = Set(container["volumeMounts"].items.compactMap { $0["name"].string })
        for (number, device) in container["volumeDevices"].items.enumerated() {
            let name = device["name"].string ?? "", here = "\(path).volumeDevices[\(number)].name"
            if mounted.contains(name) { causes.append(.invalid(here, .string(name), "must not already exist in volumeMounts")) }
            if !volumes.contains(name) {
                causes.append(.notFound(here, .string(name)))
            } else if withoutBlocks.contains(name) {
                let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
                causes.append(.invalid(here, .string(name), why))
            }
        }
    }

    private mutating func checkSubPaths(_ mount: JSON, _ here: String) {
        for field in ["subPath", "subPathExpr"] {
            guard let sub = mount[field].string, !sub.isEmpty else { continue }
            if sub.hasPrefix("/") { causes.append(.invalid("\(path).volumeMounts.\(field)", .string(sub), "must be a relative path")) }
            if sub.split(separator: "/").contains("..") {
                causes.append(.invalid("\(path).volumeMounts.\(field)", .string(sub), "must not contain '..'"))
            }
        }
        if !(mount["subPath"].string ?? "").isEmpty, let expression = mount["subPathExpr"].string, !expression.isEmpty {
            causes.append(.invalid("\(here).subPathExpr", .string(expression), "subPathExpr and subPath are mutually exclusive"))
        }
    }

    private mutating func checkPropagation(_ mount: JSON) {
        let propagation = mount["mountPropagation"], recursive = mount["recursiveReadOnly"]
        let known = ["Bidirectional", "HostToContainer", "None"]
        if let text = propagation.string, !known.contains(text) {
            let list = known.map { "\"\($0)\"" }.joined(separator: ", ")
            causes.append(.notSupported("\(path).volumeMounts.mountPropagation", propagation, list))
        }
        if propagation.string == "Bidirectional", container["securityContext"]["privileged"].bool != true {
            causes.append(
                .forbidden(
                    "\(path).volumeMounts.mountPropagation", "Bidirectional mount propagation is available only to privileged containers"))
        }
        guard let text = recursive.string else { return }
        let field = "\(path).volumeMounts.recursiveReadOnly"
        switch text {
        case "Disabled": break
        case "Enabled", "IfPossible":
            if mount["readOnly"].bool != true { causes.append(.forbidden(field, "may only be specified when readOnly is true")) }
        default: causes.append(.notSupported(field, recursive, "\"Disabled\", \"Enabled\", \"IfPossible\""))
        }
    }

    /// Claims that `resources` names, which must be some of the pod's.
    static func claims(_ resources: JSON, _ claims: JSON, _ path: String) -> [StatusError.Cause] {
        let known = claims.items.compactMap { $0["name"].string }
        let which = known.isEmpty ? " which is empty" : ": \(known.joined(separator: ", "))"
        return resources["claims"].items.enumerated().filter { !known.contains($1["name"].string ?? "") }.map { number, claim in
            let name = claim["name"].string ?? ""
            return StatusError.Cause(
                reason: "FieldValueNotFound",
                message: "Not found: \"\(name)\": must be one of the names in pod.spec.resourceClaims\(which)",
                field: "\(path)[\(number)]")
        }
    }

    private mutating func checkResizing() {
        var seen: Set<String> = []
        for (number, rule) in container["resizePolicy"].items.enumerated() {
            let name = rule["resourceName"].string ?? "", field = "\(path).resizePolicy"
            if !seen.insert(name).inserted { causes.append(.duplicate("\(field)[\(number)]", .string(name))) }
            if name.isEmpty {
                causes.append(.required(field))
            } else if !["cpu", "memory"].contains(name) {
                causes.append(.notSupported(field, .string(name), "\"cpu\", \"memory\""))
            }
            let policy = rule["restartPolicy"].string ?? ""
            if policy.isEmpty {
                causes.append(.required(field))
            } else if !["NotRequired", "RestartContainer"].contains(policy) {
                causes.append(.notSupported(field, .string(policy), "\"NotRequired\", \"RestartContainer\""))
            }
        }
    }

    private mutating func checkSecurity() {
        let context = container["securityContext"], here = "\(path).securityContext"
        causes += SecurityValidation.context(context, here, ids: ["runAsUser", "runAsGroup"])
        guard context["allowPrivilegeEscalation"].bool == false else { return }
        if context["privileged"].bool == true {
            causes.append(.invalid(here, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
        }
        if context["capabilities"]["add"].items.contains("CAP_SYS_ADMIN") {
            causes.append(.invalid(here, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
        }
    }
}

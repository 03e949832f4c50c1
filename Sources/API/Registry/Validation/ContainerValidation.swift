import Model

/// What one container of a pod must be. (k8s.io/kubernetes/pkg/apis/core/validation, in its words)
struct ContainerValidation {
    private let container: JSON
    private let path: String
    private var causes: [StatusError.Cause] = []

    static func validate(_ container: JSON, _ path: String, volumes: Set<String>, isHostNetwork: Bool, gracePeriod: Int) -> [StatusError
        .Cause]
    {
        var validation = ContainerValidation(container: container, path: path)
        validation.checkPorts(isHostNetwork)
        validation.checkEnvironment()
        validation.checkMounts(volumes)
        validation.causes += HandlerValidation(gracePeriod: gracePeriod).causes(container, path)
        validation.checkResources()
        validation.checkSecurity()
        return validation.causes
    }

    private init(container: JSON, path: String) {
        self.container = container
        self.path = path
    }

    private mutating func checkPorts(_ isHostNetwork: Bool) {
        var names: Set<String> = []
        for (number, port) in container["ports"].items.enumerated() {
            let here = "\(path).ports[\(number)]"
            let value = port["containerPort"].int ?? 0
            if !(1...65535).contains(value) {
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
            if let complaint = Names.portNameComplaint(name) { causes.append(.invalid("\(here).name", .string(name), complaint)) }
            if !names.insert(name).inserted { causes.append(.duplicate("\(here).name", .string(name))) }
        }
    }

    private static let fieldPaths = [
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
        "status.hostIPs", "status.podIP",
        "status.podIPs",
    ]

    private mutating func checkEnvironment() {
        for (number, item) in container["env"].items.enumerated() {
            let here = "\(path).env[\(number)]", name = item["name"].string ?? ""
            if name.isEmpty {
                causes.append(.required("\(here).name"))
            } else if name.contains("=") || !name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
                causes.append(
                    .invalid(
                        "\(here).name", .string(name),
                        "a valid environment variable name must consist only of printable ASCII characters other than '='"))
            }
            let source = item["valueFrom"]
            guard !source.isNull else { continue }
            if !(item["value"].string ?? "").isEmpty {
                causes.append(.invalid("\(here).valueFrom", "", "may not be specified when `value` is not empty"))
            }
            if source.object?.isEmpty ?? true {
                causes.append(
                    .invalid(
                        "\(here).valueFrom", "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")
                )
            }
            if source.object?.count ?? 0 > 1 {
                causes.append(.invalid("\(here).valueFrom", "", "may not have more than one field specified at a time"))
            }
            if let field = source["fieldRef"]["fieldPath"].string, !Self.fieldPaths.contains(field),
                field.wholeMatch(of: /metadata\.(labels|annotations)\['.+'\]/) == nil
            {
                let list = (Self.fieldPaths + ["metadata.annotations['<KEY>']", "metadata.labels['<KEY>']"]).sorted().map { "\"\($0)\"" }
                    .joined(separator: ", ")
                causes.append(.notSupported("\(here).valueFrom.fieldRef.fieldPath", .string(field), list))
            }
        }
    }

    private mutating func checkMounts(_ volumes: Set<String>) {
        var targets: Set<String> = []
        for (number, mount) in container["volumeMounts"].items.enumerated() {
            let here = "\(path).volumeMounts[\(number)]"
            if !volumes.contains(mount["name"].string ?? "") {
                causes.append(
                    StatusError.Cause(reason: "FieldValueNotFound", message: "Not found: \(mount["name"].text())", field: "\(here).name"))
            }
            let target = mount["mountPath"].string ?? ""
            if target.isEmpty {
                causes.append(.required("\(here).mountPath"))
            } else if !targets.insert(target).inserted {
                causes.append(.invalid("\(here).mountPath", .string(target), "must be unique"))
            }
            for field in ["subPath", "subPathExpr"] {
                guard let sub = mount[field].string, !sub.isEmpty else { continue }
                if sub.hasPrefix("/") { causes.append(.invalid("\(here).\(field)", .string(sub), "must be a relative path")) }
                if sub.split(separator: "/").contains("..") {
                    causes.append(.invalid("\(here).\(field)", .string(sub), "must not contain '..'"))
                }
            }
            if !(mount["subPath"].string ?? "").isEmpty, let expression = mount["subPathExpr"].string, !expression.isEmpty {
                causes.append(.invalid("\(here).subPathExpr", .string(expression), "subPathExpr and subPath are mutually exclusive"))
            }
        }
    }

    private mutating func checkResources() {
        let resources = container["resources"]
        for half in ["limits", "requests"] {
            for (name, text) in resources[half].stringMap.sorted(by: { $0.key < $1.key }) {
                let here = "\(path).resources.\(half)[\(name)]"
                guard let value = Quantity(text) else { continue }
                if value.nano < 0 { causes.append(.invalid(here, .string(text), "must be greater than or equal to 0")) }
                if half == "requests", let limit = resources["limits"][name].string.flatMap({ Quantity($0) }), value > limit {
                    causes.append(
                        .invalid("\(path).resources.requests", .string(text), "must be less than or equal to \(name) limit of \(limit)"))
                }
            }
        }
    }

    private mutating func checkSecurity() {
        let context = container["securityContext"], here = "\(path).securityContext"
        for field in ["runAsUser", "runAsGroup"] {
            if let id = context[field].int, !(0...Int(Int32.max)).contains(id) {
                causes.append(.invalid("\(here).\(field)", .int(id), "must be between 0 and 2147483647, inclusive"))
            }
        }
        guard context["allowPrivilegeEscalation"].bool == false else { return }
        if context["privileged"].bool == true {
            causes.append(.invalid(here, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
        }
        if context["capabilities"]["add"].items.contains(where: { ["SYS_ADMIN", "CAP_SYS_ADMIN"].contains($0.string) }) {
            causes.append(.invalid(here, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
        }
    }
}

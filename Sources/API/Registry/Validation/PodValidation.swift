import Model

/// What a pod's spec must be, wherever it stands: in a Pod or in a template. (k8s.io/kubernetes/pkg/apis/core/validation, in its words)
struct PodValidation {
    private let spec: JSON
    private let path: String
    private let claims: [String]
    private var causes: [StatusError.Cause] = []

    /// `claims` are volumes that somebody else adds to each pod: a StatefulSet's claim templates.
    static func validate(_ spec: JSON, _ path: String, claims: [String] = []) -> [StatusError.Cause] {
        var validation = PodValidation(spec: spec, path: path, claims: claims)
        validation.run()
        return validation.causes
    }

    private init(spec: JSON, path: String, claims: [String]) {
        self.claims = claims
        self.spec = spec
        self.path = path
    }

    private mutating func run() {
        let volumes = checkVolumes().union(claims)
        if spec["containers"].array?.isEmpty == true { causes.append(.required("\(path).containers")) }
        var names: Set<String> = []
        for list in ["initContainers", "containers"] {
            for (index, container) in spec[list].items.enumerated() {
                let here = "\(path).\(list)[\(index)]", name = container["name"].string ?? ""
                if !name.isEmpty, !Names.isLabel(name) { causes.append(.invalid("\(here).name", .string(name), Names.labelMessage)) }
                if !names.insert(name).inserted { causes.append(.duplicate("\(here).name", .string(name))) }
                if container["image"].string?.trimmed ?? "" == "" { causes.append(.required("\(here).image")) }
                checkRestart(container, here, isInit: list == "initContainers")
                causes += ContainerValidation.validate(
                    container, here, volumes: volumes, isHostNetwork: spec["hostNetwork"].bool ?? false,
                    gracePeriod: Self.gracePeriod(spec))
            }
        }
        checkHostPorts()
        checkNumbers()
        checkNames()
        checkSecurity()
        causes += Self.tolerations(spec["tolerations"], "\(path).tolerations")
    }

    /// The names of the volumes.
    private mutating func checkVolumes() -> Set<String> {
        var names: Set<String> = []
        for (index, volume) in spec["volumes"].items.enumerated() {
            let here = "\(path).volumes[\(index)]", name = volume["name"].string ?? ""
            if name.isEmpty {
                causes.append(.required("\(here).name"))
            } else if !Names.isLabel(name) {
                causes.append(.invalid("\(here).name", .string(name), Names.labelMessage))
            }
            if !names.insert(name).inserted { causes.append(.duplicate("\(here).name", .string(name))) }
            let kinds = (volume.object?.keys ?? []).filter { $0 != "name" }
            if kinds.isEmpty { causes.append(.required(here, "must specify a volume type")) }
            if kinds.count > 1 {
                causes.append(.forbidden("\(here).\(kinds.sorted().last ?? "")", "may not specify more than 1 volume type"))
            }
            for kind in ["configMap", "secret"] {
                for (number, item) in volume[kind]["items"].items.enumerated() {
                    checkItem(item["path"], "\(here).\(kind).items[\(number)].path")
                }
            }
            for (number, source) in volume["projected"]["sources"].items.enumerated() {
                checkToken(source["serviceAccountToken"], "\(here).projected.sources[\(number)].serviceAccountToken")
            }
            // A template may leave it to whoever fills it in.
            if path == "spec", !volume["image"].isNull, volume["image"]["reference"].string ?? "" == "" {
                causes.append(.required("\(here).image.reference"))
            }
            if let host = volume["hostPath"]["path"].string, host.split(separator: "/").contains("..") {
                causes.append(.invalid("\(here).hostPath.path", .string(host), "must not contain '..'"))
            }
        }
        return names
    }

    private mutating func checkItem(_ item: JSON, _ here: String) {
        let text = item.string ?? ""
        if text.isEmpty { causes.append(.required(here)) }
        if text.hasPrefix("/") { causes.append(.invalid(here, item, "must be a relative path")) }
        if text.split(separator: "/").contains("..") { causes.append(.invalid(here, item, "must not contain '..'")) }
    }

    /// Seconds, whether they have been filled in or not.
    static func gracePeriod(_ spec: JSON) -> Int { spec["terminationGracePeriodSeconds"].int ?? 30 }

    private mutating func checkToken(_ token: JSON, _ here: String) {
        guard !token.isNull else { return }
        checkItem(token["path"], "\(here).path")
        causes += Self.tokenLifetime(token["expirationSeconds"].int ?? 3600, "\(here).expirationSeconds")
    }

    /// How long a service account's token may live, in seconds, whoever asks for it.
    static func tokenLifetime(_ seconds: Int, _ field: String) -> [StatusError.Cause] {
        if seconds < 600 { return [.invalid(field, .int(seconds), "may not specify a duration less than 10 minutes")] }
        if seconds > 1 << 32 { return [.invalid(field, .int(seconds), "may not specify a duration larger than 2^32 seconds")] }
        return []
    }

    /// Init containers end; only those that go on beside the others have what belongs to a life of its own.
    private mutating func checkRestart(_ container: JSON, _ here: String, isInit: Bool) {
        let policy = container["restartPolicy"]
        if isInit, !policy.isNull, policy.string != "Always" { causes.append(.notSupported("\(here).restartPolicy", policy, "\"Always\"")) }
        if !isInit, !policy.isNull { causes.append(.forbidden("\(here).restartPolicy", "may not be set for non-init containers")) }
        guard isInit, policy.isNull else { return }
        for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] where !container[field].isNull {
            causes.append(.forbidden("\(here).\(field)", "may not be set for init containers without restartPolicy=Always"))
        }
    }

    private mutating func checkHostPorts() {
        var taken: Set<[String]> = []
        for (index, container) in spec["containers"].items.enumerated() {
            for (number, port) in container["ports"].items.enumerated() {
                guard let host = port["hostPort"].int, host > 0 else { continue }
                if !taken.insert(["\(host)", port["protocol"].string ?? "TCP", port["hostIP"].string ?? ""]).inserted {
                    causes.append(.duplicate("\(path).containers[\(index)].ports[\(number)].hostPort", port["hostPort"]))
                }
            }
        }
    }

    private mutating func checkNumbers() {
        if let seconds = spec["terminationGracePeriodSeconds"].int, seconds < 0 {
            causes.append(.invalid("\(path).terminationGracePeriodSeconds", .int(seconds), "must be greater than or equal to 0"))
        }
        if let seconds = spec["activeDeadlineSeconds"].int, !(1...Int(Int32.max)).contains(seconds) {
            causes.append(.invalid("\(path).activeDeadlineSeconds", .int(seconds), "must be between 1 and 2147483647, inclusive"))
        }
    }

    private mutating func checkNames() {
        for field in ["hostname", "subdomain"] {
            if let name = spec[field].string, !name.isEmpty, !Names.isLabel(name) {
                causes.append(.invalid("\(path).\(field)", .string(name), Names.labelMessage))
            }
        }
        if spec["dnsPolicy"].string == "None", spec["dnsConfig"]["nameservers"].items.isEmpty {
            causes.append(.required("\(path).dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"))
        }
        for (index, server) in spec["dnsConfig"]["nameservers"].items.enumerated() where !Self.isAddress(server) {
            causes.append(
                .invalid("\(path).dnsConfig.nameservers[\(index)]", server, IPAddress.notAddress)
            )
        }
        for (index, alias) in spec["hostAliases"].items.enumerated() where !Self.isAddress(alias["ip"]) {
            causes.append(
                .invalid("\(path).hostAliases[\(index)].ip", alias["ip"], IPAddress.notAddress))
        }
    }

    private static func isAddress(_ value: JSON) -> Bool { value.string.map { IPAddress($0) != nil } ?? false }

    private mutating func checkSecurity() {
        let context = spec["securityContext"], here = "\(path).securityContext"
        var names: Set<String> = []
        for (index, sysctl) in context["sysctls"].items.enumerated() {
            let name = sysctl["name"].string ?? "", field = "\(here).sysctls[\(index)].name"
            let pattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[.\/])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
            if name.isEmpty {
                causes.append(.required(field))
            } else if name.utf8.count > 253 || name.wholeMatch(of: pattern) == nil {
                causes.append(
                    .invalid(
                        field, .string(name),
                        "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
                    ))
            }
            if !names.insert(name.replacing("/", with: ".")).inserted { causes.append(.duplicate(field, .string(name))) }
        }
        for field in ["runAsUser", "runAsGroup", "fsGroup"] {
            if let id = context[field].int, !(0...Int(Int32.max)).contains(id) {
                causes.append(.invalid("\(here).\(field)", .int(id), "must be between 0 and 2147483647, inclusive"))
            }
        }
    }

    static func tolerations(_ list: JSON, _ path: String) -> [StatusError.Cause] {
        list.items.enumerated().flatMap { index, toleration -> [StatusError.Cause] in
            let here = "\(path)[\(index)]"
            var causes: [StatusError.Cause] = []
            let key = toleration["key"].string ?? "", effect = toleration["effect"].string ?? ""
            if !key.isEmpty, !Names.isQualifiedName(key) {
                causes.append(.invalid("\(here).key", .string(key), Names.qualifiedNameMessage))
            }
            if key.isEmpty, toleration["operator"].string != "Exists" {
                causes.append(
                    .invalid(
                        "\(here).operator", toleration["operator"],
                        "operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
            }
            if toleration["operator"].string == "Exists", !(toleration["value"].string ?? "").isEmpty {
                causes.append(.invalid("\(here).operator", toleration, "value must be empty when `operator` is 'Exists'"))
            }
            if !toleration["tolerationSeconds"].isNull, effect != "NoExecute" {
                causes.append(.invalid("\(here).effect", .string(effect), "effect must be 'NoExecute' when `tolerationSeconds` is set"))
            }
            return causes
        }
    }
}

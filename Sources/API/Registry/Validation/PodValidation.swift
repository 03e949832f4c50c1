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
        let (found, good) = VolumeValidation.validate(spec["volumes"], "\(path).volumes", isPod: path == "spec")
        causes += found
        let volumes = good.union(claims)
        if spec["containers"].items.isEmpty { causes.append(.required("\(path).containers")) }
        let withoutBlocks = Set(
            spec["volumes"].items.filter { $0["persistentVolumeClaim"].isNull && $0["ephemeral"].isNull }.compactMap { $0["name"].string }
        ).subtracting(claims)
        var names: Set<String> = []
        // Of two that are called the same, the one that goes first in the pod's life has the wrong name.
        for list in ["containers", "initContainers"] {
            for (index, container) in spec[list].items.enumerated() {
                let here = "\(path).\(list)[\(index)]", name = container["name"].string ?? ""
                if name.isEmpty {
                    causes.append(.required("\(here).name"))
                } else {
                    causes += Names.each("\(here).name", name, Names.labelComplaints(name))
                    if !names.insert(name).inserted { causes.append(.duplicate("\(here).name", .string(name))) }
                }
                checkImage(container["image"].string ?? "", "\(here).image")
                checkRestart(container, here, isInit: list == "initContainers")
                causes += ContainerValidation.validate(
                    container, here, volumes: volumes, withoutBlocks: withoutBlocks, isHostNetwork: spec["hostNetwork"].bool ?? false,
                    gracePeriod: Self.gracePeriod(spec), claims: spec["resourceClaims"],
                    hasHandlers: list == "containers" || container["restartPolicy"] == "Always")
            }
        }
        checkHostPorts()
        checkNumbers()
        checkNames()
        checkPlacement()
        causes += SecurityValidation.pod(spec, path) + WindowsValidation.validate(spec, path)
        causes += ResourceValidation.pod(spec, path)
        causes += ContainerValidation.claims(spec["resources"], spec["resourceClaims"], "\(path).resources.claims")
        checkClaims()
    }

    /// What the pod asks of dynamic resource allocation, each under a name of its own.
    private mutating func checkClaims() {
        var names: Set<String> = []
        for (index, claim) in spec["resourceClaims"].items.enumerated() {
            let here = "\(path).resourceClaims[\(index)]", name = claim["name"].string ?? ""
            if !name.isEmpty, !names.insert(name).inserted { causes.append(.duplicate("\(here).name", .string(name))) }
            let given = ["resourceClaimName", "resourceClaimTemplateName"].filter { !claim[$0].isNull }
            guard given.count != 1 else { continue }
            let words = given.isEmpty ? "must specify one of" : "at most one of"
            let why = "\(words)\(given.isEmpty ? ": " : " ")`resourceClaimName`, `resourceClaimTemplateName`"
            causes.append(.invalid(here, claim, given.isEmpty ? why : "\(why) may be specified"))
        }
    }

    private mutating func checkImage(_ image: String, _ here: String) {
        if image.isEmpty { causes.append(.required(here)) }
        // In a template it may stand for one that somebody else fills in.
        if path == "spec", image.trimmed != image {
            causes.append(.invalid(here, .string(image), "must not have leading or trailing whitespace"))
        }
    }

    /// Where it runs.
    private mutating func checkPlacement() {
        causes += AffinityValidation.validate(spec["affinity"], "\(path).affinity")
        causes += AffinityValidation.spread(spec["topologySpreadConstraints"], "\(path).topologySpreadConstraints")
        causes += TolerationValidation.validate(spec["tolerations"], "\(path).tolerations")
        causes += Names.labels(spec["nodeSelector"], "\(path).nodeSelector")
        var gates: Set<String> = []
        for (index, gate) in spec["schedulingGates"].items.enumerated() {
            let name = gate["name"].string ?? "", here = "\(path).schedulingGates[\(index)]"
            causes += Names.each(here, name, Names.qualifiedNameComplaints(name))
            if !gates.insert(name).inserted { causes.append(.duplicate(here, .string(name))) }
        }
        for (index, gate) in spec["readinessGates"].items.enumerated() {
            let name = gate["conditionType"].string ?? ""
            causes += Names.each("\(path).readinessGates[\(index)].conditionType", name, Names.qualifiedNameComplaints(name))
        }
        if let name = spec["runtimeClassName"].string {
            causes += Names.each("\(path).runtimeClassName", name, Names.subdomainComplaints(name))
        }
        guard !spec["os"].isNull else { return }
        let system = spec["os"]["name"].string ?? ""
        if system.isEmpty {
            causes.append(.required("\(path).os.name"))
        } else if !["linux", "windows"].contains(system) {
            causes.append(.notSupported("\(path).os", .string(system), "\"linux\", \"windows\""))
        }
    }

    /// What a new pod may not say yet.
    static func creation(_ spec: JSON) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        if !spec["ephemeralContainers"].items.isEmpty {
            causes.append(.forbidden("spec.ephemeralContainers", "cannot be set on create"))
        }
        if !(spec["nodeName"].string ?? "").isEmpty, !spec["schedulingGates"].items.isEmpty {
            causes.append(.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
        }
        return causes
    }

    /// Annotations that mean something.
    static func annotations(_ pod: JSON) -> [StatusError.Cause] {
        let annotations = pod["metadata"]["annotations"], path = "metadata.annotations"
        var causes: [StatusError.Cause] = []
        let mirror = "kubernetes.io/config.mirror", cost = "controller.kubernetes.io/pod-deletion-cost"
        if !annotations[mirror].isNull, (pod["spec"]["nodeName"].string ?? "").isEmpty {
            let why = "must set spec.nodeName if mirror pod annotation is set"
            causes.append(.invalid("\(path)[\(mirror)]", annotations[mirror], why))
        }
        if let text = annotations[cost].string, Int32(text).map(String.init) != text {
            causes.append(.invalid("\(path)[\(cost)]", .string(text), "must be a 32bit integer"))
        }
        return causes
    }

    /// Seconds, whether they have been filled in or not.
    static func gracePeriod(_ spec: JSON) -> Int { spec["terminationGracePeriodSeconds"].int ?? 30 }

    /// How long a service account's token may live, in seconds, whoever asks for it.
    static func tokenLifetime(_ seconds: Int, _ field: String) -> [StatusError.Cause] {
        if seconds < 600 { return [.invalid(field, .int(seconds), "may not specify a duration less than 10 minutes")] }
        if seconds > 1 << 32 { return [.invalid(field, .int(seconds), "may not specify a duration larger than 2^32 seconds")] }
        return []
    }

    /// Init containers end; only those that go on beside the others have what belongs to a life of its own.
    private mutating func checkRestart(_ container: JSON, _ here: String, isInit: Bool) {
        let policy = container["restartPolicy"], rules = container["restartPolicyRules"].items
        if let text = policy.string, !["Always", "Never", "OnFailure"].contains(text) {
            causes.append(.notSupported("\(here).restartPolicy", policy, "\"Always\", \"Never\", \"OnFailure\""))
        }
        if !rules.isEmpty, policy.isNull {
            causes.append(.required("\(here).restartPolicy", "must specify restartPolicy when restart rules are used"))
        }
        for (index, rule) in rules.enumerated() where !isInit || !policy.isNull {
            let place = "\(here).restartPolicyRules[\(index)]"
            if !["Restart", "RestartAllContainers"].contains(rule["action"].string ?? "") {
                causes.append(
                    .notSupported("\(place).action", .string(rule["action"].string ?? ""), "\"Restart\", \"RestartAllContainers\""))
            }
            if rule["exitCodes"].isNull {
                causes.append(.required("\(place).exitCodes", "must be specified"))
            } else if !["In", "NotIn"].contains(rule["exitCodes"]["operator"].string ?? "") {
                causes.append(
                    .notSupported(
                        "\(place).exitCodes.operator", .string(rule["exitCodes"]["operator"].string ?? ""), "\"In\", \"NotIn\""))
            }
        }
        guard isInit, policy.string != "Always" else { return }
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
        if let seconds = spec["activeDeadlineSeconds"].int, !(1...Int(Int32.max)).contains(seconds) {
            causes.append(.invalid("\(path).activeDeadlineSeconds", .int(seconds), "must be between 1 and 2147483647, inclusive"))
        }
    }

    private mutating func checkNames() {
        for field in ["hostname", "subdomain"] {
            if let name = spec[field].string, !name.isEmpty {
                causes += Names.each("\(path).\(field)", name, Names.labelComplaints(name))
            }
        }
        for (field, name) in [("serviceAccountName", spec["serviceAccountName"]), ("nodeName", spec["nodeName"])] {
            if let text = name.string, !text.isEmpty { causes += Names.each("\(path).\(field)", text, Names.subdomainComplaints(text)) }
        }
        for (index, alias) in spec["hostAliases"].items.enumerated() {
            let here = "\(path).hostAliases[\(index)]"
            if !Self.isAddress(alias["ip"]) {
                causes.append(.invalid("\(here).ip", .string(alias["ip"].string ?? ""), IPAddress.notAddress))
            }
            for (number, host) in alias["hostnames"].items.enumerated() {
                let text = host.string ?? ""
                causes += Names.each("\(here).hostnames[\(number)]", text, Names.subdomainComplaints(text))
            }
        }
        if !spec["hostnameOverride"].isNull, spec["setHostnameAsFQDN"].bool == true {
            causes.append(.forbidden("\(path).hostnameOverride", "may not be specified when setHostnameAsFQDN is true"))
        }
        checkDNS()
    }

    private mutating func checkDNS() {
        let config = spec["dnsConfig"], here = "\(path).dnsConfig", servers = config["nameservers"].items
        if spec["dnsPolicy"].string == "None" {
            if config.isNull {
                causes.append(.required(here, "must provide `dnsConfig` when `dnsPolicy` is None"))
            } else if servers.isEmpty {
                causes.append(.required("\(here).nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"))
            }
        }
        if servers.count > 3 {
            causes.append(.invalid("\(here).nameservers", config["nameservers"], "must not have more than 3 nameservers"))
        }
        for (index, server) in servers.enumerated() where !Self.isAddress(server) {
            causes.append(.invalid("\(here).nameservers[\(index)]", server, IPAddress.notAddress))
        }
        let searches = config["searches"].items
        if searches.count > 32 {
            causes.append(.invalid("\(here).searches", config["searches"], "must not have more than 32 search paths"))
        }
        for (index, domain) in searches.enumerated() {
            // A single dot is the root, and names may be absolute.
            let text = domain.string ?? "", name = text == "." ? "root" : text.hasSuffix(".") ? String(text.dropLast()) : text
            let plain = name.split(separator: ".", omittingEmptySubsequences: false).map { $0.hasPrefix("_") ? $0.dropFirst() : $0 }
                .joined(separator: ".")
            if name.isEmpty || !Names.isSubdomain(plain.replacing("_", with: "-")) {
                causes.append(.invalid("\(here).searches[\(index)]", domain, Self.searchMessage))
            }
        }
        for (index, option) in config["options"].items.enumerated() where (option["name"].string ?? "").isEmpty {
            causes.append(.required("\(here).options[\(index)]", "must not be empty"))
        }
    }

    private static let searchMessage =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"

    private static func isAddress(_ value: JSON) -> Bool { value.string.map { IPAddress($0) != nil } ?? false }
}

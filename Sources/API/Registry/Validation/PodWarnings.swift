import Model

/// What a user should know of a pod's spec that is valid. (k8s.io/kubernetes/pkg/api/pod, GetWarningsForPod and
/// GetWarningsForPodTemplate, in their words)
struct PodWarnings {
    private let spec: JSON
    private let path: String
    private var texts: [String] = []

    /// Of a pod, or of a template whose metadata stands at `metadataPath`.
    static func warnings(_ metadata: JSON, _ metadataPath: String, _ spec: JSON, _ path: String) -> [String] {
        var warnings = PodWarnings(spec: spec, path: path)
        warnings.lookAtPlacement()
        warnings.lookAtAnnotations(metadata["annotations"], "\(metadataPath).annotations")
        warnings.lookAtNames()
        warnings.lookAtContainers()
        return warnings.texts + VolumeWarnings.warnings(spec["volumes"], "\(path).volumes") + UnappliedFields.warnings(spec, path)
    }

    static let ofPod: @Sendable (JSON) -> [String] = { pod in
        let isNamed = pod["metadata"]["resourceVersion"].isNull && pod["spec"]["hostname"].isNull
        return (isNamed ? name(pod, of: "the Pod's hostname") : []) + warnings(pod["metadata"], "metadata", pod["spec"], "spec")
    }

    /// A name that pods and their hosts get.
    static func name(_ object: JSON, of what: String = "Pod names and hostnames") -> [String] {
        let complaints = Names.labelComplaints(object["metadata"]["name"].string ?? "")
        if complaints.isEmpty { return [] }
        return [
            "metadata.name: this is used in \(what), which can result in surprising behavior; a DNS label is recommended: [\(complaints.joined(separator: " "))]"
        ]
    }

    /// Storage comes in whole bytes.
    static func fractions(_ amounts: JSON, _ names: [String], _ path: String) -> [String] {
        names.compactMap { name in
            guard let text = amounts[name].string, let amount = Quantity(text), amount.nano % 1_000_000_000 != 0 else { return nil }
            return "\(path)[\(name)]: fractional byte value \"\(text)\" is invalid, must be an integer"
        }
    }

    private init(spec: JSON, path: String) { (self.spec, self.path) = (spec, path) }

    private static let labels = [
        "beta.kubernetes.io/arch": "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
        "beta.kubernetes.io/os": "deprecated since v1.14; use \"kubernetes.io/os\" instead",
        "failure-domain.beta.kubernetes.io/region": "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
        "failure-domain.beta.kubernetes.io/zone": "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
        "beta.kubernetes.io/instance-type": "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ]
    private static let required = "requiredDuringSchedulingIgnoredDuringExecution"
    private static let preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    private static let nullSelector = "labelSelector: a null labelSelector results in matching no pod"

    private mutating func lookAtPlacement() {
        for key in spec["nodeSelector"].stringMap.keys.sorted() {
            if let why = Self.labels[key] { texts.append("\(path).nodeSelector[\(key)]: \(why)") }
        }
        let node = spec["affinity"]["nodeAffinity"], here = "\(path).affinity.nodeAffinity"
        for (index, term) in node[Self.required]["nodeSelectorTerms"].items.enumerated() {
            lookAtTerm(term, "\(here).\(Self.required).nodeSelectorTerms[\(index)]")
        }
        for (index, term) in node[Self.preferred].items.enumerated() {
            lookAtTerm(term["preference"], "\(here).\(Self.preferred)[\(index)].preference")
        }
        for (index, constraint) in spec["topologySpreadConstraints"].items.enumerated() {
            let place = "\(path).topologySpreadConstraints[\(index)]", key = constraint["topologyKey"].string ?? ""
            if let why = Self.labels[key] { texts.append("\(place).topologyKey: \(key) is \(why)") }
            if constraint["labelSelector"].isNull { texts.append("\(place).\(Self.nullSelector)") }
        }
        for kind in ["podAffinity", "podAntiAffinity"] {
            let affinity = spec["affinity"][kind], place = "\(path).affinity.\(kind)"
            for (index, term) in affinity[Self.required].items.enumerated() where term["labelSelector"].isNull {
                texts.append("\(place).\(Self.required)[\(index)].\(Self.nullSelector)")
            }
            for (index, term) in affinity[Self.preferred].items.enumerated() where term["podAffinityTerm"]["labelSelector"].isNull {
                texts.append("\(place).\(Self.preferred)[\(index)].podAffinityTerm.\(Self.nullSelector)")
            }
        }
    }

    private mutating func lookAtTerm(_ term: JSON, _ here: String) {
        for (index, rule) in term["matchExpressions"].items.enumerated() {
            let key = rule["key"].string ?? ""
            if let why = Self.labels[key] { texts.append("\(here).matchExpressions[\(index)].key: \(key) is \(why)") }
        }
    }

    private mutating func lookAtAnnotations(_ annotations: JSON, _ here: String) {
        let seccomp = "non-functional in v1.27+; use the \"seccompProfile\" field instead"
        for key in annotations.stringMap.keys.sorted() {
            let why: String? =
                switch key {
                case "seccomp.security.alpha.kubernetes.io/pod": spec["securityContext"]["seccompProfile"].isNull ? seccomp : nil
                case "scheduler.alpha.kubernetes.io/critical-pod":
                    "non-functional in v1.16+; use the \"priorityClassName\" field instead"
                case _ where key.hasPrefix("container.seccomp.security.alpha.kubernetes.io/"): seccomp
                case _ where key.hasPrefix("container.apparmor.security.beta.kubernetes.io/"):
                    "deprecated since v1.30; use the \"appArmorProfile\" field instead"
                default: nil
                }
            if let why { texts.append("\(here)[\(key)]: \(why)") }
        }
    }

    private mutating func lookAtNames() {
        if let grace = spec["terminationGracePeriodSeconds"].int, grace < 0 {
            texts.append(
                "\(path).terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1")
        }
        var names: Set<String> = [], addresses: Set<String> = []
        for (index, secret) in spec["imagePullSecrets"].items.enumerated() {
            let name = secret["name"].string ?? "", field = "\(path).imagePullSecrets[\(index)].name"
            if name.isEmpty {
                texts.append("\(field): invalid empty name \"\"")
            } else if !names.insert(name).inserted {
                texts.append("\(field): duplicate name \"\(name)\"")
            }
        }
        for (index, alias) in spec["hostAliases"].items.enumerated() {
            let address = alias["ip"].string ?? ""
            if !addresses.insert(address).inserted {
                texts.append("\(path).hostAliases[\(index)].ip: duplicate ip \"\(address)\"")
            }
        }
    }

    private mutating func lookAtContainers() {
        var ports: [String: String] = [:], portNames: [String: String] = [:]
        for list in ["initContainers", "containers"] {
            for (index, container) in spec[list].items.enumerated() {
                let here = "\(path).\(list)[\(index)]"
                var variables: Set<String> = []
                for (number, variable) in container["env"].items.enumerated() {
                    let name = variable["name"].string ?? ""
                    if variables.insert(name).inserted { continue }
                    texts.append("\(here).env[\(number)]: hides previous definition of \"\(name)\", which may be dropped when using apply")
                }
                for half in ["limits", "requests"] {
                    texts += Self.fractions(
                        container["resources"][half], ["ephemeral-storage", "memory"], "\(here).resources.\(half)")
                }
                for (number, port) in container["ports"].items.enumerated() {
                    lookAtPort(port, "\(here).ports[\(number)]", &ports, &portNames)
                }
            }
        }
    }

    private mutating func lookAtPort(
        _ port: JSON, _ here: String, _ ports: inout [String: String], _ names: inout [String: String]
    ) {
        let name = port["name"].string ?? "", kind = port["protocol"].string ?? "TCP", address = port["hostIP"].string ?? ""
        let number = port["containerPort"].int ?? 0, host = port["hostPort"].int ?? 0
        if !address.isEmpty, host == 0 {
            texts.append(
                "\(here): hostIP set without hostPort: {Name:\(name) HostPort:0 ContainerPort:\(number) Protocol:\(kind) HostIP:\(address)}"
            )
        }
        let definition = "\(number)/\(kind)/\(host)/\(address)"
        if let first = ports[definition] {
            texts.append("\(here): duplicate port definition with \(first)")
        } else {
            ports[definition] = here
        }
        guard !name.isEmpty else { return }
        if let first = names[name] {
            texts.append(
                "\(here): duplicate port name \"\(name)\" with \(first), services and probes that select ports by name will use \(first)")
        } else {
            names[name] = here
        }
    }
}

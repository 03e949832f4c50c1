import Model

/// Names and amounts of resources. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateResourceRequirements and its parts)
enum ResourceValidation {
    private typealias Cause = StatusError.Cause
    private static let ofContainers: Set<String> = ["cpu", "memory", "ephemeral-storage"]
    private static let standard: Set<String> = [
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu",
        "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services", "replicationcontrollers", "secrets",
        "configmaps", "persistentvolumeclaims", "storage", "requests.storage", "services.nodeports", "services.loadbalancers",
    ]
    /// What is counted, not measured.
    private static let counted: Set<String> = [
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
        "services.nodeports", "services.loadbalancers",
    ]

    static func isHugePages(_ name: String) -> Bool { name.hasPrefix("hugepages-") }

    /// A device, or whatever else has a domain that is not Kubernetes' own: all or nothing of it.
    static func isExtended(_ name: String) -> Bool {
        name.contains("/") && !name.hasPrefix("requests.") && !(name.split(separator: "/").first.map(isNative) ?? false)
    }

    private static func isNative(_ domain: Substring) -> Bool { domain == "kubernetes.io" || domain.hasSuffix(".kubernetes.io") }

    /// `inQuota`: what a quota or a LimitRange may count; else what a container may ask for.
    static func nameCauses(_ name: String, _ path: String, inQuota: Bool) -> [StatusError.Cause] {
        let causes = Names.each(path, name, Names.qualifiedNameComplaints(name))
        guard causes.isEmpty || !name.contains("/") else { return causes }
        if name.contains("/") {
            return causes
        } else if isHugePages(name) || isHugePages(String(name.dropFirst("requests.".count))) && name.hasPrefix("requests.") {
            return causes
        } else if inQuota {
            return standard.contains(name)
                ? causes : causes + [.invalid(path, .string(name), "must be a standard resource type or fully qualified")]
        } else if !standard.contains(name) {
            return causes + [.invalid(path, .string(name), "must be a standard resource type or fully qualified")]
                + [.invalid(path, .string(name), "must be a standard resource for containers")]
        }
        return ofContainers.contains(name) ? causes : causes + [.invalid(path, .string(name), "must be a standard resource for containers")]
    }

    /// An amount that is not below nothing, and a whole number of what cannot be shared.
    static func amountCauses(_ name: String, _ value: JSON, _ path: String) -> [StatusError.Cause] {
        guard let text = value.string, let amount = Quantity(text) else { return [] }
        if amount.nano < 0 { return [.invalid(path, value, "must be greater than or equal to 0")] }
        let isWhole = amount.nano % 1_000_000_000 == 0
        if !isWhole, counted.contains(name) || isExtended(name) { return [.invalid(path, value, "must be an integer")] }
        return []
    }

    /// Of a container, or of a whole pod.
    static func requirements(_ resources: JSON, _ path: String, ofPod: Bool = false) -> [StatusError.Cause] {
        guard !resources.isNull else { return [] }
        var causes: [Cause] = []
        let limits = resources["limits"], requests = resources["requests"]
        for half in ["limits", "requests"] {
            for (name, text) in resources[half].stringMap.sorted(by: { $0.key < $1.key }) {
                let here = "\(path).\(half)[\(name)]"
                if ofPod, !["cpu", "memory"].contains(name), !isHugePages(name) {
                    causes.append(.notSupported(here, .string(name), "\"cpu\", \"hugepages-\", \"memory\""))
                } else {
                    causes += nameCauses(name, here, inQuota: false)
                }
                causes += amountCauses(name, .string(text), here)
                if half == "requests" { causes += compare(name, text, limits, path) }
            }
        }
        let names = Set(limits.stringMap.keys).union(requests.stringMap.keys)
        if names.contains(where: isHugePages), !names.contains("cpu"), !names.contains("memory") {
            causes.append(.forbidden(path, "HugePages require cpu or memory"))
        }
        return causes
    }

    private static func compare(_ name: String, _ text: String, _ limits: JSON, _ path: String) -> [Cause] {
        guard let value = Quantity(text) else { return [] }
        let mayExceed = !isExtended(name) && !isHugePages(name)
        guard let written = limits[name].string, let limit = Quantity(written) else {
            return mayExceed ? [] : [.required("\(path).limits", "Limit must be set for non overcommitable resources")]
        }
        if !mayExceed, value != limit {
            return [.invalid("\(path).requests", .string(text), "must be equal to \(name) limit of \(written)")]
        }
        if value > limit {
            return [.invalid("\(path).requests", .string(text), "must be less than or equal to \(name) limit of \(written)")]
        }
        return []
    }
}

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
        var causes = Names.each(path, name, Names.qualifiedNameComplaints(name))
        let isPages = isHugePages(name) || name.hasPrefix("requests.") && isHugePages(String(name.dropFirst("requests.".count)))
        if name.contains("/") || isPages { return causes }
        if causes.isEmpty, !standard.contains(name) {
            causes.append(.invalid(path, .string(name), "must be a standard resource type or fully qualified"))
        }
        if !inQuota, !ofContainers.contains(name) {
            causes.append(.invalid(path, .string(name), "must be a standard resource for containers"))
        }
        return causes
    }

    /// An amount that is not below nothing, and a whole number of what cannot be shared.
    static func amountCauses(_ name: String, _ value: JSON, _ path: String) -> [StatusError.Cause] {
        guard let text = value.string, let amount = Quantity(text) else { return [] }
        if amount.nano < 0 { return [.invalid(path, value, "must be greater than or equal to 0")] }
        // Upstream counts in thousandths, and no further than 64 bits go.
        let isWhole = amount.nano % 1_000_000_000 == 0 && amount.nano / 1_000_000 <= Int128(Int64.max)
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
                let here = "\(path).\(half)[\(name)]", names = nameCauses(name, here, inQuota: ofPod)
                if ofPod, names.isEmpty, !["cpu", "memory"].contains(name), !isHugePages(name) {
                    causes.append(.notSupported(here, .string(name), "\"cpu\", \"hugepages-\", \"memory\""))
                } else {
                    causes += names
                }
                causes += amountCauses(name, .string(text), here) + pageCauses(name, text, here)
                if half == "requests" { causes += compare(name, text, limits, path) }
            }
        }
        let names = Set(limits.stringMap.keys).union(requests.stringMap.keys)
        if !ofPod, names.contains(where: isHugePages), !names.contains("cpu"), !names.contains("memory") {
            causes.append(.forbidden(path, "HugePages require cpu or memory"))
        }
        return causes
    }

    /// Huge pages are taken whole.
    private static func pageCauses(_ name: String, _ text: String, _ path: String) -> [Cause] {
        guard isHugePages(name), let amount = Quantity(text), amount.nano >= 0 else { return [] }
        let size = Quantity(String(name.dropFirst("hugepages-".count)))
        if let size, size.nano > 0, amount.nano % size.nano == 0 { return [] }
        return [.invalid(path, .string(text), "\(text) is not positive integer multiple of \(name)")]
    }

    /// Of the pod as a whole: as much as its containers together ask for, and no container more than all of it. (KEP-2837)
    static func pod(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        let resources = spec["resources"], here = "\(path).resources"
        guard !resources.isNull else { return [] }
        var causes = requirements(resources, here, ofPod: true)
        let all = aggregate(of: spec)
        for (name, text) in resources["requests"].stringMap.sorted(by: { $0.key < $1.key }) {
            guard let whole = Quantity(text), let sum = all[name], whole < sum else { continue }
            let why = "must be greater than or equal to aggregate container requests of \(sum)"
            causes.append(.invalid("\(here).requests[\(name)]", .string(text), why))
        }
        for list in ["initContainers", "containers"] {
            for (index, container) in spec[list].items.enumerated() {
                for (name, text) in container["resources"]["limits"].stringMap.sorted(by: { $0.key < $1.key }) {
                    guard let limit = Quantity(text), let written = resources["limits"][name].string, let most = Quantity(written),
                        limit > most
                    else { continue }
                    let field = "\(here).\(list)[\(index)][\(name)].limits"
                    causes.append(.invalid(field, .string(text), "must be less than or equal to pod limits of \(written)"))
                }
            }
        }
        guard !resources["claims"].items.isEmpty else { return causes }
        causes.append(.forbidden("\(here).claims", "claims may not be set for Resources at pod-level"))
        return causes
    }

    /// What a pod's containers ask for together: those that run beside each other, or the largest of those that run before them.
    static func aggregate(of spec: JSON) -> [String: Quantity] {
        var sum: [String: Quantity] = [:], most: [String: Quantity] = [:], beside: [String: Quantity] = [:]
        func amounts(_ container: JSON) -> [(String, Quantity)] {
            container["resources"]["requests"].stringMap.compactMap { name, text in Quantity(text).map { (name, $0) } }
        }
        for container in spec["containers"].items {
            for (name, amount) in amounts(container) { sum[name] = (sum[name] ?? Quantity(0)) + amount }
        }
        for container in spec["initContainers"].items {
            for (name, amount) in amounts(container) {
                let total = (beside[name] ?? Quantity(0)) + amount
                most[name] = max(most[name] ?? total, total)
                if container["restartPolicy"] == "Always" { beside[name] = total }
            }
        }
        for (name, amount) in beside { sum[name] = (sum[name] ?? Quantity(0)) + amount }
        return sum.merging(most) { max($0, $1) }
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

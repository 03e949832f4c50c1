import Model

/// ResourceQuotas and LimitRanges. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateResourceQuota and ValidateLimitRange)
enum QuotaValidation {
    private typealias Cause = StatusError.Cause
    private static let scopes: Set<String> = [
        "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    ]
    /// Those that speak of a pod's presence alone.
    private static let plain = scopes.subtracting(["PriorityClass", "VolumeAttributesClass"])
    private static let compute: Set<String> = [
        "pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
    ]
    private static let storage: Set<String> = ["ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage"]

    private static let counted: Set<String> = [
        "resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps", "services.nodeports",
        "services.loadbalancers", "requests.storage",
    ]

    // MARK: ResourceQuota

    static let quota: KindDefinition.Validation = { object, old, _ in
        let spec = object["spec"]
        var causes = hard(spec["hard"], "spec.hard") + named(spec) + selected(spec)
        if let old {
            let then = Set(old["spec"]["scopes"].items), now = Set(spec["scopes"].items)
            if then != now { causes.append(.invalid("spec.scopes", spec["scopes"], "field is immutable")) }
        }
        return causes
    }

    static func hard(_ hard: JSON, _ path: String) -> [StatusError.Cause] {
        hard.stringMap.sorted { $0.key < $1.key }.flatMap { name, text in
            let isKnown = name.contains("/") || isStandard(name)
            return ResourceValidation.nameCauses(name, "\(path)[\(name)]", inQuota: true)
                + (isKnown ? [] : [.invalid("\(path)[\(name)]", .string(name), "must be a standard resource for quota")])
                + ResourceValidation.amountCauses(name, .string(text), "\(path)[\(name)]")
        }
    }

    /// Whether a scope says something of a resource.
    private static func applies(_ scope: String, to name: String) -> Bool {
        switch scope {
        case "Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity":
            compute.contains(name) || name == "pods" || name.hasPrefix("requests.") && name.contains("/")
        case "BestEffort": name == "pods"
        case "VolumeAttributesClass": name == "persistentvolumeclaims" || name == "requests.storage"
        default: true
        }
    }

    /// Counts of any kind of object, and others' resources, are never at odds with a scope.
    private static func isStandard(_ name: String) -> Bool {
        compute.contains(name) || storage.contains(name) || counted.contains(name) || name.hasPrefix("hugepages-")
            || name.hasPrefix("requests.hugepages-")
    }

    private static func named(_ spec: JSON) -> [Cause] {
        guard !spec["scopes"].items.isEmpty else { return [] }
        let names = spec["scopes"].items.map { $0.string ?? "" }, path = "spec.scopes", resources = spec["hard"].stringMap.keys
        var causes: [Cause] = []
        for name in names {
            if !scopes.contains(name) { causes.append(.invalid(path, spec["scopes"], "unsupported scope")) }
            for resource in resources where isStandard(resource) && !applies(name, to: resource) {
                causes.append(.invalid(path, spec["scopes"], "unsupported scope applied to resource"))
            }
        }
        for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] where pair.allSatisfy(names.contains) {
            causes.append(.invalid(path, spec["scopes"], "conflicting scopes"))
        }
        return causes
    }

    private static func selected(_ spec: JSON) -> [Cause] {
        let path = "spec.scopeSelector.matchExpressions", resources = spec["hard"].stringMap.keys
        var causes: [Cause] = [], seen: Set<String> = []
        for rule in spec["scopeSelector"]["matchExpressions"].items {
            let scope = rule["scopeName"].string ?? "", name = rule["operator"].string ?? "", values = rule["values"].items
            if !scopes.contains(scope) { causes.append(.invalid("\(path).scopeName", .string(scope), "unsupported scope")) }
            for resource in resources where isStandard(resource) && !applies(scope, to: resource) {
                causes.append(.invalid(path, spec["scopeSelector"], "unsupported scope applied to resource"))
            }
            if plain.contains(scope), name != "Exists" {
                causes.append(
                    .invalid(
                        "\(path).operator", .string(name),
                        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
                    ))
            }
            switch name {
            case "In", "NotIn":
                if values.isEmpty {
                    causes.append(
                        .required(
                            "\(path).values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
                }
            case "Exists", "DoesNotExist":
                if !values.isEmpty {
                    causes.append(
                        .invalid(
                            "\(path).values", rule["values"],
                            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
                }
            default: causes.append(.invalid("\(path).operator", .string(name), "not a valid selector operator"))
            }
            seen.insert(scope)
        }
        for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] where pair.allSatisfy(seen.contains) {
            causes.append(.invalid("spec.scopeSelector.matchExpressions", spec["scopeSelector"], "conflicting scopes"))
        }
        return causes
    }

    // MARK: LimitRange

    static let limitRange: KindDefinition.Validation = { object, _, _ in
        var types: Set<String> = []
        return object["spec"]["limits"].items.enumerated().flatMap { index, limit -> [Cause] in
            let path = "spec.limits[\(index)]", type = limit["type"].string ?? ""
            var causes = Names.each("\(path).type", type, Names.qualifiedNameComplaints(type))
            if causes.isEmpty, !type.contains("/"), !["Pod", "Container", "PersistentVolumeClaim"].contains(type) {
                causes.append(.invalid("\(path).type", .string(type), "must be a standard limit type or fully qualified"))
            }
            if !types.insert(type).inserted { causes.append(.duplicate("\(path).type", .string(type))) }
            return causes + QuotaValidation.limit(limit, type, path)
        }
    }

    private static func limit(_ limit: JSON, _ type: String, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        let halves = type == "Pod" ? ["max", "min"] : ["max", "min", "default", "defaultRequest"]
        if type == "Pod" {
            for half in ["default", "defaultRequest"] where !limit[half].isNull {
                causes.append(.forbidden("\(path).\(half)", "may not be specified when `type` is 'Pod'"))
            }
        }
        var names: Set<String> = []
        for half in halves + ["maxLimitRequestRatio"] {
            for name in limit[half].stringMap.keys.sorted() {
                names.insert(name)
                let isContainers = ["Pod", "Container"].contains(type)
                causes += ResourceValidation.nameCauses(name, "\(path).\(half)[\(name)]", inQuota: !isContainers)
            }
        }
        if type == "PersistentVolumeClaim", limit["min"]["storage"].isNull, limit["max"]["storage"].isNull {
            causes.append(
                .required("\(path).limits", "either minimum or maximum storage value is required, but neither was provided"))
        }
        for name in names.sorted() { causes += order(limit, name, path, halves) }
        return causes
    }

    /// The smallest is not above the default request, which is not above the default, which is not above the largest.
    private static func order(_ limit: JSON, _ name: String, _ path: String, _ halves: [String]) -> [Cause] {
        var causes: [Cause] = []
        func amount(_ half: String) -> (text: String, value: Quantity)? {
            guard halves.contains(half) || half == "maxLimitRequestRatio", let text = limit[half][name].string else { return nil }
            return Quantity(text).map { (text, $0) }
        }
        func compare(_ low: String, _ lowWords: String, _ high: String, _ highWords: String, at half: String) {
            guard let lower = amount(low), let higher = amount(high), lower.value > higher.value else { return }
            let value = half == low ? lower.text : higher.text
            causes.append(
                .invalid(
                    "\(path).\(half)[\(name)]", .string(value),
                    "\(lowWords) value \(lower.text) is greater than \(highWords) value \(higher.text)"))
        }
        compare("min", "min", "max", "max", at: "min")
        compare("min", "min", "defaultRequest", "default request", at: "defaultRequest")
        compare("defaultRequest", "default request", "max", "max", at: "defaultRequest")
        compare("defaultRequest", "default request", "default", "default limit", at: "defaultRequest")
        compare("min", "min", "default", "default", at: "default")
        compare("default", "default", "max", "max", at: "default")
        let field = "\(path).maxLimitRequestRatio[\(name)]"
        guard let ratio = amount("maxLimitRequestRatio") else { return causes }
        if ratio.value.nano < 1_000_000_000 {
            causes.append(.invalid(field, .string(ratio.text), "ratio \(ratio.text) is less than 1"))
        }
        if let low = amount("min"), let high = amount("max"), low.value.nano > 0 {
            let most = Double(high.value.nano) / Double(low.value.nano)
            if Double(ratio.value.nano) / 1e9 > most {
                causes.append(.invalid(field, .string(ratio.text), "ratio \(ratio.text) is greater than max/min = \(fixed(most))"))
            }
        }
        return causes
    }

    /// With six digits behind the point.
    static func fixed(_ number: Double) -> String {
        let millionths = Int128(min(number * 1e6, 1e30).rounded()), digits = String(millionths % 1_000_000)
        return "\(millionths / 1_000_000).\(String(repeating: "0", count: 6 - digits.count))\(digits)"
    }
}

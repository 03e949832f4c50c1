/// What objects take of a ResourceQuota.
package enum ResourceUsage {
    /// By the quota's names: `pods`, `requests.cpu`, `count/deployments.apps`, `services.nodeports`.
    package static func of(_ object: JSON, _ resource: Resource) -> [String: Quantity] {
        var usage = ["count/\(resource)": Quantity(1)]
        if resource.group.isEmpty { usage[resource.plural] = Quantity(1) }
        let spec = object["spec"]
        switch resource {
        case .pods:
            guard !["Succeeded", "Failed"].contains(object["status"]["phase"].string) else { return ["count/pods": Quantity(1)] }
            for half in ["requests", "limits"] {
                let totals = PodResources.total(spec, half)
                for resource in Set(totals.keys).union(["cpu", "memory", "ephemeral-storage"]) {
                    let total = totals[resource] ?? Quantity(0)
                    usage["\(half).\(resource)"] = total
                    if half == "requests" { usage[resource] = total }
                }
            }
        case .services:
            let type = spec["type"].string
            let ports = spec["ports"].items.count
            let hasNodePorts = type == "NodePort" || (type == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"].bool != false)
            if hasNodePorts { usage["services.nodeports"] = Quantity(ports) }
            if type == "LoadBalancer" { usage["services.loadbalancers"] = Quantity(1) }
        case .persistentVolumeClaims:
            let size = spec["resources"]["requests"]["storage"].string.flatMap { Quantity($0) } ?? Quantity(0)
            usage["requests.storage"] = size
            if let name = spec["storageClassName"].string, !name.isEmpty {
                usage["\(name).storageclass.storage.k8s.io/requests.storage"] = size
                usage["\(name).storageclass.storage.k8s.io/persistentvolumeclaims"] = Quantity(1)
            }
        default: break
        }
        return usage
    }

    /// Whether a quota's scopes take in an object: scopes speak of pods alone.
    package static func matches(_ quota: JSON, _ object: JSON, _ resource: Resource) -> Bool {
        let scopes =
            quota["spec"]["scopes"].items.map { ["scopeName": $0, "operator": "Exists"] }
            + quota["spec"]["scopeSelector"]["matchExpressions"].items
        guard !scopes.isEmpty else { return true }
        guard resource == .pods else { return false }
        let hasDeadline = !object["spec"]["activeDeadlineSeconds"].isNull
        let isBestEffort = !object["spec"]["containers"].items.contains {
            !($0["resources"]["limits"].object?.isEmpty ?? true) || !($0["resources"]["requests"].object?.isEmpty ?? true)
        }
        return scopes.allSatisfy { scope in
            switch scope["scopeName"].string {
            case "Terminating": hasDeadline
            case "NotTerminating": !hasDeadline
            case "BestEffort": isBestEffort
            case "NotBestEffort": !isBestEffort
            case "PriorityClass": selects(scope, object["spec"]["priorityClassName"].string ?? "")
            case "CrossNamespacePodAffinity": hasForeignAffinity(object["spec"]["affinity"])
            default: true
            }
        }
    }

    /// Whether a scope takes in a pod of a class; no class is the empty one.
    private static func selects(_ scope: JSON, _ priorityClass: String) -> Bool {
        let values = scope["values"].items.compactMap(\.string)
        return switch scope["operator"].string {
        case "In": values.contains(priorityClass)
        case "NotIn": !values.contains(priorityClass)
        case "DoesNotExist": priorityClass.isEmpty
        default: !priorityClass.isEmpty
        }
    }

    /// Whether a pod's affinity looks at pods of other namespaces.
    private static func hasForeignAffinity(_ affinity: JSON) -> Bool {
        ["podAffinity", "podAntiAffinity"].contains { kind in
            let required = affinity[kind]["requiredDuringSchedulingIgnoredDuringExecution"].items
            let preferred = affinity[kind]["preferredDuringSchedulingIgnoredDuringExecution"].items.map { $0["podAffinityTerm"] }
            return (required + preferred).contains { !$0["namespaces"].items.isEmpty || !$0["namespaceSelector"].isNull }
        }
    }

    /// The resources whose objects a quota's names count.
    package static func counted(_ hard: [String: String], among known: [Resource]) -> [Resource] {
        known.filter { resource in
            hard.keys.contains { name in
                name == "count/\(resource)"
                    || (resource.group.isEmpty && (name == resource.plural || name.hasPrefix("\(resource.plural).")))
                    || (resource == .persistentVolumeClaims
                        && (name.hasSuffix("requests.storage") || name.hasSuffix(".storageclass.storage.k8s.io/persistentvolumeclaims")))
                    || (resource == .pods && !name.contains("/")
                        && (name.hasPrefix("requests.") || name.hasPrefix("limits.")
                            || ["cpu", "memory", "ephemeral-storage"].contains(name)))
            }
        }
    }

    /// What a namespace's objects take of a quota; `list` gives those of a kind.
    package static func used(by quota: JSON, among known: [Resource], list: (Resource) async throws -> [JSON]) async rethrows -> [String:
        Quantity]
    {
        let hard = quota["spec"]["hard"].stringMap
        var total: [String: Quantity] = [:]
        for resource in counted(hard, among: known) {
            for object in try await list(resource) where matches(quota, object, resource) {
                for (name, value) in of(object, resource) where hard[name] != nil { total[name] = (total[name] ?? Quantity(0)) + value }
            }
        }
        return total
    }
}

import Model

/// What Services may say of their ways in from outside, and of what else is theirs alone.
/// (k8s.io/kubernetes/pkg/apis/core/validation, ValidateService and ValidateServiceUpdate)
enum ServiceExternalRules {
    private typealias Cause = StatusError.Cause
    private static let onlyForBalancers = "may only be used when `type` is 'LoadBalancer'"

    static func causes(_ object: JSON, old: JSON?) -> [StatusError.Cause] {
        externalName(object["spec"]) + affinity(object["spec"]) + duplicates(object["spec"]["ports"].items)
            + externalIPs(object["spec"]["externalIPs"].items) + sourceRanges(object) + balancer(object["spec"], old: old)
            + trafficPolicy(object, old: old) + distribution(object["spec"]["trafficDistribution"])
    }

    private static func externalName(_ spec: JSON) -> [Cause] {
        guard spec["type"].string == "ExternalName" else { return [] }
        // A trailing dot says that the name is whole.
        let text = spec["externalName"].string ?? "", name = text.hasSuffix(".") ? String(text.dropLast()) : text
        if name.isEmpty { return [.required("spec.externalName")] }
        return Names.each("spec.externalName", text, Names.subdomainComplaints(name))
    }

    private static func affinity(_ spec: JSON) -> [Cause] {
        let path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
            seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
        guard spec["sessionAffinity"].string == "ClientIP", let number = seconds.int, !(1...86400).contains(number) else { return [] }
        return [.invalid(path, seconds, "must be greater than 0 and less than 86400")]
    }

    private static func duplicates(_ ports: [JSON]) -> [Cause] {
        var seen: Set<JSON> = []
        return ports.enumerated().compactMap { index, port in
            if seen.insert([port["protocol"], port["port"]]).inserted { return nil }
            let key: JSON = ["Name": "", "Protocol": port["protocol"], "Port": port["port"], "TargetPort": 0, "NodePort": 0]
            return .duplicate("spec.ports[\(index)]", key)
        }
    }

    private static func externalIPs(_ addresses: [JSON]) -> [Cause] {
        addresses.enumerated().flatMap { index, address -> [Cause] in
            let text = address.string ?? "", path = "spec.externalIPs[\(index)]"
            guard let parsed = IPAddress(text) else { return [.invalid(path, address, IPAddress.complaint(text))] }
            return EndpointValidation.special(parsed, path, text)
        }
    }

    /// The field's path is written with a capital letter, as upstream; its values may have spaces around them, as in the annotation that
    /// was before it.
    private static func sourceRanges(_ object: JSON) -> [Cause] {
        let isBalancer = object["spec"]["type"].string == "LoadBalancer", ranges = object["spec"]["loadBalancerSourceRanges"].items
        let key = "service.beta.kubernetes.io/load-balancer-source-ranges"
        if !ranges.isEmpty {
            let path = "spec.LoadBalancerSourceRanges"
            return (isBalancer ? [] : [.forbidden(path, onlyForBalancers)])
                + ranges.enumerated().flatMap { network($1.string ?? "", "\(path)[\($0)]") }
        }
        guard let text = object["metadata"]["annotations"][key].string else { return [] }
        let path = "metadata.annotations[\(key)]"
        return (isBalancer ? [] : [.forbidden(path, onlyForBalancers)])
            + (text.trimmed.isEmpty
                ? [] : text.split(separator: ",", omittingEmptySubsequences: false).flatMap { network(String($0), path) })
    }

    private static func network(_ text: String, _ path: String) -> [Cause] {
        do {
            _ = try IPNetwork.validated(text.trimmed)
            return []
        } catch { return [.invalid(path, .string(text.trimmed), error.message)] }
    }

    private static func balancer(_ spec: JSON, old: JSON?) -> [Cause] {
        let isBalancer = spec["type"].string == "LoadBalancer", name = spec["loadBalancerClass"]
        var causes: [Cause] = []
        if !isBalancer, !spec["allocateLoadBalancerNodePorts"].isNull {
            causes.append(.forbidden("spec.allocateLoadBalancerNodePorts", onlyForBalancers))
        }
        let path = "spec.loadBalancerClass"
        if isBalancer, let old, old["spec"]["type"].string == "LoadBalancer", old["spec"]["loadBalancerClass"] != name {
            causes.append(.invalid(path, name, "may not change once set"))
        }
        guard let text = name.string else { return causes }
        if !isBalancer {
            // Of an update both of upstream's functions say so.
            return causes + Array(repeating: .forbidden(path, onlyForBalancers), count: old == nil ? 1 : 2)
        }
        return causes + Names.each(path, text, Names.qualifiedNameComplaints(text))
    }

    private static func trafficPolicy(_ object: JSON, old: JSON?) -> [Cause] {
        let service = Service(object), spec = object["spec"]
        var causes: [Cause] = []
        if !service.isExternallyAccessible, let policy = spec["externalTrafficPolicy"].string, !policy.isEmpty {
            causes.append(
                .invalid("spec.externalTrafficPolicy", .string(policy), "may only be set for externally-accessible services"))
        }
        let path = "spec.healthCheckNodePort", port = service.healthCheckNodePort
        guard service.needsHealthCheck else {
            guard let port else { return causes }
            let words = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            return causes + [.invalid(path, .int(port), words)]
        }
        if let old, Service(old).needsHealthCheck, Service(old).healthCheckNodePort != port {
            causes.append(.forbidden(path, "field is immutable"))
        }
        if let port, !(1...65535).contains(port) { causes.append(.invalid(path, .int(port), "must be between 1 and 65535, inclusive")) }
        return causes
    }

    private static func distribution(_ value: JSON) -> [Cause] {
        let known = ["PreferClose", "PreferSameNode", "PreferSameZone"]
        guard !value.isNull, !known.contains(value.string ?? "") else { return [] }
        return [.notSupported("spec.trafficDistribution", value, known.map { "\"\($0)\"" }.joined(separator: ", "))]
    }

    /// What its writer should know. (k8s.io/kubernetes/pkg/api/service/warnings.go)
    static func warnings(_ object: JSON) -> [String] {
        let spec = object["spec"], isExternalName = spec["type"].string == "ExternalName"
        let isHeadless = spec["type"].string == "ClusterIP" && spec["clusterIP"].string == "None",
            hasIPs = !spec["externalIPs"].items.isEmpty
        var warnings: [String] = []
        if isHeadless {
            if !(spec["loadBalancerIP"].string ?? "").isEmpty { warnings.append("spec.loadBalancerIP is ignored for headless services") }
            if hasIPs { warnings.append("spec.externalIPs is ignored for headless services") }
            if spec["sessionAffinity"].string == "ClientIP" { warnings.append("spec.SessionAffinity is ignored for headless services") }
        }
        if hasIPs, !isHeadless, !isExternalName {
            warnings.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
        }
        if isExternalName, hasIPs { warnings.append("spec.externalIPs is ignored when spec.type is \"ExternalName\"") }
        if !isExternalName, !(spec["externalName"].string ?? "").isEmpty {
            warnings.append("spec.externalName is ignored when spec.type is not \"ExternalName\"")
        }
        if spec["trafficDistribution"].string == "PreferClose" {
            warnings.append("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"")
        }
        return warnings
    }
}

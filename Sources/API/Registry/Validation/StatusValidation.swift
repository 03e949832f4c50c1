import Model

/// What the parts of a cluster may say of an object. (k8s.io/kubernetes/pkg/apis/*/validation, the functions named Validate...StatusUpdate)
enum StatusValidation {
    typealias Validation = KindDefinition.Validation

    /// The counts of a status: none is negative, those of `parts` are at most `whole`, and `available` at most `ready`.
    static func counts(_ fields: [String], parts: [String] = [], of whole: String = "replicas", ready: String? = nil, collides: Bool = true)
        -> Validation
    {
        { object, old, _ in
            let status = object["status"], all = status[whole].int ?? 0
            var causes = (fields + ["observedGeneration"]).flatMap { notNegative(status[$0], "status.\($0)") }
            for part in parts {
                guard let count = status[part].int, count > all else { continue }
                causes.append(.invalid("status.\(part)", .int(count), "cannot be greater than status.\(whole)"))
            }
            if let ready, let available = status["availableReplicas"].int, available > status["readyReplicas"].int ?? 0 {
                causes.append(.invalid("status.availableReplicas", .int(available), "cannot be greater than \(ready)"))
            }
            if collides, let before = old?["status"]["collisionCount"].int, before > status["collisionCount"].int ?? -1 {
                causes.append(.invalid("status.collisionCount", .int(status["collisionCount"].int ?? 0), "cannot be decremented"))
            }
            return causes
        }
    }

    static func notNegative(_ value: JSON, _ path: String) -> [StatusError.Cause] {
        guard let number = value.int, number < 0 else { return [] }
        return [.invalid(path, value, "must be greater than or equal to 0")]
    }

    static let namespace: Validation = { object, _, _ in
        let phase = object["status"]["phase"], isLeaving = !object["metadata"]["deletionTimestamp"].isNull
        if phase.string == (isLeaving ? "Terminating" : "Active") { return [] }
        return [
            .invalid(
                "status.Phase", phase.isNull ? "" : phase,
                isLeaving
                    ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
                    : "may only be 'Active' if `deletionTimestamp` is empty")
        ]
    }

    static let node: Validation = { object, _, _ in
        var causes: [StatusError.Cause] = []
        for list in ["capacity", "allocatable"] { causes += amounts(object["status"][list]) { "status.\(list).\($0)" } }
        var seen: Set<JSON> = []
        for (index, address) in object["status"]["addresses"].items.enumerated()
        where !seen.insert([address["type"], address["address"]]).inserted {
            causes.append(.duplicate("status.addresses[\(index)]", ["Type": address["type"], "Address": address["address"]]))
        }
        return causes
    }

    static let resourceQuota: Validation = { object, _, _ in
        ["hard", "used"].flatMap { QuotaValidation.hard(object["status"][$0], "status.\($0)") }
    }

    private static func amounts(_ amounts: JSON, _ path: (String) -> String) -> [StatusError.Cause] {
        amounts.stringMap.sorted { $0.key < $1.key }.compactMap { name, text in
            guard let quantity = Quantity(text), quantity < Quantity(0) else { return nil }
            return .invalid(path(name), .string(text), "must be greater than or equal to 0")
        }
    }

    /// Where a load balancer, be it a Service's or an Ingress', takes its connections.
    static func loadBalancer(_ status: JSON, hasMode: Bool) -> [StatusError.Cause] {
        status["ingress"].items.enumerated().flatMap { index, ingress -> [StatusError.Cause] in
            let path = "status.loadBalancer.ingress[\(index)]", ip = ingress["ip"].string ?? "", host = ingress["hostname"].string ?? ""
            var causes: [StatusError.Cause] = []
            if !ip.isEmpty, !isAddress(ip) { causes.append(.invalid("\(path).ip", .string(ip), IPAddress.notAddress)) }
            let mode = ingress["ipMode"]
            if hasMode, !mode.isNull {
                if ip.isEmpty { causes.append(.forbidden("\(path).ipMode", "may not be specified when `ip` is not set")) }
                if !["Proxy", "VIP"].contains(mode.string) { causes.append(.notSupported("\(path).ipMode", mode, "\"Proxy\", \"VIP\"")) }
            }
            guard !host.isEmpty else { return causes }
            if !Names.isSubdomain(host) { causes.append(.invalid("\(path).hostname", .string(host), Names.subdomainMessage)) }
            if isAddress(host) { causes.append(.invalid("\(path).hostname", .string(host), "must be a DNS name, not an IP address")) }
            return causes
        }
    }

    static let service: Validation = { object, _, _ in
        let balancer = object["status"]["loadBalancer"]
        if object["spec"]["type"].string != "LoadBalancer", !balancer["ingress"].items.isEmpty {
            return [.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")]
        }
        return loadBalancer(balancer, hasMode: true)
    }

    static let ingress: Validation = { object, _, _ in loadBalancer(object["status"]["loadBalancer"], hasMode: false) }

    static func isAddress(_ text: String) -> Bool { IPAddress(text) != nil }
}

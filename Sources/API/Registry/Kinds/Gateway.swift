import Model

/// The Gateway API as far as it is the kernel's: ways in by TCP and UDP. Custom kinds whose definitions minik brings with it.
extension KindDefinition {
    static let gateways: [KindDefinition] = GatewaySchema.definitions.flatMap(custom).map { kind in
        kind.with {
            $0.validate = { object, old, context in
                kind.validate(object, old, context) + GatewayRules.causes(object, old, kind.resource.kind)
            }
        }
    }
}

/// What the definitions' validation rules in CEL say.
private enum GatewayRules {
    static func causes(_ object: JSON, _ old: JSON?, _ kind: String) -> [StatusError.Cause] {
        let spec = object["spec"]
        switch kind {
        case "GatewayClass":
            guard let old, old["spec"]["controllerName"] != spec["controllerName"] else { return [] }
            return [.invalid("spec.controllerName", spec["controllerName"], "Value is immutable")]
        case "Gateway": return listeners(spec["listeners"]) + addresses(spec["addresses"])
        case "TCPRoute", "UDPRoute": return parents(spec["parentRefs"]) + backends(spec["rules"])
        default: return []
        }
    }

    private static func listeners(_ listeners: JSON) -> [StatusError.Cause] {
        let path = "spec.listeners", items = listeners.items
        var causes: [StatusError.Cause] = []
        func refuse(_ words: String) { causes.append(.invalid(path, "array", words)) }
        if items.contains(where: { ["HTTP", "TCP", "UDP"].contains($0["protocol"].string) && !$0["tls"].isNull }) {
            refuse("tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']")
        }
        if items.contains(where: { ["TCP", "UDP"].contains($0["protocol"].string) && !($0["hostname"].string ?? "").isEmpty }) {
            refuse("hostname must not be specified for protocols ['TCP', 'UDP']")
        }
        if Set(items.map { $0["name"] }).count < items.count { refuse("Listener name must be unique within the Gateway") }
        if Set(items.map { JSON.array([$0["port"], $0["protocol"], $0["hostname"]]) }).count < items.count {
            refuse("Combination of port, protocol and hostname must be unique for each listener")
        }
        for (index, listener) in items.enumerated() {
            causes += SelectorRules.validate(
                listener["allowedRoutes"]["namespaces"]["selector"], "\(path)[\(index)].allowedRoutes.namespaces.selector")
        }
        return causes
    }

    private static func addresses(_ addresses: JSON) -> [StatusError.Cause] {
        ["IPAddress", "Hostname"].compactMap { type in
            let values = addresses.items.filter { $0["type"].string == type }.compactMap { $0["value"].string }
            return Set(values).count < values.count ? .invalid("spec.addresses", "array", "\(type) values must be unique") : nil
        }
    }

    private static func parents(_ parents: JSON) -> [StatusError.Cause] {
        let path = "spec.parentRefs"
        var causes: [StatusError.Cause] = []
        let same = Dictionary(grouping: parents.items) { JSON.array([$0["group"], $0["kind"], $0["namespace"], $0["name"]]) }
        for group in same.values where group.count > 1 {
            let isMixed = ["sectionName", "port"].contains { field in Set(group.map { $0[field].isNull }).count > 1 }
            let isBare = group.contains { $0["sectionName"].isNull && $0["port"].isNull }
            let words = "when parentRefs includes 2 or more references to the same parent"
            if isMixed || isBare {
                causes.append(.invalid(path, "array", "sectionName or port must be specified \(words)"))
            } else if Set(group.map { JSON.array([$0["sectionName"], $0["port"]]) }).count < group.count {
                causes.append(.invalid(path, "array", "sectionName or port must be unique \(words)"))
            }
        }
        return causes
    }

    private static func backends(_ rules: JSON) -> [StatusError.Cause] {
        rules.items.enumerated().flatMap { number, rule in
            rule["backendRefs"].items.enumerated().compactMap { index, backend in
                let isService = (backend["group"].string ?? "").isEmpty && (backend["kind"].string ?? "Service") == "Service"
                return isService && backend["port"].isNull
                    ? .invalid("spec.rules[\(number)].backendRefs[\(index)]", "object", "Must have port for Service reference") : nil
            }
        }
    }
}

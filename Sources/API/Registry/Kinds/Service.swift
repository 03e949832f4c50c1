import Model

extension KindDefinition {
    static let service = KindDefinition(
        .services, "service", ["svc"], type: "core:Service",
        [.status, Subresource("proxy", Subresource.proxyVerbs, kind: ("", "v1", "ServiceProxyOptions"))],
        columns: [
            .name, Column("Type") { object, _ in object["spec"]["type"].string ?? "ClusterIP" },
            Column("Cluster-IP") { object, _ in object["spec"]["clusterIP"].string ?? "<none>" },
            Column("External-IP") { object, _ in
                let external = object["spec"]["externalIPs"].items.compactMap(\.string)
                switch object["spec"]["type"].string {
                case "LoadBalancer":
                    let ingress = object["status"]["loadBalancer"]["ingress"].items.compactMap { $0["ip"].string ?? $0["hostname"].string }
                    return ingress.isEmpty && external.isEmpty ? "<pending>" : (ingress + external).joined(separator: ",")
                case "ExternalName": return object["spec"]["externalName"].string ?? "<none>"
                default: return external.isEmpty ? "<none>" : external.joined(separator: ",")
                }
            },
            Column("Port(s)") { object, _ in
                let ports = Service(object).ports.map { port in
                    port.nodePort.map { "\(port.port):\($0)/\(port.proto.rawValue)" } ?? "\(port.port)/\(port.proto.rawValue)"
                }
                return ports.isEmpty ? "<none>" : ports.joined(separator: ",")
            },
            .age,
            Column("Selector", wide: true) { object, _ in Column.labels(object["spec"]["selector"]) },
        ],
        prepare: { object in
            guard var ports = object["spec"]["ports"].array else { return }
            for index in ports.indices where ports[index]["targetPort"].isNull { ports[index]["targetPort"] = ports[index]["port"] }
            object["spec"]["ports"] = .array(ports)
            let type = object["spec"]["type"].string
            if type != "ExternalName" {
                if object["spec"]["internalTrafficPolicy"].isNull { object["spec"]["internalTrafficPolicy"] = "Cluster" }
            }
            if Service(object).isExternallyAccessible, object["spec"]["externalTrafficPolicy"].isNull {
                object["spec"]["externalTrafficPolicy"] = "Cluster"
            }
            if type == "LoadBalancer", object["spec"]["allocateLoadBalancerNodePorts"].isNull {
                object["spec"]["allocateLoadBalancerNodePorts"] = true
            }
            if object["spec"]["sessionAffinity"].string != "ClientIP" { object["spec"]["sessionAffinityConfig"] = .null }
            if object["spec"]["sessionAffinity"].string == "ClientIP", object["spec"]["sessionAffinityConfig"].isNull {
                object["spec"]["sessionAffinityConfig"] = ["clientIP": ["timeoutSeconds": 10800]]
            }
        },
        validate: validateService
    ).with {
        $0.categories = ["all"]
        $0.selectableFields = ["spec.clusterIP", "spec.type"]
        $0.hooks = serviceHooks
        $0.deletion.answersWithObject = true
        $0.nameRule = .label
        $0.allowsCreateOnUpdate = true
        $0.prepareForUpdate = dropTypeDependentFields
        $0.validateStatus = StatusValidation.service
        $0.warn = ServiceExternalRules.warnings
    }

    @Sendable private static func validateService(_ object: JSON, old: JSON?, context: ValidationContext) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let spec = object["spec"], type = spec["type"].string ?? "ClusterIP"
        if spec["clusterIP"].string == "None", ["NodePort", "LoadBalancer"].contains(type) {
            causes.append(.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for \(type) services"))
        }
        if spec["ports"].items.isEmpty, type != "ExternalName", spec["clusterIP"].string != "None" {
            causes.append(.required("spec.ports"))
        }
        causes +=
            familyCauses(spec, old?["spec"], type) + ServiceValidation.validate(spec) + ServiceExternalRules.causes(object, old: old)
        let names = spec["ports"].items.map { $0["name"].string ?? "" }
        for (index, port) in spec["ports"].items.enumerated() {
            let path = "spec.ports[\(index)]"
            if names.count > 1, names[index].isEmpty { causes.append(.required("\(path).name")) }
            if !names[index].isEmpty, names[..<index].contains(names[index]) {
                causes.append(.duplicate("\(path).name", .string(names[index])))
            }
            for field in ["port", "targetPort"] {
                // What nobody wrote is 0.
                let value = port[field].isNull ? 0 : port[field].int
                if let value, !(1...65535).contains(value) {
                    causes.append(.invalid("\(path).\(field)", .int(value), "must be between 1 and 65535, inclusive"))
                }
            }
            guard let nodePort = port["nodePort"].int, nodePort != 0 else { continue }
            if type == "ClusterIP" {
                causes.append(.forbidden("\(path).nodePort", "may not be used when `type` is 'ClusterIP'"))
            } else if !context.nodePortRange.contains(nodePort) {
                let range = context.nodePortRange
                causes.append(
                    .invalid(
                        "\(path).nodePort", .int(nodePort),
                        "provided port is not in the valid range. The range of valid ports is \(range.lowerBound)-\(range.upperBound)"))
            }
        }
        causes += addressCauses(spec, old?["spec"], context)
        return causes
    }

    /// What only the former type had goes with it, unless the user asks for something else. (upstream: dropTypeDependentFields)
    private static let dropTypeDependentFields: @Sendable (inout JSON, JSON) -> Void = { object, old in
        let then = old["spec"]["type"].string, now = object["spec"]["type"].string
        let healthPort = object["spec"]["healthCheckNodePort"]
        if Service(old).needsHealthCheck, !Service(object).needsHealthCheck, healthPort == old["spec"]["healthCheckNodePort"] {
            object["spec"]["healthCheckNodePort"] = .null
        }
        let policy = object["spec"]["externalTrafficPolicy"]
        if Service(old).isExternallyAccessible, !Service(object).isExternallyAccessible, policy == old["spec"]["externalTrafficPolicy"] {
            object["spec"]["externalTrafficPolicy"] = .null
        }
        if then == now { return }
        func drop(_ field: String, unless types: [String?]) {
            guard !types.contains(now), object["spec"][field] == old["spec"][field] else { return }
            object["spec"][field] = .null
        }
        drop("allocateLoadBalancerNodePorts", unless: ["LoadBalancer"])
        drop("loadBalancerClass", unless: ["LoadBalancer"])
        for field in ["internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy"] {
            drop(field, unless: ["ClusterIP", "NodePort", "LoadBalancer", nil])
        }
    }

    /// A name for others has no families; the others keep their first. What else there is to say of them is `ServiceFamilies`'.
    private static func familyCauses(_ spec: JSON, _ old: JSON?, _ type: String) -> [StatusError.Cause] {
        if type == "ExternalName" {
            return ["ipFamilies", "ipFamilyPolicy"].filter { !spec[$0].isNull }.map {
                .forbidden("spec.\($0)", "may not be set for ExternalName services")
            }
        }
        guard let old, old["type"].string != "ExternalName" else { return [] }
        return zip(spec["ipFamilies"].items, old["ipFamilies"].items).enumerated().compactMap { index, pair in
            pair.0 == pair.1 ? nil : .invalid("spec.ipFamilies[\(index)]", .array(spec["ipFamilies"].items), "may not change once set")
        }
    }

    /// A Service's addresses are of the cluster's ranges, and stay.
    private static func addressCauses(_ spec: JSON, _ old: JSON?, _ context: ValidationContext) -> [StatusError.Cause] {
        let texts = spec["clusterIPs"].items.isEmpty ? [spec["clusterIP"]] : spec["clusterIPs"].items
        if spec["type"].string == "ExternalName" {
            let isSet = texts.contains { !($0.string ?? "").isEmpty }
            return isSet ? [.forbidden("spec.clusterIPs", "may not be set for ExternalName services")] : []
        }
        return texts.enumerated().flatMap { index, value -> [StatusError.Cause] in
            guard let ip = value.string, !ip.isEmpty else { return [] }
            var causes: [StatusError.Cause] = []
            if let old, old["type"].string != "ExternalName" {
                let was = index == 0 ? old["clusterIP"].string : old["clusterIPs"][index].string
                if let was, was != ip {
                    causes.append(.invalid("spec.clusterIPs[\(index)]", .array(texts), "may not change once set"))
                }
            }
            if ip == "None" { return causes }
            if let address = IPAddress(ip) {
                // The network's own address is nobody's, nor is IPv4's broadcast. (pkg/registry/core/service/ipallocator)
                if let range = context.serviceCIDRs.first(where: { $0.family == address.family }),
                    !range.contains(address) || address == range.network || (address == range.last && address.family == .ipv4)
                {
                    causes.append(
                        .invalid(
                            "spec.clusterIPs", .array(texts),
                            "failed to allocate IP \(ip): the provided IP (\(ip)) is not in the valid range. The range of valid IPs is \(range)"
                        ))
                }
            } else {
                causes.append(.invalid("spec.clusterIPs[\(index)]", .string(ip), IPAddress.notAddress))
            }
            return causes
        }
    }

    static let endpoints = KindDefinition(
        .endpoints, "endpoints", ["ep"], type: "core:Endpoints",
        columns: [
            .name,
            Column("Endpoints") { object, _ in
                let all = object["subsets"].items.flatMap { subset in
                    // Of a Service without ports there are addresses alone.
                    let ports = subset["ports"].items.map { ":\($0["port"].int ?? 0)" }
                    return (ports.isEmpty ? [""] : ports).flatMap { port in
                        subset["addresses"].items.map { "\($0["ip"].string ?? "")\(port)" }
                    }
                }
                return Column.shortened(all)
            }, .age,
        ], validate: EndpointValidation.endpoints
    ).with {
        $0.allowsCreateOnUpdate = true
        $0.deprecation = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    }

    static let endpointSlice = KindDefinition(
        .endpointSlices, "endpointslice", [], type: "discovery:EndpointSlice", hasGeneration: true,
        columns: [
            .name, Column("AddressType") { object, _ in object["addressType"].string ?? "" },
            Column("Ports") { object, _ in
                let ports = object["ports"].items.compactMap { $0["port"].int.map(String.init) }
                return ports.isEmpty ? "<unset>" : Column.shortened(ports)
            },
            Column("Endpoints") { object, _ in
                let all = object["endpoints"].items.flatMap { $0["addresses"].items.compactMap(\.string) }
                return all.isEmpty ? "<unset>" : Column.shortened(all)
            }, .age,
        ],
        prepare: { object in
            guard var ports = object["ports"].array else { return }
            for index in ports.indices {
                if ports[index]["name"].isNull { ports[index]["name"] = "" }
                if ports[index]["protocol"].isNull { ports[index]["protocol"] = "TCP" }
            }
            object["ports"] = .array(ports)
        },
        validate: EndpointValidation.slice
    ).with {
        $0.warn = { $0["addressType"].string == "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : [] }
        $0.intent = { slice in
            var intent = slice
            for member in ["apiVersion", "kind", "metadata"] { intent[member] = .null }
            intent["labels"] = slice["metadata"]["labels"]
            return intent
        }
    }
}

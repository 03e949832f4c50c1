import Model

/// What stands for a Gateway in the cluster: a Service of type LoadBalancer with a port a listener, and EndpointSlices that share the
/// numbers that dice are thrown for as routes weigh their backends. All else is what every load balancer has: an address of the pool, a
/// node that answers for it, the nodes' tables.
struct GatewayFront: Sendable {
    static let managedBy = "endpointslice.kubernetes.io/managed-by"
    static let manager = "gateway-controller.minik.dev"
    private static let endpointsPerSlice = 100

    let gateway: Gateway
    let plan: GatewayPlan
    let backends: GatewayBackends
    let family: IPFamily

    var key: ObjectKey { Self.key(gateway) }

    /// NAME-CLASS (GEP-1762), as far as a Service may be called so.
    static func key(_ gateway: Gateway) -> ObjectKey {
        let wanted = "\(gateway.name)-\(gateway.className)"
        let isLabel = wanted.utf8.count <= 63 && !wanted.contains(".") && wanted.first?.isLetter ?? false
        if isLabel { return ObjectKey(gateway.namespace, wanted) }
        let start = "gw-\(wanted.replacing(".", with: "-"))".prefix(54)
        return ObjectKey(gateway.namespace, "\(start)-\(ShortHash.hex(wanted, digits: 8))")
    }

    /// nil: the Gateway opens no port.
    var service: JSON? {
        let ports = plan.listeners.filter(\.isServing)
        guard plan.accepted.holds, !ports.isEmpty else { return nil }
        let infrastructure = gateway.spec["infrastructure"]
        var labels = infrastructure["labels"].stringMap
        // A label's value is shorter than a name may be.
        labels[Gateway.nameLabel] =
            gateway.name.utf8.count <= 63 ? gateway.name : "\(gateway.name.prefix(54))-\(ShortHash.hex(gateway.name, digits: 8))"
        return [
            "apiVersion": "v1", "kind": "Service",
            "metadata": [
                "name": .string(key.name), "namespace": .string(key.namespace), "labels": JSON(labels),
                "annotations": JSON(infrastructure["annotations"].stringMap), "ownerReferences": [gateway.ownerReference],
            ],
            "spec": [
                "type": "LoadBalancer", "loadBalancerClass": .string(Cluster.loadBalancerClass), "allocateLoadBalancerNodePorts": false,
                "ipFamilyPolicy": "SingleStack", "ipFamilies": [.string(family.rawValue)], "loadBalancerIP": JSON(plan.wish),
                "ports": .array(ports.map { Self.port($0.listener) }),
            ],
        ]
    }

    /// What of a Service's spec is the Gateway's to say; what the API fills in, where it has been changed; and what such a Service has
    /// not.
    private static let own = [
        "type", "loadBalancerClass", "allocateLoadBalancerNodePorts", "ipFamilyPolicy", "ipFamilies", "loadBalancerIP",
    ]
    private static let defaults: [(String, JSON)] = [
        ("externalTrafficPolicy", "Cluster"), ("internalTrafficPolicy", "Cluster"), ("sessionAffinity", "None"),
    ]
    private static let absent = [
        "selector", "loadBalancerSourceRanges", "externalIPs", "externalName", "publishNotReadyAddresses", "sessionAffinityConfig",
        "trafficDistribution", "healthCheckNodePort",
    ]

    /// A Service that somebody may have changed, as it should be.
    static func mended(_ found: JSON, as wanted: JSON) -> JSON {
        var service = found
        service["metadata"]["labels"] = wanted["metadata"]["labels"]
        let annotations = wanted["metadata"]["annotations"]
        service["metadata"]["annotations"] = annotations.object?.isEmpty ?? true ? .null : annotations
        for field in own where service["spec"][field] != wanted["spec"][field] { service["spec"][field] = wanted["spec"][field] }
        for (field, value) in defaults where service["spec"][field] != value { service["spec"][field] = value }
        for field in absent where ![.null, false, 0].contains(service["spec"][field]) { service["spec"][field] = .null }
        func ports(_ service: JSON) -> JSON {
            .array(
                service["spec"]["ports"].items.map {
                    ["name": $0["name"], "protocol": $0["protocol"], "port": $0["port"], "nodePort": $0["nodePort"]]
                })
        }
        if ports(found) != ports(wanted) { service["spec"]["ports"] = wanted["spec"]["ports"] }
        return service
    }

    /// The API lets nobody change a load balancer's class, nor give an address to a Service without one.
    static func isBeyondMending(_ service: Service) -> Bool {
        service.type == "LoadBalancer" && service.loadBalancerClass != Cluster.loadBalancerClass
            || service.spec["clusterIP"].string == "None"
    }

    static func portName(_ listener: Gateway.Listener) -> String { "\(listener.protocolName.lowercased())-\(listener.port)" }

    private static func port(_ listener: Gateway.Listener) -> JSON {
        ["name": .string(portName(listener)), "protocol": .string(listener.protocolName), "port": .int(listener.port)]
    }

    /// Of the Service as it is there, by their names.
    func slices(of service: Service) -> [String: JSON] {
        var slices: [String: JSON] = [:]
        for listener in plan.listeners where listener.isServing {
            guard let route = listener.route else { continue }
            let shares = backends.shares(route), slots = WeightedSlots.divide(shares.map { ($0.weight, $0.count) })
            for (index, share) in shares.enumerated() {
                for (number, part) in Self.parts(share, slots[index]).enumerated() {
                    let origin = "\(Self.portName(listener.listener))/\(index)/\(number)"
                    let name = "\(service.name)-\(ShortHash.podTemplate(origin))"
                    slices[name] = slice(name, service, listener.listener, part)
                }
            }
        }
        return slices
    }

    private struct Part {
        let port: Int
        let members: [JSON]
        let slots: Int
    }

    /// A share's endpoints, as many a slice as may be, each part with its numbers.
    private static func parts(_ share: GatewayBackends.Share, _ slots: Int) -> [Part] {
        // Nobody: its numbers are refused, at whatever port.
        if share.count == 0 { return [Part(port: 1, members: [], slots: slots)] }
        let (each, rest) = slots.quotientAndRemainder(dividingBy: share.count)
        var parts: [Part] = [], before = 0
        for (port, members) in share.endpoints {
            for start in stride(from: 0, to: members.count, by: endpointsPerSlice) {
                let part = Array(members[start..<min(start + endpointsPerSlice, members.count)])
                let more = min(max(rest - before, 0), part.count)
                // Without a number of their own they would be taken for a share that is refused.
                if each * part.count + more > 0 { parts.append(Part(port: port, members: part, slots: each * part.count + more)) }
                before += part.count
            }
        }
        return parts
    }

    private func slice(_ name: String, _ service: Service, _ listener: Gateway.Listener, _ part: Part) -> JSON {
        [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": [
                "name": .string(name), "namespace": .string(service.namespace), "ownerReferences": [service.ownerReference],
                "labels": [
                    EndpointSlice.serviceNameLabel: .string(service.name), Self.managedBy: .string(Self.manager),
                ],
                "annotations": [EndpointSlice.slotsAnnotation: .string("\(part.slots)")],
            ],
            "addressType": .string(family.rawValue), "endpoints": .array(part.members),
            "ports": [
                ["name": .string(Self.portName(listener)), "port": .int(part.port), "protocol": .string(listener.protocolName)]
            ],
        ]
    }
}

import Model

/// Where routes lead: the Services that their references name, by their endpoints, each with its weight.
struct GatewayBackends: Sendable {
    /// What one reference leads to.
    struct Share: Sendable {
        let weight: Int
        /// Who serves it, by the port that they serve it at; nobody: the share is refused.
        var endpoints: [(port: Int, members: [JSON])] = []

        var count: Int { endpoints.reduce(0) { $0 + $1.members.count } }
    }

    private let around: GatewaySurroundings

    init(_ around: GatewaySurroundings) { self.around = around }

    /// Whether all that a route names is there, and its to name.
    func resolved(_ route: GatewayRoute) -> GatewayVerdict {
        let problems = route.backends.compactMap { problem($0, route) }
        guard let first = problems.first else { return GatewayVerdict(true, "ResolvedRefs") }
        return GatewayVerdict(false, first.reason, problems.map(\.message).joined(separator: "; "))
    }

    /// Without those of weight 0, which get nothing.
    func shares(_ route: GatewayRoute) -> [Share] {
        route.backends.compactMap { backend in
            let weight = backend["weight"].int ?? 1
            if weight <= 0 { return nil }
            guard problem(backend, route) == nil, let port = port(backend, route) else { return Share(weight: weight) }
            return Share(weight: weight, endpoints: endpoints(route.service(backend), port))
        }
    }

    private func problem(_ backend: JSON, _ route: GatewayRoute) -> GatewayVerdict? {
        guard GatewayRoute.isService(backend) else {
            let kind = [backend["kind"].string, backend["group"].string].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ".")
            return GatewayVerdict(false, "InvalidKind", "minik's Gateways lead to Services, not to \(kind)")
        }
        let key = route.service(backend), kind = route.resource.kind
        if key.namespace != route.key.namespace,
            !around.grants.contains(where: {
                $0.namespace == key.namespace && $0.lets(kind, in: route.key.namespace, referTo: key.name)
            })
        {
            return GatewayVerdict(
                false, "RefNotPermitted",
                "Service \(key) is of another namespace, which has no ReferenceGrant for \(kind)s of namespace \(route.key.namespace)")
        }
        guard let service = around.services[key] else { return GatewayVerdict(false, "BackendNotFound", "Service \(key) is not there") }
        if service.type == "ExternalName" {
            return GatewayVerdict(false, "InvalidKind", "Service \(key) is an ExternalName: a name, not endpoints")
        }
        let number = backend["port"].int ?? 0
        let ports = service.ports.filter { $0.port == number }
        if ports.isEmpty { return GatewayVerdict(false, "BackendNotFound", "Service \(key) has no port \(number)") }
        if !ports.contains(where: { $0.proto == route.proto }) {
            return GatewayVerdict(
                false, "UnsupportedProtocol", "port \(number) of Service \(key) is \(ports[0].proto.rawValue), which no \(kind) leads to")
        }
        return nil
    }

    private func port(_ backend: JSON, _ route: GatewayRoute) -> Service.Port? {
        around.services[route.service(backend)]?.ports.first { $0.port == backend["port"].int && $0.proto == route.proto }
    }

    /// The ready ones, else those that end but still serve, as kube-proxy would lead to them. (KEP-1669)
    private func endpoints(_ service: ObjectKey, _ port: Service.Port) -> [(port: Int, members: [JSON])] {
        var ready: [Int: [JSON]] = [:], ending: [Int: [JSON]] = [:]
        var seen: Set<JSON> = []
        for slice in (around.slices[service] ?? []).filter({ $0.family == around.family }).sorted(by: { $0.name < $1.name }) {
            let numbers = slice.ports.filter {
                ($0["name"].string ?? "") == port.name && ($0["protocol"].string ?? "TCP") == port.proto.rawValue
            }.compactMap { $0["port"].int }
            for number in numbers {
                for endpoint in slice.endpoints where seen.insert([endpoint["addresses"], .int(number)]).inserted {
                    let conditions = endpoint["conditions"]
                    if conditions["ready"].bool ?? true {
                        ready[number, default: []].append(Self.led(endpoint))
                    } else if conditions["serving"].bool ?? false, conditions["terminating"].bool ?? false {
                        ending[number, default: []].append(Self.led(endpoint))
                    }
                }
            }
        }
        return (ready.isEmpty ? ending : ready).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// As a slice of the Gateway's own Service has it: one that is led to is ready.
    private static func led(_ endpoint: JSON) -> JSON {
        [
            "addresses": endpoint["addresses"], "conditions": ["ready": true, "serving": true, "terminating": false],
            "nodeName": endpoint["nodeName"], "zone": endpoint["zone"], "targetRef": endpoint["targetRef"],
        ]
    }
}

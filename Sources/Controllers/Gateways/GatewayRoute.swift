import Model

/// A TCPRoute or UDPRoute, whichever of the two.
struct GatewayRoute: Hashable, Sendable {
    let json: JSON
    let resource: Resource
    let proto: TransportProtocol

    init<Route: PortRoute>(_ route: Route) { (json, resource, proto) = (route.json, Route.resource, Route.proto) }

    var key: ObjectKey { json.metadata.key }
    var backends: [JSON] { json["spec"]["rules"].items.flatMap { $0["backendRefs"].items } }

    /// Of two that want one listener the older has it. (gateway-api, "Conflicts")
    var rank: (String, ObjectKey) { (json["metadata"]["creationTimestamp"].string ?? "", key) }

    /// What it says of a Gateway.
    func parentRefs(naming gateway: ObjectKey) -> [JSON] { json["spec"]["parentRefs"].items.filter { names(gateway, $0) } }

    /// Whether an entry of the status is ours to write, and about this Gateway.
    func isOurs(_ entry: JSON, about gateway: ObjectKey) -> Bool {
        entry["controllerName"].string == GatewayClass.ownController && names(gateway, entry["parentRef"])
    }

    /// The Gateways that it names, or that it has a word of ours about.
    var gateways: Set<ObjectKey> {
        let told = json["status"]["parents"].items.filter { $0["controllerName"].string == GatewayClass.ownController }
        return Set((json["spec"]["parentRefs"].items + told.map { $0["parentRef"] }).compactMap(gateway))
    }

    /// The Services that it leads to.
    var services: Set<ObjectKey> { Set(backends.filter(Self.isService).map(service)) }

    static func isService(_ backend: JSON) -> Bool {
        (backend["group"].string ?? "").isEmpty && (backend["kind"].string ?? "Service") == "Service"
    }

    func service(_ backend: JSON) -> ObjectKey {
        ObjectKey(backend["namespace"].string ?? key.namespace, backend["name"].string ?? "")
    }

    private func names(_ gateway: ObjectKey, _ parent: JSON) -> Bool { self.gateway(parent) == gateway }

    private func gateway(_ parent: JSON) -> ObjectKey? {
        guard (parent["group"].string ?? Resource.gatewayGroup) == Resource.gatewayGroup,
            (parent["kind"].string ?? "Gateway") == "Gateway"
        else { return nil }
        return ObjectKey(parent["namespace"].string ?? key.namespace, parent["name"].string ?? "")
    }
}

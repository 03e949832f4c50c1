import Model

/// What a Gateway's plan is made from.
struct GatewaySurroundings: Sendable {
    var gateway: Gateway
    /// All that name the Gateway.
    var routes: [GatewayRoute] = []
    var namespaces: [String: [String: String]] = [:]
    /// Those that routes lead to, with what serves them.
    var services: [ObjectKey: Service] = [:]
    var slices: [ObjectKey: [EndpointSlice]] = [:]
    var grants: [ReferenceGrant] = []
    /// What the pool's addresses are of.
    var family = IPFamily.ipv4
}

/// A condition's status, and why.
struct GatewayVerdict: Hashable, Sendable {
    let holds: Bool
    let reason: String
    let message: String

    init(_ holds: Bool, _ reason: String, _ message: String = "") { (self.holds, self.reason, self.message) = (holds, reason, message) }
}

/// What a Gateway's listeners and routes amount to: who leads which port where, and what is to be said of each.
/// (gateway-api, apis/v1/gateway_types.go, shared_types.go)
struct GatewayPlan: Sendable {
    struct ListenerPlan: Sendable {
        let listener: Gateway.Listener
        /// The kinds of routes that it takes.
        let kinds: [String]
        let accepted: GatewayVerdict
        let conflicted: GatewayVerdict
        let resolved: GatewayVerdict
        /// The route that has it.
        var route: GatewayRoute?

        /// Whether its port is the Gateway's to open.
        var isServing: Bool { accepted.holds && !kinds.isEmpty }
    }

    struct ParentPlan: Sendable {
        let parentRef: JSON
        let accepted: GatewayVerdict
        let resolved: GatewayVerdict
    }

    private(set) var listeners: [ListenerPlan]
    private(set) var parents: [(route: GatewayRoute, parents: [ParentPlan])] = []
    let accepted: GatewayVerdict
    /// The address that is asked for.
    let wish: String?

    init(_ around: GatewaySurroundings) {
        listeners = Self.listeners(around.gateway.listeners)
        (accepted, wish) = Self.accepted(around.gateway, listeners)
        let backends = GatewayBackends(around)
        for route in around.routes.sorted(by: { $0.rank < $1.rank }) {
            let resolved = backends.resolved(route)
            let own = route.parentRefs(naming: around.gateway.key).map {
                ParentPlan(parentRef: $0, accepted: attach(route, $0, around), resolved: resolved)
            }
            parents.append((route, own))
        }
    }

    // MARK: Listeners

    private static func listeners(_ listeners: [Gateway.Listener]) -> [ListenerPlan] {
        listeners.map { listener in
            // By a port's TCP comes one thing: a stream's bytes, or what a proxy reads of them.
            let rivals = listeners.filter {
                $0.port == listener.port && $0.name != listener.name && ($0.proto == .udp) == (listener.proto == .udp)
            }
            let isConflicted = listener.proto == .tcp ? !rivals.isEmpty : rivals.contains { $0.proto == .tcp }
            let names = rivals.map(\.name).sorted().joined(separator: ", ")
            let conflicted =
                isConflicted
                ? GatewayVerdict(true, "ProtocolConflict", "port \(listener.port) is that of listener \(names), too")
                : GatewayVerdict(false, "NoConflicts")
            let (kinds, resolved) = kinds(listener)
            let accepted =
                switch (listener.proto, isConflicted) {
                case (nil, _):
                    GatewayVerdict(
                        false, "UnsupportedProtocol",
                        "\(listener.protocolName) takes a proxy: minik's Gateways lead TCP and UDP, which the kernel does itself")
                case (_, true): GatewayVerdict(false, "Invalid", conflicted.message)
                default: GatewayVerdict(true, "Accepted")
                }
            return ListenerPlan(listener: listener, kinds: kinds, accepted: accepted, conflicted: conflicted, resolved: resolved)
        }
    }

    private static func kinds(_ listener: Gateway.Listener) -> ([String], GatewayVerdict) {
        let fit = listener.proto.map { ["\($0.rawValue)Route"] } ?? []
        guard let asked = listener.json["allowedRoutes"]["kinds"].array, !asked.isEmpty else {
            return (fit, GatewayVerdict(true, "ResolvedRefs"))
        }
        func fits(_ kind: JSON) -> Bool {
            (kind["group"].string ?? Resource.gatewayGroup) == Resource.gatewayGroup && fit.contains(kind["kind"].string ?? "")
        }
        let others = asked.filter { !fits($0) }.compactMap { $0["kind"].string }
        let kinds = asked.contains(where: fits) ? fit : []
        if others.isEmpty { return (kinds, GatewayVerdict(true, "ResolvedRefs")) }
        return (
            kinds,
            GatewayVerdict(
                false, "InvalidRouteKinds", "a listener of protocol \(listener.protocolName) takes no \(others.joined(separator: ", "))")
        )
    }

    private static func accepted(_ gateway: Gateway, _ listeners: [ListenerPlan]) -> (GatewayVerdict, wish: String?) {
        let wishes = gateway.spec["addresses"].items
        if let other = wishes.first(where: { ($0["type"].string ?? "IPAddress") != "IPAddress" }) {
            let type = other["type"].string ?? ""
            return (GatewayVerdict(false, "UnsupportedAddress", "minik's Gateways have addresses of type IPAddress, no \(type)"), nil)
        }
        let values = wishes.compactMap { $0["value"].string }.filter { !$0.isEmpty }
        if wishes.count > 1 { return (GatewayVerdict(false, "UnsupportedAddress", "a Gateway has one address; name one, or none"), nil) }
        if !gateway.spec["infrastructure"]["parametersRef"].isNull {
            return (GatewayVerdict(false, "InvalidParameters", "minik's Gateways take no parameters; leave out parametersRef"), nil)
        }
        let invalid = listeners.filter { !$0.accepted.holds }
        if invalid.isEmpty { return (GatewayVerdict(true, "Accepted"), values.first) }
        let words = invalid.map { "listener \($0.listener.name): \($0.accepted.message)" }.joined(separator: "; ")
        return (GatewayVerdict(invalid.count < listeners.count, "ListenersNotValid", words), values.first)
    }

    // MARK: Routes

    /// Gives a route the listeners that take it and that no older one has.
    private mutating func attach(_ route: GatewayRoute, _ parent: JSON, _ around: GatewaySurroundings) -> GatewayVerdict {
        let named = listeners.indices.filter { index in
            let listener = listeners[index].listener
            return (parent["sectionName"].string ?? listener.name) == listener.name
                && (parent["port"].int ?? listener.port) == listener.port
        }
        if named.isEmpty {
            let wanted = [parent["sectionName"].string.map { "name \($0)" }, parent["port"].int.map { "port \($0)" }].compactMap(\.self)
            return GatewayVerdict(false, "NoMatchingParent", "the Gateway has no listener of \(wanted.joined(separator: " and "))")
        }
        let open = named.filter { listeners[$0].kinds.contains(route.resource.kind) && Self.admits(listeners[$0].listener, route, around) }
        if open.isEmpty {
            return GatewayVerdict(
                false, "NotAllowedByListeners",
                "no listener takes a \(route.resource.kind) of namespace \(route.key.namespace)")
        }
        let valid = open.filter { listeners[$0].accepted.holds }
        if valid.isEmpty {
            return GatewayVerdict(false, "NotAllowedByListeners", listeners[open[0]].accepted.message)
        }
        let free = valid.filter { listeners[$0].route == nil || listeners[$0].route == route }
        for index in free { listeners[index].route = route }
        if free.isEmpty {
            let older = listeners[valid[0]].route.map { "\($0.resource.kind) \($0.key)" } ?? ""
            return GatewayVerdict(
                false, "Conflicted", "listener \(listeners[valid[0]].listener.name) leads one route, and \(older) is older")
        }
        return GatewayVerdict(true, "Accepted")
    }

    private static func admits(_ listener: Gateway.Listener, _ route: GatewayRoute, _ around: GatewaySurroundings) -> Bool {
        let namespaces = listener.json["allowedRoutes"]["namespaces"]
        switch namespaces["from"].string ?? "Same" {
        case "All": return true
        case "Same": return route.key.namespace == around.gateway.namespace
        case "Selector":
            // One that is not there selects nothing.
            guard !namespaces["selector"].isNull, let labels = around.namespaces[route.key.namespace] else { return false }
            return LabelSelector(namespaces["selector"]).matches(labels)
        default: return false
        }
    }
}

import Model

/// Has Gateways of minik's class lead the ports of their listeners to Services, and says of all that takes part what became of it.
package struct GatewayReconciler: Reconciler {
    private let cluster: Cluster
    private let now: @Sendable () -> Timestamp
    private let written = OwnWrites()

    package init(cluster: Cluster, now: @escaping @Sendable () -> Timestamp = Timestamp.now) {
        self.cluster = cluster
        self.now = now
    }

    package var sources: [Source] {
        [
            .own(.gateways),
            Source(.gatewayClasses) { change, informers in
                informers.list(Gateway.self).filter { $0.className == change.key.name }.map(\.key)
            },
            Self.routes(TCPRoute.self), Self.routes(UDPRoute.self),
            Source(.services) { change, informers in
                change.controllers(Gateway.resource.kind).map { ObjectKey(change.key.namespace, $0) }
                    + Self.gateways(informers) { $0.services.contains(change.key) }
            },
            Source(.endpointSlices) { [written] change, informers in
                if written.contain(.endpointSlices, change) { return [] }
                let keys = Set([change.old, change.new].compactMap { $0.map { EndpointSlice($0).serviceKey } })
                let own = keys.compactMap { key -> ObjectKey? in
                    let owner = informers[.services]?.get(key)?.metadata.controller
                    guard owner?["kind"].string == Gateway.resource.kind else { return nil }
                    return ObjectKey(key.namespace, owner?["name"].string ?? "")
                }
                return own + Self.gateways(informers) { !$0.services.isDisjoint(with: keys) }
            },
            Source(.referenceGrants) { change, informers in
                Self.gateways(informers) { route in route.services.contains { $0.namespace == change.key.namespace } }
            },
            Source(.namespaces) { change, informers in
                if change.old?.metadata.labels == change.new?.metadata.labels { return [] }
                return informers.list(Gateway.self).filter { gateway in
                    gateway.listeners.contains { !$0.json["allowedRoutes"]["namespaces"]["selector"].isNull }
                }.map(\.key)
            },
        ]
    }

    private static func routes<Route: PortRoute>(_ type: Route.Type) -> Source {
        Source(Route.resource) { change, _ in
            Array([change.old, change.new].compactMap { $0 }.reduce(into: Set()) { $0.formUnion(GatewayRoute(Route($1)).gateways) })
        }
    }

    /// Those that the routes name which `isConcerned`.
    private static func gateways(_ informers: Informers, _ isConcerned: (GatewayRoute) -> Bool) -> [ObjectKey] {
        let routes = informers.list(TCPRoute.self).map(GatewayRoute.init) + informers.list(UDPRoute.self).map(GatewayRoute.init)
        return Array(routes.filter(isConcerned).reduce(into: Set()) { $0.formUnion($1.gateways) })
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        let all = try await client.list(TCPRoute.self).map(GatewayRoute.init) + client.list(UDPRoute.self).map(GatewayRoute.init)
        let routes = all.filter { $0.gateways.contains(key) }
        guard let gateway = try await client.find(Gateway.self, key), !gateway.isBeingDeleted,
            try await client.find(GatewayClass.self, ObjectKey("", gateway.className))?.isOwn ?? false
        else { return try await leave(key, routes, client) }
        let around = try await surroundings(gateway, routes, client)
        let plan = GatewayPlan(around)
        let front = GatewayFront(gateway: gateway, plan: plan, backends: GatewayBackends(around), family: around.family)
        var service: Service?
        var refusal: StatusError?
        do { service = try await put(front, client) } catch let error as StatusError where !error.isRetryable { refusal = error }
        let status = GatewayStatus(plan: plan, service: service, refusal: refusal?.message, now: now())
        try await client.mutateStatus(Gateway.self, key) { if $0.uid == gateway.uid { status.write(to: &$0) } }
        for (route, parents) in plan.parents { try await tell(route, key, parents, client) }
        // Again, by and by.
        if let refusal { throw refusal }
    }

    private func surroundings(_ gateway: Gateway, _ routes: [GatewayRoute], _ client: any Client) async throws -> GatewaySurroundings {
        var around = GatewaySurroundings(gateway: gateway, routes: routes, family: cluster.loadBalancerRange.first.family)
        for namespace in try await client.list(Namespace.self) { around.namespaces[namespace.name] = namespace.labels }
        around.grants = try await client.list(ReferenceGrant.self)
        for key in Set(routes.flatMap(\.services)) {
            around.services[key] = try await client.find(Service.self, key)
            around.slices[key] = try await slices(of: key, client)
        }
        return around
    }

    private func slices(of service: ObjectKey, _ client: any Client) async throws -> [EndpointSlice] {
        try await client.list(
            EndpointSlice.self, namespace: service.namespace,
            selector: LabelSelector(matching: [EndpointSlice.serviceNameLabel: service.name]))
    }

    // MARK: What stands for it

    /// The Service, as it is there now; nil: there is to be none.
    private func put(_ front: GatewayFront, _ client: any Client) async throws -> Service? {
        // One of another class that the Gateway had.
        for old in try await client.list(Service.self, namespace: front.key.namespace)
        where old.gateway == front.gateway.key && old.key != front.key && old.controllerOwner?.uid == front.gateway.uid
            && !old.isBeingDeleted
        {
            try await client.delete(.services, old.key)
        }
        let found = try await client.find(Service.self, front.key)
        if let found, found.controllerOwner?.uid != front.gateway.uid {
            if front.service == nil { return nil }
            throw StatusError(409, .alreadyExists, "Service \(front.key) is there already, and is not the Gateway's: rename one of them")
        }
        guard let wanted = front.service else {
            if let found { try await client.delete(.services, found.key) }
            return nil
        }
        let service = try await put(wanted, found, client)
        try await put(front.slices(of: service), try await slices(of: service.key, client), client)
        return service
    }

    private func put(_ wanted: JSON, _ found: Service?, _ client: any Client) async throws -> Service {
        guard let found else { return Service(try await client.create(.services, wanted)) }
        if GatewayFront.isBeyondMending(found) {
            try await client.delete(.services, found.key)
            return Service(try await client.create(.services, wanted))
        }
        let updated = GatewayFront.mended(found.json, as: wanted)
        if updated == found.json { return found }
        return Service(try await client.update(.services, updated))
    }

    private func put(_ wanted: [String: JSON], _ found: [EndpointSlice], _ client: any Client) async throws {
        let own = found.filter { $0.labels[GatewayFront.managedBy] == GatewayFront.manager }
        for (name, slice) in wanted.sorted(by: { $0.key < $1.key }) {
            guard let old = own.first(where: { $0.name == name }) else {
                written.note(.endpointSlices, try await client.create(.endpointSlices, slice))
                continue
            }
            var updated = old.json
            for field in ["endpoints", "ports"] { updated[field] = slice[field] }
            updated["metadata"]["annotations"] = slice["metadata"]["annotations"]
            if updated["endpoints"] == old.json["endpoints"], updated["ports"] == old.json["ports"],
                old.annotations == slice.metadata.annotations
            {
                continue
            }
            written.note(.endpointSlices, try await client.update(.endpointSlices, updated))
        }
        for slice in own where wanted[slice.name] == nil { try await client.delete(.endpointSlices, slice.key) }
    }

    // MARK: What is said

    /// One that is gone, or that another controller serves now: nothing stands for it, and no route tells of it.
    private func leave(_ key: ObjectKey, _ routes: [GatewayRoute], _ client: any Client) async throws {
        let services = try await client.list(Service.self, namespace: key.namespace).filter { $0.gateway == key && !$0.isBeingDeleted }
        // First what was said of it: the Services are what tells that it was ours.
        if !services.isEmpty, let gateway = try await client.find(Gateway.self, key), !gateway.isBeingDeleted {
            let own = Set(services.flatMap(\.balancerAddresses).map(\.description))
            try await client.mutateStatus(Gateway.self, key) { GatewayStatus.takeBack(from: &$0, own) }
        }
        for service in services { try await client.delete(.services, service.key) }
        for route in routes { try await tell(route, key, [], client) }
    }

    private func tell(_ route: GatewayRoute, _ gateway: ObjectKey, _ parents: [GatewayPlan.ParentPlan], _ client: any Client) async throws {
        let time = now()
        func write<Route: PortRoute>(_ type: Route.Type) async throws {
            try await client.mutateStatus(type, route.key) { current in
                let entries = GatewayStatus.parents(GatewayRoute(current), of: gateway, parents, time)
                if entries != current.status["parents"], !(entries.items.isEmpty && current.status["parents"].isNull) {
                    current.status["parents"] = entries
                }
            }
        }
        if route.proto == .tcp { try await write(TCPRoute.self) } else { try await write(UDPRoute.self) }
    }
}

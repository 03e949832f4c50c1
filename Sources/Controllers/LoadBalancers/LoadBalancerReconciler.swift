import Model

/// Gives Services of type LoadBalancer an address on the nodes' LAN, and has one node answer for it: what a cloud's controller does,
/// without a cloud. (k8s.io/cloud-provider/controllers/service)
package struct LoadBalancerReconciler: Reconciler {
    /// Keeps a Service until its address has been given back.
    package static let finalizer = "service.kubernetes.io/load-balancer-cleanup"
    private static let component = "service-controller"

    private let claims: LoadBalancerClaims
    private let announcer: any AddressAnnouncer

    package init(cluster: Cluster, announcer: any AddressAnnouncer) {
        claims = LoadBalancerClaims(cluster: cluster)
        self.announcer = announcer
    }

    package var sources: [Source] {
        [
            Source(.services) { [claims] change, _ in
                let states = [change.old, change.new].compactMap { $0.map { Service($0) } }
                guard states.contains(where: { Cluster.balances($0) || Self.isMarked($0) }) else { return [] }
                // An address that is given back is for who waits.
                return [change.key] + claims.waiting
            },
            Source(.nodes) { [claims] change, _ in
                let places = [change.old, change.new].map { node in node.map { !LoadBalancerPlacement(nodes: [Node($0)]).isEmpty } ?? false
                }
                return places[0] == places[1] ? [] : claims.keys
            },
            Source(.endpointSlices) { change, informers in
                let keys = Set([change.old, change.new].compactMap { $0.map { EndpointSlice($0).serviceKey } })
                return keys.filter { key in
                    informers[.services]?.get(key).map { Service($0).externalTrafficIsLocal && Cluster.balances(Service($0)) } ?? false
                }
            },
        ]
    }

    private static func isMarked(_ service: Service) -> Bool { service.json["metadata"]["finalizers"].items.contains(.string(finalizer)) }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        try await claims.load { try await client.list(Service.self) }
        guard let service = try await client.find(Service.self, key) else { return try await release(key) }
        // Another's are another's to wind up, too.
        if service.type == "LoadBalancer", !Cluster.balances(service) { return try await release(key) }
        if Cluster.balances(service), !service.isBeingDeleted { return try await ensure(service, client) }
        try await giveBack(service, client)
    }

    // MARK: An address

    private func ensure(_ found: Service, _ client: any Client) async throws {
        let service = try await mark(found, client), shown = service.balancerAddresses
        let address: IPAddress
        do { address = try claims.address(for: service) } catch {
            try await release(service.key, waits: true)
            if !shown.isEmpty { try await show(nil, of: service, client) }
            return await tell(
                service, client, "SyncLoadBalancerFailed", "Error syncing load balancer: failed to ensure load balancer: \(error.message)",
                type: "Warning")
        }
        let isNew = shown != [address]
        if isNew {
            await tell(service, client, "EnsuringLoadBalancer", "Ensuring load balancer")
            for old in shown where claims.owner(of: old) == nil { try await withdraw(old) }
        }
        try await place(address, service, client, isNew: isNew)
        guard isNew else { return }
        try await show(address, of: service, client)
        await tell(service, client, "EnsuredLoadBalancer", "Ensured load balancer")
    }

    private func place(_ address: IPAddress, _ service: Service, _ client: any Client, isNew: Bool) async throws {
        let placement = LoadBalancerPlacement(nodes: try await client.list(Node.self))
        let slices = try await client.list(
            EndpointSlice.self, namespace: service.namespace,
            selector: LabelSelector(matching: [EndpointSlice.serviceNameLabel: service.name]))
        let node = placement.node(for: address, of: service, slices), before = claims.place(of: address)
        if before == .some(node) { return }
        try await announcer.announce(address, from: node)
        _ = claims.move(address, to: node)
        if let node {
            // A daemon that has come back tells nothing new.
            if isNew || before != nil { await tell(service, client, "nodeAssigned", "announcing \(address) from node \"\(node)\"") }
        } else {
            let words =
                placement.isEmpty
                ? "There are no available nodes for LoadBalancer"
                : "no node that may have \(address) has endpoints of its own, which externalTrafficPolicy Local asks for"
            await tell(service, client, "UnAvailableLoadBalancer", words, type: "Warning")
        }
    }

    private func show(_ address: IPAddress?, of service: Service, _ client: any Client) async throws {
        try await client.mutateStatus(Service.self, service.key) { current in
            guard current.uid == service.uid else { return }
            current.status["loadBalancer"] =
                address.map { ["ingress": [["ip": .string("\($0)"), "ipMode": "VIP"]]] } ?? .emptyObject
        }
    }

    private func mark(_ service: Service, _ client: any Client) async throws -> Service {
        if Self.isMarked(service) { return service }
        return try await write(service.json["metadata"]["finalizers"].items + [.string(Self.finalizer)], to: service, client)
    }

    /// Only as long as nobody else has written the object since it was read.
    private func write(_ finalizers: [JSON], to service: Service, _ client: any Client) async throws -> Service {
        let patch: JSON = ["metadata": ["resourceVersion": .string(service.resourceVersion), "finalizers": .array(finalizers)]]
        return Service(try await client.patch(.services, service.key, patch))
    }

    // MARK: Giving back

    private func giveBack(_ service: Service, _ client: any Client) async throws {
        guard Self.isMarked(service) else { return try await release(service.key) }
        await tell(service, client, "DeletingLoadBalancer", "Deleting load balancer")
        try await release(service.key)
        let shown = service.status["loadBalancer"]["ingress"].items.compactMap { $0["ip"].string.flatMap { IPAddress($0) } }
        for address in shown where claims.owner(of: address) == nil { try await withdraw(address) }
        if !service.isBeingDeleted, !shown.isEmpty { try await show(nil, of: service, client) }
        guard let last = try await client.find(Service.self, service.key), last.uid == service.uid, Self.isMarked(last) else { return }
        _ = try await write(last.json["metadata"]["finalizers"].items.filter { $0.string != Self.finalizer }, to: last, client)
        await tell(last, client, "DeletedLoadBalancer", "Deleted load balancer")
    }

    private func release(_ key: ObjectKey, waits: Bool = false) async throws {
        if let address = claims.release(key, waits: waits) { try await withdraw(address) }
    }

    private func withdraw(_ address: IPAddress) async throws {
        try await announcer.announce(address, from: nil)
        claims.forgetPlace(of: address)
    }

    private func tell(_ service: Service, _ client: any Client, _ reason: String, _ message: String, type: String = "Normal") async {
        await client.recordEvent(about: service, type: type, reason: reason, message: message, component: Self.component)
    }
}

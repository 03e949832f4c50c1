import Model
import Rules

/// Compiles one Service and its endpoints into its part of the `kube-proxy` table: elements of the table's sets and maps, and no rule, so
/// that a change of one Service is a change of its elements. What all Services together need is `ServiceFrame`'s.
package struct ServiceCompiler: Sendable {
    package let node: NodeView
    /// The node's zone, which endpoints may be meant for.
    package var zone: String?

    package init(node: NodeView) { self.node = node }

    package init(node: NodeView, zone: String?) {
        self.init(node: node)
        self.zone = zone
    }

    /// `previous`: the part as it was compiled last. Who had a number keeps it, as far as there are as many, so that a change of one
    /// endpoint changes the elements of one, however many there are. `taken`: what it claims from outside, and another Service has.
    package func compile(
        _ service: Service, _ slices: [EndpointSlice], after previous: Ruleset = Ruleset(), without taken: Set<ExternalFrontend> = []
    ) -> Ruleset {
        var rules = Ruleset()
        guard let clusterIP = service.clusterIP(node.family), service.type != "ExternalName" else { return rules }
        rules.add([.address(clusterIP)], ElementData(comment: "\(service.key)"), to: ServiceTable.clusterIPs)
        for port in service.ports {
            let plan = PortPlan(
                service, port, clusterIP, endpoints(slices, port), externalFrontends(service, port, without: taken).map(\.key))
            addIdle(plan, &rules)
            addFirewall(plan, &rules)
            addEndpoints(plan, previous, &rules)
        }
        return rules
    }

    /// The whole table of some Services, with their slices.
    package func table(_ services: [(Service, [EndpointSlice])]) -> Ruleset {
        var table = ServiceTable.base(node), frame = ServiceFrame(node: node), claims = ExternalClaims()
        for (service, _) in services { _ = claims.set(service.key, service, externalFrontends(service)) }
        for (service, slices) in services {
            let part = compile(service, slices, without: claims.taken(from: service.key))
            table.merge(part)
            frame.count(share(service, slices, part), by: 1)
        }
        table.merge(frame.rules)
        return table
    }

    /// What a Service that compiled to `part` adds to what all need together.
    package func share(_ service: Service?, _ slices: [EndpointSlice], _ part: Ruleset) -> ServiceShare {
        guard let service, !part.isEmpty else { return ServiceShare(part, local: []) }
        return ServiceShare(
            part, local: localAddresses(slices), balancers: Set(service.balancerAddresses.filter { $0.family == node.family }))
    }

    /// What a Service's port without endpoints says: a refusal where there are none, silence where the policy Local finds them elsewhere.
    private func addIdle(_ plan: PortPlan, _ rules: inout Ruleset) {
        let who = ElementData(comment: plan.comment)
        for key in [plan.serviceKey] + plan.externalKeys where plan.isIdle {
            rules.add(key, who, to: ServiceTable.noEndpointServices)
        }
        // So that load balancers pass the node by.
        if plan.isIdle {
            if let key = plan.nodePortKey { rules.add(key, who, to: ServiceTable.noEndpointNodePorts) }
            return
        }
        if plan.inside.isEmpty { rules.add(plan.serviceKey, who, to: ServiceTable.noLocalEndpointServices) }
        guard plan.service.externalTrafficIsLocal, plan.local.isEmpty else { return }
        for key in plan.externalKeys { rules.add(key, who, to: ServiceTable.noLocalEndpointExternals) }
        if let key = plan.nodePortKey { rules.add(key, who, to: ServiceTable.noLocalEndpointNodePorts) }
    }

    /// Who may come by the load balancer's address. What a node sends to an address of its own comes from that address: where it may come,
    /// that may. (kubernetes pkg/proxy/nftables/proxier.go, allowFromNode)
    private func addFirewall(_ plan: PortPlan, _ rules: inout Ruleset) {
        let ranges = plan.service.sourceRanges.filter { $0.family == node.family }
        if ranges.isEmpty { return }
        let who = ElementData(comment: plan.comment), balancers = plan.service.balancerAddresses
        // Of two that overlap one holds the other, which says nothing new; the kernel takes no such pair.
        let widest = ranges.filter { range in !ranges.contains { $0 != range && $0.contains(range) } }
        for key in plan.externalKeys {
            guard case .address(let address) = key[0], balancers.contains(address) else { continue }
            rules.add(key, who, to: ServiceTable.firewallIPs)
            for range in widest { rules.add(key + [.network(range)], who, to: ServiceTable.firewallSources) }
            if widest.contains(where: { $0.contains(node.address) }), !widest.contains(where: { $0.contains(address) }) {
                rules.add(key + [.address(address)], who, to: ServiceTable.firewallSources)
            }
        }
    }

    /// The ways in, each with who serves it.
    private func addEndpoints(_ plan: PortPlan, _ previous: Ruleset, _ rules: inout Ruleset) {
        let who = ElementData(comment: plan.comment)
        func add(_ endpoints: [Endpoint], _ way: ServiceWay, _ key: [Value]) {
            if endpoints.isEmpty { return }
            if let seconds = plan.service.affinitySeconds {
                rules.add(endpoints, of: plan, way, key, seconds, after: previous)
                return
            }
            var targets = endpoints.flatMap { endpoint in
                [[Value]](repeating: [.address(endpoint.address), .port(endpoint.port)], count: plan.slots[endpoint] ?? 1)
            }
            // Where none of those here has a number, each has one: there is no die without sides.
            if targets.isEmpty, plan.refused == 0 { targets = endpoints.map { [.address($0.address), .port($0.port)] } }
            rules.add(key, who, to: way.set(targets.count + plan.refused))
            for (slot, target) in Self.keeping(previous.elements[way.map], key, targets, among: targets.count + plan.refused) {
                rules.add(key + [.slot(UInt32(slot))], ElementData(data: target, comment: plan.comment), to: way.map)
            }
        }
        add(plan.inside, .services, plan.serviceKey)
        if plan.isIdle { return }
        let isLocal = plan.service.externalTrafficIsLocal
        for key in plan.externalKeys {
            if plan.refused > 0 { rules.add(key, who, to: ServiceTable.partlyRefused) }
            rules.add(key, who, to: isLocal ? ServiceTable.localExternalIPs : ServiceTable.externalIPs)
            add(plan.endpoints, .services, key)
            if isLocal { add(plan.local, .localExternalIPs, key) }
        }
        guard let key = plan.nodePortKey else { return }
        rules.add(key, who, to: isLocal ? ServiceTable.localNodePorts : ServiceTable.clusterNodePorts)
        add(plan.endpoints, .nodePorts, key)
        if isLocal { add(plan.local, .localNodePorts, key) }
    }

    /// A number below `count` for each of `targets`: those that `map` has below `key` stay where they are.
    private static func keeping(_ map: [[Value]: ElementData]?, _ key: [Value], _ targets: [[Value]], among count: Int)
        -> [(slot: Int, target: [Value])]
    {
        var rest = targets.reduce(into: [[Value]: Int]()) { $0[$1, default: 0] += 1 }
        var slots = [[Value]?](repeating: nil, count: count)
        func take(_ target: [Value]) -> Bool {
            guard let left = rest[target], left > 0 else { return false }
            rest[target] = left - 1
            return true
        }
        if let map {
            for slot in slots.indices {
                guard let target = map[key + [.slot(UInt32(slot))]]?.data, take(target) else { continue }
                slots[slot] = target
            }
        }
        var others = targets.filter(take).makeIterator()
        for slot in slots.indices where slots[slot] == nil { slots[slot] = others.next() }
        return slots.enumerated().compactMap { slot, target in target.map { (slot, $0) } }
    }

    /// One port of a Service with who serves it, and the names that it has in the table.
    struct PortPlan {
        let service: Service
        let port: Service.Port
        let clusterIP: IPAddress
        let endpoints: [Endpoint]
        let local: [Endpoint]
        let slots: [Endpoint: Int]
        let refused: Int
        /// Its addresses from outside, each with the port.
        let externalKeys: [[Value]]
        let comment: String

        init(_ service: Service, _ port: Service.Port, _ clusterIP: IPAddress, _ serving: Endpoints, _ externalKeys: [[Value]]) {
            self.service = service
            self.port = port
            self.clusterIP = clusterIP
            self.externalKeys = externalKeys
            endpoints = serving.all
            local = serving.local
            slots = serving.slots
            refused = serving.refused
            comment = "\(service.key)\(port.name.isEmpty ? "" : ":\(port.name)")"
        }

        /// Nobody serves it, on whatever node.
        var isIdle: Bool { endpoints.isEmpty && local.isEmpty }
        /// Who serves what comes to the ClusterIP.
        var inside: [Endpoint] { service.internalTrafficIsLocal ? local : endpoints }
        var serviceKey: [Value] { [.address(clusterIP), .proto(port.proto), .port(UInt16(port.port))] }
        var nodePortKey: [Value]? { port.nodePort.map { [.proto(port.proto), .port(UInt16($0))] } }
    }
}

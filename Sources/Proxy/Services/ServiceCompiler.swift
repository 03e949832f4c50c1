import Model
import Rules

/// Compiles one Service and its endpoints into its part of the `kube-proxy` table: elements of the table's sets and maps, and no rule, so
/// that a change of one Service is a change of its elements. What all Services together need is `ServiceFrame`'s.
package struct ServiceCompiler: Sendable {
    package let node: NodeView

    package init(node: NodeView) { self.node = node }

    /// `previous`: the part as it was compiled last. Who had a number keeps it, as far as there are as many, so that a change of one
    /// endpoint changes the elements of one, however many there are.
    package func compile(_ service: Service, _ slices: [EndpointSlice], after previous: Ruleset = Ruleset()) -> Ruleset {
        var rules = Ruleset()
        guard let clusterIP = service.clusterIP(node.family), service.type != "ExternalName" else { return rules }
        rules.add([.address(clusterIP)], ElementData(comment: "\(service.key)"), to: ServiceTable.clusterIPs)
        for port in service.ports {
            let plan = PortPlan(service, port, clusterIP, endpoints(slices, port))
            addIdle(plan, &rules)
            addEndpoints(plan, previous, &rules)
        }
        return rules
    }

    /// The whole table of some Services, with their slices.
    package func table(_ services: [(Service, [EndpointSlice])]) -> Ruleset {
        var table = ServiceTable.base(node), frame = ServiceFrame(node: node)
        for (service, slices) in services {
            let part = compile(service, slices)
            table.merge(part)
            frame.count(ServiceShare(part, local: localAddresses(slices)), by: 1)
        }
        table.merge(frame.rules)
        return table
    }

    /// What a Service's port without endpoints says: a refusal where there are none, silence where the policy Local finds them elsewhere.
    private func addIdle(_ plan: PortPlan, _ rules: inout Ruleset) {
        let who = ElementData(comment: plan.comment)
        if plan.endpoints.isEmpty {
            rules.add(plan.serviceKey, who, to: ServiceTable.noEndpointServices)
        } else if plan.inside.isEmpty {
            rules.add(plan.serviceKey, who, to: ServiceTable.noLocalEndpointServices)
        }
        // So that load balancers pass the node by.
        guard let nodePortKey = plan.nodePortKey else { return }
        if plan.endpoints.isEmpty {
            rules.add(nodePortKey, who, to: ServiceTable.noEndpointNodePorts)
        } else if plan.service.externalTrafficIsLocal, plan.local.isEmpty {
            rules.add(nodePortKey, who, to: ServiceTable.noLocalEndpointNodePorts)
        }
    }

    /// The ways in, each with who serves it.
    private func addEndpoints(_ plan: PortPlan, _ previous: Ruleset, _ rules: inout Ruleset) {
        func add(_ endpoints: [Endpoint], _ way: ServiceWay, _ key: [Value]) {
            if endpoints.isEmpty { return }
            if let seconds = plan.service.affinitySeconds {
                rules.add(endpoints, of: plan, way, key, seconds, after: previous)
                return
            }
            rules.add(key, ElementData(comment: plan.comment), to: way.set(endpoints.count))
            let targets = endpoints.map { [Value.address($0.address), .port($0.port)] }
            for (slot, target) in Self.keeping(previous.elements[way.map], key, targets).enumerated() {
                rules.add(key + [.slot(UInt32(slot))], ElementData(data: target, comment: plan.comment), to: way.map)
            }
        }
        add(plan.inside, .services, plan.serviceKey)
        guard let nodePortKey = plan.nodePortKey, !plan.endpoints.isEmpty else { return }
        let isLocal = plan.service.externalTrafficIsLocal
        rules.add(
            nodePortKey, ElementData(comment: plan.comment), to: isLocal ? ServiceTable.localNodePorts : ServiceTable.clusterNodePorts)
        add(plan.endpoints, .nodePorts, nodePortKey)
        if isLocal { add(plan.local, .localNodePorts, nodePortKey) }
    }

    /// `targets` in an order in which those that `map` has below `key` stay where they are.
    private static func keeping(_ map: [[Value]: ElementData]?, _ key: [Value], _ targets: [[Value]]) -> [[Value]] {
        guard let map, map[key + [.slot(0)]] != nil else { return targets }
        var rest = Set(targets)
        var slots = targets.indices.map { slot in map[key + [.slot(UInt32(slot))]]?.data.flatMap { rest.remove($0) } }
        var others = targets.filter(rest.contains).makeIterator()
        for slot in slots.indices where slots[slot] == nil { slots[slot] = others.next() }
        return slots.compactMap { $0 }
    }

    /// One port of a Service with who serves it, and the names that it has in the table.
    struct PortPlan {
        let service: Service
        let port: Service.Port
        let clusterIP: IPAddress
        let endpoints: [Endpoint]
        let local: [Endpoint]
        let comment: String

        init(_ service: Service, _ port: Service.Port, _ clusterIP: IPAddress, _ endpoints: [Endpoint]) {
            self.service = service
            self.port = port
            self.clusterIP = clusterIP
            self.endpoints = endpoints
            local = endpoints.filter(\.isLocal)
            comment = "\(service.key)\(port.name.isEmpty ? "" : ":\(port.name)")"
        }

        /// Who serves what comes to the ClusterIP.
        var inside: [Endpoint] { service.internalTrafficIsLocal ? local : endpoints }
        var serviceKey: [Value] { [.address(clusterIP), .proto(port.proto), .port(UInt16(port.port))] }
        var nodePortKey: [Value]? { port.nodePort.map { [.proto(port.proto), .port(UInt16($0))] } }
    }
}

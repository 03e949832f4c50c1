import Model
import Rules

/// Compiles one Service and its endpoints into its part of the `kube-proxy` table. Parts share the table's maps and
/// nothing else, so a change of one Service is a change of one part.
package struct ServiceCompiler: Sendable {
    package let node: NodeView

    package init(node: NodeView) { self.node = node }

    package func compile(_ service: Service, _ slices: [EndpointSlice]) -> Ruleset {
        var rules = Ruleset()
        guard let clusterIP = service.clusterIP, clusterIP.family == node.family, service.type != "ExternalName" else { return rules }
        rules.add([.address(clusterIP)], ElementData(comment: "\(service.key)"), to: ServiceTable.clusterIPs)
        for port in service.ports { compile(service, port, clusterIP, endpoints(slices, port), into: &rules) }
        return rules
    }

    private func compile(
        _ service: Service, _ port: Service.Port, _ clusterIP: IPAddress, _ endpoints: [Endpoint], into rules: inout Ruleset
    ) {
        let plan = PortPlan(service, port, endpoints)
        let serviceKey: [Value] = [.address(clusterIP), .proto(port.proto), .port(UInt16(port.port))]
        let nodePortKey: [Value]? = port.nodePort.map { [.proto(port.proto), .port(UInt16($0))] }
        addIdle(plan, serviceKey, nodePortKey, to: &rules)
        guard !endpoints.isEmpty else { return }

        let fromInside = service.internalTrafficIsLocal ? plan.local : endpoints
        let internalChain = service.internalTrafficIsLocal ? plan.localChain : plan.clusterChain
        if !fromInside.isEmpty {
            rules.add(serviceKey, ElementData(verdict: .goto(internalChain), comment: plan.comment), to: ServiceTable.serviceIPs)
        }
        let fromOutsideNetwork = Rule(
            .match(.destinationAddress(node.family), .address(clusterIP)),
            .match(.sourceAddress(node.family), .network(node.clusterCIDR), negated: true),
            .verdict(.jump(ServiceTable.markForMasquerade)), comment: "\(plan.comment): from outside the pod network")
        // Pods and the node itself go to all endpoints at a NodePort, whatever the policies say.
        if nodePortKey != nil || !service.internalTrafficIsLocal {
            rules.chains[plan.clusterChain] = balance(
                plan, endpoints, first: service.internalTrafficIsLocal ? [] : [fromOutsideNetwork], into: &rules)
        }
        if !plan.local.isEmpty, service.internalTrafficIsLocal || (service.externalTrafficIsLocal && nodePortKey != nil) {
            rules.chains[plan.localChain] = balance(
                plan, plan.local, first: service.internalTrafficIsLocal ? [fromOutsideNetwork] : [], into: &rules)
        }
        guard let nodePortKey else { return }
        rules.add(nodePortKey, ElementData(verdict: .goto(plan.externalChain), comment: plan.comment), to: ServiceTable.serviceNodePorts)
        rules.chains[plan.externalChain] = service.externalTrafficIsLocal ? externalLocal(plan) : externalCluster(plan)
    }

    /// What a Service's port without endpoints says.
    private func addIdle(_ plan: PortPlan, _ serviceKey: [Value], _ nodePortKey: [Value]?, to rules: inout Ruleset) {
        let isReject = ElementData(verdict: .goto(ServiceTable.rejectChain), comment: plan.comment)
        // A policy of Local with endpoints elsewhere is silence; no endpoint at all is a refusal.
        let isSilent = ElementData(verdict: .drop, comment: plan.comment)
        let idle = plan.endpoints.isEmpty ? isReject : isSilent
        if plan.endpoints.isEmpty || (plan.service.internalTrafficIsLocal && plan.local.isEmpty) {
            rules.add(serviceKey, idle, to: ServiceTable.noEndpointServices)
        }
        // So that load balancers pass the node by.
        if let nodePortKey, plan.endpoints.isEmpty || (plan.service.externalTrafficIsLocal && plan.local.isEmpty) {
            rules.add(nodePortKey, idle, to: ServiceTable.noEndpointNodePorts)
        }
    }

    private func externalCluster(_ plan: PortPlan) -> Chain {
        Chain([Rule(.verdict(.jump(ServiceTable.markForMasquerade)), comment: plan.comment), Rule(.verdict(.goto(plan.clusterChain)))])
    }

    /// The client's address is kept and only this node's endpoints are used. Pods and the node itself are subject to neither: it is for
    /// them as if they had gone out to a load balancer and come back in. (kubernetes pkg/proxy/nftables/proxier.go)
    private func externalLocal(_ plan: PortPlan) -> Chain {
        let isNode = Statement.inSet([.sourceAddress(node.family)], ServiceTable.nodePortIPs)
        var rules = [
            Rule(
                .match(.sourceAddress(node.family), .network(node.clusterCIDR)), .verdict(.goto(plan.clusterChain)),
                comment: "short-circuit pod traffic"
            ),
            Rule(isNode, .verdict(.jump(ServiceTable.markForMasquerade)), comment: "masquerade local traffic"),
            Rule(isNode, .verdict(.goto(plan.clusterChain)), comment: "short-circuit local traffic"),
        ]
        // Without an endpoint here the rest comes to the node itself, where it is dropped.
        if !plan.local.isEmpty { rules.append(Rule(.verdict(.goto(plan.localChain)))) }
        return Chain(rules)
    }

    /// A chain that throws dice for one of `endpoints`, after those that remember the client.
    private func balance(_ plan: PortPlan, _ endpoints: [Endpoint], first: [Rule], into rules: inout Ruleset) -> Chain {
        let chains = endpoints.map { endpointChain($0, plan.service, plan.port, plan.suffix, into: &rules) }
        var all = first
        if plan.service.affinitySeconds != nil {
            for (endpoint, chain) in zip(endpoints, chains) {
                let set = affinitySet(endpoint, plan.suffix, plan.service)
                all.append(Rule(.inSet([.sourceAddress(node.family)], set), .verdict(.goto(chain)), comment: plan.comment))
            }
        }
        all.append(chains.count == 1 ? Rule(.verdict(.goto(chains[0]))) : Rule(.randomGoto(chains)))
        return Chain(all)
    }

    /// One port of a Service with who serves it, and the names of its chains.
    private struct PortPlan {
        let service: Service
        let port: Service.Port
        let endpoints: [Endpoint]
        let local: [Endpoint]
        let comment: String
        let suffix: String
        /// For the policy Cluster, for the policy Local, and for what comes to a NodePort, as kube-proxy names them.
        let clusterChain: String, localChain: String, externalChain: String

        init(_ service: Service, _ port: Service.Port, _ endpoints: [Endpoint]) {
            self.service = service
            self.port = port
            self.endpoints = endpoints
            local = endpoints.filter(\.isLocal)
            comment = "\(service.key)\(port.name.isEmpty ? "" : ":\(port.name)")"
            suffix = "\(service.namespace)/\(service.name)/\(port.proto.rawValue.lowercased())/\(port.name)"
            clusterChain = ServiceTable.chainName("service", suffix)
            localChain = ServiceTable.chainName("local", suffix)
            externalChain = ServiceTable.chainName("external", suffix)
        }
    }

    private func endpointChain(
        _ endpoint: Endpoint, _ service: Service, _ port: Service.Port, _ suffix: String, into rules: inout Ruleset
    ) -> String {
        let name = ServiceTable.chainName("endpoint", "\(suffix)__\(endpoint.address)/\(endpoint.port)")
        guard rules.chains[name] == nil else { return name }
        var body = [
            Rule(
                .match(.sourceAddress(node.family), .address(endpoint.address)), .verdict(.jump(ServiceTable.markForMasquerade)),
                comment: "hairpin: the pod reaches itself")
        ]
        if let seconds = service.affinitySeconds {
            let set = affinitySet(endpoint, suffix, service)
            rules.sets[set] = NamedSet(key: [.address(node.family)], timeout: seconds)
            body.append(Rule(.remember(.sourceAddress(node.family), set)))
        }
        body.append(Rule(.destinationNAT(port.proto, endpoint.address, endpoint.port)))
        rules.chains[name] = Chain(body)
        return name
    }

    /// The seconds are part of the name, for a set's timeout never changes.
    private func affinitySet(_ endpoint: Endpoint, _ suffix: String, _ service: Service) -> String {
        ServiceTable.chainName("affinity", "\(suffix)__\(endpoint.address)/\(endpoint.port)/\(service.affinitySeconds ?? 0)s")
    }
}

extension ServiceTable {
    /// A hash, then readable text, as kube-proxy names its chains: `service-ULMVA6XW-ns1/svc1/tcp/p80`. The kernel allows
    /// 127 bytes.
    package static func chainName(_ kind: String, _ text: String) -> String {
        // Only what nft reads as a name, so that people can type it; objects' names and addresses are ASCII.
        let readable = text.utf8.lazy.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-")...UInt8(ascii: "9"),
                UInt8(ascii: "_"):
                byte
            default: UInt8(ascii: "_")
            }
        }
        let name = Array("\(kind)-\(ShortHash.base32(text))-".utf8) + readable
        return String(decoding: name.prefix(127), as: UTF8.self)
    }
}

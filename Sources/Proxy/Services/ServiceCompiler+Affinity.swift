import Model
import Rules

/// Services that remember their clients (sessionAffinity: ClientIP) have chains, as in kube-proxy: one for each way in, one for each
/// endpoint, and for each endpoint a set of the clients that it has served. An element of a map leads to the first chain.
extension ServiceCompiler {
    func addAffinity(_ plan: PortPlan, _ rules: inout Ruleset) {
        guard !plan.isIdle else { return }
        let service = plan.service, isLocalInside = service.internalTrafficIsLocal
        if !plan.inside.isEmpty {
            let chain = isLocalInside ? plan.localChain : plan.clusterChain
            rules.add(plan.serviceKey, ElementData(verdict: .goto(chain), comment: plan.comment), to: ServiceTable.serviceIPs)
        }
        let fromOutsideNetwork = Rule(
            .match(.destinationAddress(node.family), .address(plan.clusterIP)),
            .match(.sourceAddress(node.family), .network(node.clusterCIDR), negated: true),
            .verdict(.jump(ServiceTable.markForMasquerade)), comment: "\(plan.comment): from outside the pod network")
        // Pods and the node itself go to all endpoints when they come from outside, whatever the policies say.
        if !plan.endpoints.isEmpty, plan.isExternal || !isLocalInside {
            rules.chains[plan.clusterChain] = balance(plan, plan.endpoints, first: isLocalInside ? [] : [fromOutsideNetwork], into: &rules)
        }
        if !plan.local.isEmpty, isLocalInside || (service.externalTrafficIsLocal && plan.isExternal) {
            rules.chains[plan.localChain] = balance(plan, plan.local, first: isLocalInside ? [fromOutsideNetwork] : [], into: &rules)
        }
        guard plan.isExternal else { return }
        let external = ElementData(verdict: .goto(plan.externalChain), comment: plan.comment)
        for key in plan.externalKeys { rules.add(key, external, to: ServiceTable.serviceIPs) }
        if let nodePortKey = plan.nodePortKey { rules.add(nodePortKey, external, to: ServiceTable.serviceNodePorts) }
        rules.chains[plan.externalChain] = service.externalTrafficIsLocal ? externalLocal(plan) : externalCluster(plan)
    }

    private func externalCluster(_ plan: PortPlan) -> Chain {
        Chain([Rule(.verdict(.jump(ServiceTable.markForMasquerade)), comment: plan.comment), Rule(.verdict(.goto(plan.clusterChain)))])
    }

    /// The client's address is kept and only this node's endpoints are used. Pods and the node itself are subject to neither.
    private func externalLocal(_ plan: PortPlan) -> Chain {
        var rules = ServiceTable.shortCircuit(node, to: plan.clusterChain)
        // Without an endpoint here the rest comes to the node itself, where it is dropped.
        if !plan.local.isEmpty { rules.append(Rule(.verdict(.goto(plan.localChain)))) }
        return Chain(rules)
    }

    /// A chain that throws dice for one of `endpoints`, after those that remember the client.
    private func balance(_ plan: PortPlan, _ endpoints: [Endpoint], first: [Rule], into rules: inout Ruleset) -> Chain {
        let chains = endpoints.map { endpointChain($0, plan, into: &rules) }
        let remembering = zip(endpoints, chains).map { endpoint, chain in
            Rule(.inSet([.sourceAddress(node.family)], affinitySet(endpoint, plan)), .verdict(.goto(chain)), comment: plan.comment)
        }
        return Chain(first + remembering + [chains.count == 1 ? Rule(.verdict(.goto(chains[0]))) : Rule(.randomGoto(chains))])
    }

    private func endpointChain(_ endpoint: Endpoint, _ plan: PortPlan, into rules: inout Ruleset) -> String {
        let name = ServiceTable.chainName("endpoint", "\(plan.suffix)__\(endpoint.address)/\(endpoint.port)")
        guard rules.chains[name] == nil else { return name }
        let set = affinitySet(endpoint, plan)
        rules.sets[set] = NamedSet(key: [.address(node.family)], timeout: plan.service.affinitySeconds)
        rules.chains[name] = Chain([
            Rule(
                .match(.sourceAddress(node.family), .address(endpoint.address)), .verdict(.jump(ServiceTable.markForMasquerade)),
                comment: "hairpin: the pod reaches itself"),
            Rule(.remember(.sourceAddress(node.family), set)),
            Rule(.destinationNAT(plan.port.proto, endpoint.address, endpoint.port)),
        ])
        return name
    }

    /// The seconds are part of the name, for a set's timeout never changes.
    private func affinitySet(_ endpoint: Endpoint, _ plan: PortPlan) -> String {
        ServiceTable.chainName(
            "affinity", "\(plan.suffix)__\(endpoint.address)/\(endpoint.port)/\(plan.service.affinitySeconds ?? 0)s")
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

import Model
import Rules

/// Compiles one Service and its endpoints into its part of the `kube-proxy` table. Parts share the table's maps and
/// nothing else, so a change of one Service is a change of one part.
package struct ServiceCompiler: Sendable {
    package let node: NodeView

    package init(node: NodeView) { self.node = node }

    /// An address and port that serve one port of a Service.
    struct Endpoint: Hashable, Comparable {
        let address: IPv4Address
        let port: UInt16
        let isLocal: Bool

        static func < (a: Self, b: Self) -> Bool { (a.address, a.port) < (b.address, b.port) }
    }

    package func compile(_ service: Service, _ slices: [EndpointSlice]) -> Ruleset {
        var rules = Ruleset()
        guard let clusterIP = service.clusterIP, service.type != "ExternalName" else { return rules }
        rules.add([.address(clusterIP)], ElementData(comment: "\(service.key)"), to: ServiceTable.clusterIPs)
        for port in service.ports { compile(service, port, clusterIP, endpoints(slices, port), into: &rules) }
        return rules
    }

    private func compile(
        _ service: Service, _ port: Service.Port, _ clusterIP: IPv4Address, _ endpoints: [Endpoint], into rules: inout Ruleset
    ) {
        let comment = "\(service.key)\(port.name.isEmpty ? "" : ":\(port.name)")"
        let suffix = "\(service.namespace)/\(service.name)/\(port.proto.rawValue.lowercased())/\(port.name)"
        let serviceKey: [Value] = [.address(clusterIP), .proto(port.proto), .port(UInt16(port.port))]
        let nodePortKey: [Value]? = port.nodePort.map { [.proto(port.proto), .port(UInt16($0))] }

        let local = endpoints.filter(\.isLocal)
        let fromInside = service.internalTrafficIsLocal ? local : endpoints
        let fromOutside = service.externalTrafficIsLocal ? local : endpoints
        let isReject = ElementData(verdict: .goto(ServiceTable.rejectChain), comment: comment)
        // A policy of Local with endpoints elsewhere is silence; no endpoint at all is a refusal.
        let isSilent = ElementData(verdict: .drop, comment: comment)
        if fromInside.isEmpty { rules.add(serviceKey, endpoints.isEmpty ? isReject : isSilent, to: ServiceTable.noEndpointServices) }
        if let nodePortKey, fromOutside.isEmpty {
            // So that load balancers pass the node by.
            let data = endpoints.isEmpty ? isReject : isSilent
            rules.add(nodePortKey, data, to: ServiceTable.noEndpointNodePorts)
        }

        func balance(_ name: String, _ endpoints: [Endpoint], first: [Rule]) {
            let chains = endpoints.map { endpointChain($0, service, port, suffix, into: &rules) }
            var all = first
            if service.affinitySeconds != nil {
                for (endpoint, chain) in zip(endpoints, chains) {
                    all.append(
                        Rule(.inSet([.sourceAddress], affinitySet(endpoint, suffix, service)), .verdict(.goto(chain)), comment: comment))
                }
            }
            all.append(chains.count == 1 ? Rule(.verdict(.goto(chains[0]))) : Rule(.randomGoto(chains)))
            rules.chains[name] = Chain(all)
        }

        let serviceChain = ServiceTable.chainName("service", suffix)
        if !fromInside.isEmpty {
            rules.add(serviceKey, ElementData(verdict: .goto(serviceChain), comment: comment), to: ServiceTable.serviceIPs)
            balance(
                serviceChain, fromInside,
                first: [
                    Rule(
                        .match(.destinationAddress, .address(clusterIP)),
                        .match(.sourceAddress, .network(node.clusterCIDR), negated: true),
                        .verdict(.jump(ServiceTable.markForMasquerade)), comment: "\(comment): from outside the pod network")
                ])
        }
        if let nodePortKey, !fromOutside.isEmpty {
            let externalChain = ServiceTable.chainName("external", suffix)
            rules.add(
                nodePortKey, ElementData(verdict: .goto(externalChain), comment: comment), to: ServiceTable.serviceNodePorts)
            if service.externalTrafficIsLocal {
                // The client's address is kept, except for the cluster's own pods, which may use every endpoint.
                let exempt = Rule(
                    .match(.sourceAddress, .network(node.clusterCIDR)), .verdict(.goto(serviceChain)), comment: "short-circuit pod traffic")
                balance(externalChain, local, first: service.internalTrafficIsLocal || fromInside.isEmpty ? [] : [exempt])
            } else if !fromInside.isEmpty, !service.internalTrafficIsLocal {
                rules.chains[externalChain] = Chain([
                    Rule(.verdict(.jump(ServiceTable.markForMasquerade)), comment: comment), Rule(.verdict(.goto(serviceChain))),
                ])
            } else {
                balance(externalChain, fromOutside, first: [Rule(.verdict(.jump(ServiceTable.markForMasquerade)), comment: comment)])
            }
        }
    }

    private func endpointChain(
        _ endpoint: Endpoint, _ service: Service, _ port: Service.Port, _ suffix: String, into rules: inout Ruleset
    ) -> String {
        let name = ServiceTable.chainName("endpoint", "\(suffix)__\(endpoint.address)/\(endpoint.port)")
        guard rules.chains[name] == nil else { return name }
        var body = [
            Rule(
                .match(.sourceAddress, .address(endpoint.address)), .verdict(.jump(ServiceTable.markForMasquerade)),
                comment: "hairpin: the pod reaches itself")
        ]
        if let seconds = service.affinitySeconds {
            let set = affinitySet(endpoint, suffix, service)
            rules.sets[set] = NamedSet(key: [.address], timeout: seconds)
            body.append(Rule(.remember(.sourceAddress, set)))
        }
        body.append(Rule(.destinationNAT(port.proto, endpoint.address, endpoint.port)))
        rules.chains[name] = Chain(body)
        return name
    }

    /// The seconds are part of the name, for a set's timeout never changes.
    private func affinitySet(_ endpoint: Endpoint, _ suffix: String, _ service: Service) -> String {
        ServiceTable.chainName("affinity", "\(suffix)__\(endpoint.address)/\(endpoint.port)/\(service.affinitySeconds ?? 0)s")
    }

    /// The endpoints that serve `port`: the ready ones, else those that end but still serve (KEP-1669).
    private func endpoints(_ slices: [EndpointSlice], _ port: Service.Port) -> [Endpoint] {
        var ready: Set<Endpoint> = [], serving: Set<Endpoint> = []
        for slice in slices {
            let numbers = slice.ports.filter {
                ($0["name"].string ?? "") == port.name && ($0["protocol"].string ?? "TCP") == port.proto.rawValue
            }.compactMap { $0["port"].int.flatMap { UInt16(exactly: $0) } }
            for endpoint in slice.endpoints {
                let conditions = endpoint["conditions"]
                for address in endpoint["addresses"].items.compactMap({ $0.string.flatMap { IPv4Address($0) } }) {
                    for number in numbers {
                        let isLocal = endpoint["nodeName"].string == node.name
                        let value = Endpoint(address: address, port: number, isLocal: isLocal)
                        if conditions["ready"].bool ?? true { ready.insert(value) }
                        if conditions["serving"].bool ?? false, conditions["terminating"].bool ?? false { serving.insert(value) }
                    }
                }
            }
        }
        return (ready.isEmpty ? serving : ready).sorted()
    }
}

extension ServiceTable {
    /// A hash, then readable text, as kube-proxy names its chains: `service-ULMVA6XW-ns1/svc1/tcp/p80`. The kernel allows
    /// 127 bytes.
    package static func chainName(_ kind: String, _ text: String) -> String {
        // Only what nft reads as a name, so that people can type it.
        let readable = text.map { $0.isLetter || $0.isNumber || "/_.-".contains($0) ? $0 : "_" }
        return String("\(kind)-\(ShortHash.base32(text))-\(String(readable))".prefix(127))
    }
}

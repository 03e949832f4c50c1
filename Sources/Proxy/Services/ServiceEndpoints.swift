import Model

extension ServiceCompiler {
    /// An address and port that serve one port of a Service.
    struct Endpoint: Hashable, Comparable {
        let address: IPAddress
        let port: UInt16
        let isLocal: Bool

        static func < (a: Self, b: Self) -> Bool { (a.address, a.port) < (b.address, b.port) }
    }

    /// Who serves one port of a Service, as far as a node may lead there.
    struct Endpoints {
        /// For the policy Cluster: anywhere, or as near as hints say.
        let all: [Endpoint]
        /// For the policy Local: on this node.
        let local: [Endpoint]
        /// How many numbers an endpoint has that has not one.
        var slots: [Endpoint: Int] = [:]
        /// How many nobody has: who throws one is refused.
        var refused = 0
    }

    /// The endpoints that serve `port`: the ready ones, else those that end but still serve (KEP-1669), in the cluster and on the node each
    /// for themselves. (kubernetes pkg/proxy/topology.go, CategorizeEndpoints)
    func endpoints(_ slices: [EndpointSlice], _ port: Service.Port) -> Endpoints {
        var ready: Set<Endpoint> = [], ending: Set<Endpoint> = [], hints = TopologyHints(), shares = SlotShares()
        for slice in slices {
            let numbers = slice.ports.filter { Self.serves($0, port) }.compactMap { $0["port"].int.flatMap { UInt16(exactly: $0) } }
            if numbers.isEmpty { continue }
            var members: [Endpoint] = []
            defer { shares.divide(slice.slots, among: members) }
            for endpoint in slice.endpoints {
                let conditions = endpoint["conditions"], isReady = conditions["ready"].bool ?? true
                let isEnding = (conditions["serving"].bool ?? true) && conditions["terminating"].bool ?? false
                guard isReady || isEnding else { continue }
                let isLocal = endpoint["nodeName"].string == node.name
                for address in addresses(endpoint) {
                    for number in numbers {
                        let value = Endpoint(address: address, port: number, isLocal: isLocal)
                        if isEnding { ending.insert(value) }
                        guard isReady else { continue }
                        ready.insert(value)
                        members.append(value)
                        hints.note(value, endpoint["hints"], node: node.name, zone: zone)
                    }
                }
            }
        }
        let local = ready.filter(\.isLocal)
        return Endpoints(
            all: (ready.isEmpty ? ending : hints.chosen ?? ready).sorted(),
            local: (local.isEmpty ? ending.filter(\.isLocal) : local).sorted(), slots: shares.slots, refused: shares.refused)
    }

    /// The addresses that UDP packets to each way into a Service may be led to: all that serve, whatever the traffic policies say, for a
    /// change of those leaves flows alone. (kubernetes pkg/proxy/conntrack/cleanup.go)
    func udpFrontends(_ service: Service, _ slices: [EndpointSlice], without taken: Set<ExternalFrontend> = [])
        -> [UDPFrontend: Set<IPAddress>]
    {
        guard let clusterIP = service.clusterIP(node.family), service.type != "ExternalName" else { return [:] }
        var frontends: [UDPFrontend: Set<IPAddress>] = [:]
        for port in service.ports where port.proto == .udp {
            var serving: Set<IPAddress> = []
            for slice in slices where slice.ports.contains(where: { Self.serves($0, port) }) {
                for endpoint in slice.endpoints {
                    let conditions = endpoint["conditions"]
                    guard conditions["serving"].bool ?? conditions["ready"].bool ?? true else { continue }
                    serving.formUnion(addresses(endpoint))
                }
            }
            frontends[UDPFrontend(address: clusterIP, port: UInt16(port.port))] = serving
            if let nodePort = port.nodePort { frontends[UDPFrontend(address: node.address, port: UInt16(nodePort))] = serving }
            for frontend in externalFrontends(service, port, without: taken) {
                frontends[UDPFrontend(address: frontend.address, port: frontend.port)] = serving
            }
        }
        return frontends
    }

    /// Of the endpoints that are on this node.
    func localAddresses(_ slices: [EndpointSlice]) -> Set<IPAddress> {
        Set(slices.flatMap { $0.endpoints.filter { $0["nodeName"].string == node.name }.flatMap(addresses) })
    }

    /// Of the ready ones alone, as load balancers count them.
    func readyLocalAddresses(_ slices: [EndpointSlice]) -> Set<IPAddress> {
        Set(
            slices.flatMap { slice in
                slice.endpoints.filter { $0["nodeName"].string == node.name && $0["conditions"]["ready"].bool ?? true }.flatMap(addresses)
            })
    }

    /// An endpoint's addresses of the node's family.
    private func addresses(_ endpoint: JSON) -> [IPAddress] {
        endpoint["addresses"].items.compactMap { $0.string.flatMap { IPAddress($0, node.family) } }
    }

    private static func serves(_ slicePort: JSON, _ port: Service.Port) -> Bool {
        (slicePort["name"].string ?? "") == port.name && (slicePort["protocol"].string ?? "TCP") == port.proto.rawValue
    }
}

/// How the numbers that slices claim are divided among their endpoints.
private struct SlotShares {
    private(set) var slots: [ServiceCompiler.Endpoint: Int] = [:]
    private(set) var refused = 0

    /// As evenly as may be; `members` of which a slice has more than numbers get none.
    mutating func divide(_ count: Int?, among members: [ServiceCompiler.Endpoint]) {
        guard let count else { return }
        if members.isEmpty { return refused += count }
        let (each, rest) = count.quotientAndRemainder(dividingBy: members.count)
        for (index, member) in members.enumerated() { slots[member, default: 0] += each + (index < rest ? 1 : 0) }
    }
}

/// Which of the ready endpoints are meant for a node: hints count when every one of them has some, and one is for the node itself, or else
/// for its zone. (kubernetes pkg/proxy/topology.go, topologyModeFromHints)
private struct TopologyHints {
    /// nil: there is an endpoint without such a hint.
    private var ofNode: Set<ServiceCompiler.Endpoint>? = []
    private var ofZone: Set<ServiceCompiler.Endpoint>? = []

    mutating func note(_ endpoint: ServiceCompiler.Endpoint, _ hints: JSON, node: String, zone: String?) {
        Self.note(endpoint, hints["forNodes"].items, node, in: &ofNode)
        Self.note(endpoint, hints["forZones"].items, zone, in: &ofZone)
    }

    private static func note(
        _ endpoint: ServiceCompiler.Endpoint, _ hints: [JSON], _ own: String?, in chosen: inout Set<ServiceCompiler.Endpoint>?
    ) {
        guard chosen != nil else { return }
        if hints.isEmpty { return chosen = nil }
        if let own, hints.contains(where: { $0["name"].string == own }) { chosen?.insert(endpoint) }
    }

    /// nil: all of them are.
    var chosen: Set<ServiceCompiler.Endpoint>? {
        if let ofNode, !ofNode.isEmpty { return ofNode }
        if let ofZone, !ofZone.isEmpty { return ofZone }
        return nil
    }
}

import Model

extension ServiceCompiler {
    /// An address and port that serve one port of a Service.
    struct Endpoint: Hashable, Comparable {
        let address: IPAddress
        let port: UInt16
        let isLocal: Bool

        static func < (a: Self, b: Self) -> Bool { (a.address, a.port) < (b.address, b.port) }
    }

    /// The endpoints that serve `port`: the ready ones, else those that end but still serve (KEP-1669).
    func endpoints(_ slices: [EndpointSlice], _ port: Service.Port) -> [Endpoint] {
        var ready: Set<Endpoint> = [], serving: Set<Endpoint> = []
        for slice in slices {
            let numbers = slice.ports.filter { Self.serves($0, port) }.compactMap { $0["port"].int.flatMap { UInt16(exactly: $0) } }
            for endpoint in slice.endpoints {
                let conditions = endpoint["conditions"]
                for address in addresses(endpoint) {
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

    /// The addresses that UDP packets to each way into a Service may be led to: all that serve, whatever the traffic policies say, for a
    /// change of those leaves flows alone. (kubernetes pkg/proxy/conntrack/cleanup.go)
    func udpFrontends(_ service: Service, _ slices: [EndpointSlice]) -> [UDPFrontend: Set<IPAddress>] {
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
        }
        return frontends
    }

    /// Of the endpoints that are on this node.
    func localAddresses(_ slices: [EndpointSlice]) -> Set<IPAddress> {
        Set(slices.flatMap { $0.endpoints.filter { $0["nodeName"].string == node.name }.flatMap(addresses) })
    }

    /// An endpoint's addresses of the node's family.
    private func addresses(_ endpoint: JSON) -> [IPAddress] {
        endpoint["addresses"].items.compactMap { $0.string.flatMap { IPAddress($0, node.family) } }
    }

    private static func serves(_ slicePort: JSON, _ port: Service.Port) -> Bool {
        (slicePort["name"].string ?? "") == port.name && (slicePort["protocol"].string ?? "TCP") == port.proto.rawValue
    }
}

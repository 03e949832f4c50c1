import Model

/// Which Service holds which cluster address and which node port.
struct ServiceClaims: Sendable {
    private var addresses: [IPAddress: ObjectKey] = [:]
    /// `TCP/30080`
    private var ports: [String: ObjectKey] = [:]
    private var held: [ObjectKey: (addresses: [IPAddress], ports: [String])] = [:]

    static func slot(_ port: JSON) -> String { "\(port["protocol"].string ?? "TCP")/\(port["nodePort"].int ?? 0)" }

    /// Notes what a Service holds now; nil: it is gone.
    mutating func set(_ key: ObjectKey, _ service: Service?) {
        if let old = held[key] {
            for address in old.addresses { addresses[address] = nil }
            for port in old.ports { ports[port] = nil }
        }
        held[key] = nil
        guard let service else { return }
        let health = service.healthCheckNodePort.map { ["TCP/\($0)"] } ?? []
        let slots = service.spec["ports"].items.filter { $0["nodePort"].int != nil }.map(Self.slot) + health
        held[key] = (service.clusterIPs, slots)
        for address in service.clusterIPs { addresses[address] = key }
        for slot in slots { ports[slot] = key }
    }

    func isTaken(_ address: IPAddress, but own: ObjectKey) -> Bool { addresses[address].map { $0 != own } ?? false }
    func isTaken(_ slot: String, but own: ObjectKey) -> Bool { ports[slot].map { $0 != own } ?? false }
}

/// Gives a Service its cluster address and node ports, as the API server's allocators do.
struct ServiceAllocator {
    let cluster: Cluster
    let claims: ServiceClaims
    /// The Service that asks.
    let own: ObjectKey

    func allocate(_ object: inout JSON, old: JSON?) throws {
        let type = object["spec"]["type"].string ?? "ClusterIP"
        let name = object["metadata"]["name"].string ?? ""
        if type == "ExternalName" {
            // Those that it had go with its type; what somebody asks for is refused. (upstream: dropTypeDependentFields)
            let isKept = ["clusterIP", "clusterIPs"].allSatisfy { field in
                let wanted = object["spec"][field]
                return wanted.isNull || wanted == "" || wanted == [] || wanted == old?["spec"][field]
            }
            if isKept {
                object["spec"]["clusterIP"] = .null
                object["spec"]["clusterIPs"] = .null
            }
            returnNodePorts(&object, old: old)
            return
        }
        try ServiceFamilies(configured: cluster.families).settle(&object, old: old)
        try allocateAddresses(&object, name)
        try allocateNodePorts(&object, old: old, type: type, name: name)
        try allocateHealthCheckPort(&object, old: old)
    }

    /// Where load balancers ask each node for its endpoints. (pkg/registry/core/service/storage, allocHealthCheckNodePort)
    private func allocateHealthCheckPort(_ object: inout JSON, old: JSON?) throws {
        guard Service(object).needsHealthCheck else { return }
        let range = cluster.nodePortRange
        let own = Set(object["spec"]["ports"].items.filter { ($0["protocol"].string ?? "TCP") == "TCP" }.compactMap { $0["nodePort"].int })
        func isFree(_ port: Int) -> Bool { !claims.isTaken("TCP/\(port)", but: self.own) && !own.contains(port) }
        if Service(object).healthCheckNodePort == nil, let held = old.flatMap({ Service($0).healthCheckNodePort }) {
            object["spec"]["healthCheckNodePort"] = .int(held)
        }
        if let wanted = Service(object).healthCheckNodePort {
            if old.flatMap({ Service($0).healthCheckNodePort }) == wanted { return }
            let complaint =
                !range.contains(wanted)
                ? "provided port is not in the valid range. The range of valid ports is \(range.lowerBound)-\(range.upperBound)"
                : isFree(wanted) ? nil : "provided port is already allocated"
            guard let complaint else { return }
            throw StatusError(
                500, .internalError, "Internal error occurred: failed to allocate requested HealthCheck NodePort \(wanted): \(complaint)")
        }
        let start = Int.random(in: range)
        guard let port = Array(start...range.upperBound).first(where: isFree) ?? Array(range.lowerBound..<start).first(where: isFree) else {
            throw StatusError(500, .internalError, "Internal error occurred: failed to allocate a HealthCheck NodePort 0: range is full")
        }
        object["spec"]["healthCheckNodePort"] = .int(port)
    }

    /// An address of each family that the Service has; what it asks for, or has, is its own.
    private func allocateAddresses(_ object: inout JSON, _ name: String) throws {
        if object["spec"]["clusterIP"].string == "None" { return }
        let asked = object["spec"]["clusterIPs"].items.compactMap(\.string)
        let addresses = try Service(object).families.enumerated().map { index, family -> String in
            guard index < asked.count else { return try freeAddress(family, name).description }
            // Where it is no address, or not one of the cluster's, validation says so.
            if let wanted = IPAddress(asked[index]), claims.isTaken(wanted, but: own) {
                throw StatusError.invalid(
                    .services, name,
                    [
                        .invalid(
                            "spec.clusterIPs", .array(asked.map(JSON.string)),
                            "failed to allocate IP \(wanted): provided IP is already allocated")
                    ])
            }
            return asked[index]
        }
        object["spec"]["clusterIP"] = JSON(addresses.first)
        object["spec"]["clusterIPs"] = .array(addresses.map(JSON.string))
    }

    /// A Service that is no NodePort any more gives back what it had; what the user still asks for is validation's.
    private func returnNodePorts(_ object: inout JSON, old: JSON?) {
        guard var ports = object["spec"]["ports"].array else { return }
        let given = Set((old?["spec"]["ports"].items ?? []).compactMap { $0["nodePort"].int })
        for index in ports.indices where given.contains(ports[index]["nodePort"].int ?? 0) { ports[index]["nodePort"] = .null }
        object["spec"]["ports"] = .array(ports)
    }

    private func allocateNodePorts(_ object: inout JSON, old: JSON?, type: String, name: String) throws {
        guard type == "NodePort" || type == "LoadBalancer" else { return returnNodePorts(&object, old: old) }
        guard var ports = object["spec"]["ports"].array else { return }
        var mine: Set<String> = []
        /// False when the port is another's, or another of this Service's.
        func take(_ port: JSON) -> Bool {
            let slot = ServiceClaims.slot(port)
            return !claims.isTaken(slot, but: own) && mine.insert(slot).inserted
        }
        // A load balancer may do without; what the user names, or has kept, stays.
        let gives = type == "NodePort" || object["spec"]["allocateLoadBalancerNodePorts"].bool ?? true
        let oldPorts = old?["spec"]["ports"].items ?? []
        for index in ports.indices where gives && ports[index]["nodePort"].int ?? 0 == 0 {
            let same = oldPorts.first { $0["port"] == ports[index]["port"] && $0["protocol"] == ports[index]["protocol"] }
            if let kept = same?["nodePort"], !kept.isNull { ports[index]["nodePort"] = kept }
        }
        for index in ports.indices where ports[index]["nodePort"].int ?? 0 != 0 {
            let requested = ports[index]["nodePort"].int ?? 0
            guard take(ports[index]) else {
                throw StatusError.invalid(
                    .services, name, [.invalid("spec.ports[\(index)].nodePort", .int(requested), "provided port is already allocated")])
            }
        }
        for index in ports.indices where gives && ports[index]["nodePort"].int ?? 0 == 0 {
            let start = Int.random(in: cluster.nodePortRange)
            let order = Array(start...cluster.nodePortRange.upperBound) + Array(cluster.nodePortRange.lowerBound..<start)
            var found = false
            for candidate in order {
                ports[index]["nodePort"] = .int(candidate)
                if take(ports[index]) {
                    found = true
                    break
                }
            }
            guard found else { throw StatusError(500, .internalError, "failed to allocate a nodePort: range is full") }
        }
        object["spec"]["ports"] = .array(ports)
    }

    /// A random free address past the band that is kept for addresses people choose (KEP-3070).
    private func freeAddress(_ family: IPFamily, _ name: String) throws -> IPAddress {
        guard let network = cluster.networks(of: family)?.services else {
            throw StatusError(500, .internalError, "failed to allocate a serviceIP for \(name): the cluster has no \(family.rawValue)")
        }
        let size = network.size
        let reserved = min(max(16, size / 16), 256)
        for _ in 0..<64 {
            let candidate = network[Int.random(in: min(reserved, size - 2)..<size - 1)]
            if !claims.isTaken(candidate, but: own) { return candidate }
        }
        for index in 1..<size - 1 where !claims.isTaken(network[index], but: own) { return network[index] }
        throw StatusError(500, .internalError, "failed to allocate a serviceIP for \(name): range is full")
    }
}

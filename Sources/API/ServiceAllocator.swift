import Model

/// Gives Services their cluster addresses and node ports, as the API server's allocators do.
struct ServiceAllocator {
    let cluster: Cluster
    let others: [Service]

    func allocate(_ object: inout JSON, old: JSON?) throws {
        let type = object["spec"]["type"].string ?? "ClusterIP"
        let name = object["metadata"]["name"].string ?? ""
        if type == "ExternalName" {
            object["spec"]["clusterIP"] = .null
            object["spec"]["clusterIPs"] = .null
            return
        }
        if object["spec"]["clusterIP"].string ?? "" == "" {
            object["spec"]["clusterIP"] = old?["spec"]["clusterIP"] ?? .null
            if object["spec"]["clusterIP"].isNull { object["spec"]["clusterIP"] = .string(try freeAddress(name).description) }
        } else if old == nil, let wanted = IPv4Address(object["spec"]["clusterIP"].string ?? ""), others.contains(where: { $0.clusterIP == wanted }) {
            throw StatusError.invalid(
                .services, name,
                [.invalid("spec.clusterIPs", [.string(wanted.description)], "failed to allocate IP \(wanted): provided IP is already allocated")])
        }
        object["spec"]["clusterIPs"] = [object["spec"]["clusterIP"]]
        try allocateNodePorts(&object, old: old, type: type, name: name)
    }

    private func allocateNodePorts(_ object: inout JSON, old: JSON?, type: String, name: String) throws {
        guard var ports = object["spec"]["ports"].array else { return }
        guard type == "NodePort" || type == "LoadBalancer" else {
            // A Service that is no NodePort any more gives back what it had; what the user still asks for is validation's.
            let given = Set((old?["spec"]["ports"].items ?? []).compactMap { $0["nodePort"].int })
            for index in ports.indices where given.contains(ports[index]["nodePort"].int ?? 0) { ports[index]["nodePort"] = .null }
            object["spec"]["ports"] = .array(ports)
            return
        }
        func slot(_ port: JSON) -> String { "\(port["protocol"].string ?? "TCP")/\(port["nodePort"].int ?? 0)" }
        var taken = Set(others.flatMap { $0.spec["ports"].items.filter { $0["nodePort"].int != nil }.map(slot) })
        let oldPorts = old?["spec"]["ports"].items ?? []
        for index in ports.indices where ports[index]["nodePort"].int ?? 0 == 0 {
            let same = oldPorts.first { $0["port"] == ports[index]["port"] && $0["protocol"] == ports[index]["protocol"] }
            if let kept = same?["nodePort"], !kept.isNull { ports[index]["nodePort"] = kept }
        }
        for index in ports.indices where ports[index]["nodePort"].int ?? 0 != 0 {
            let requested = ports[index]["nodePort"].int ?? 0
            guard taken.insert(slot(ports[index])).inserted else {
                throw StatusError.invalid(
                    .services, name, [.invalid("spec.ports[\(index)].nodePort", .int(requested), "provided port is already allocated")])
            }
        }
        for index in ports.indices where ports[index]["nodePort"].int ?? 0 == 0 {
            let start = Int.random(in: cluster.nodePortRange)
            let order = Array(start...cluster.nodePortRange.upperBound) + Array(cluster.nodePortRange.lowerBound..<start)
            var found = false
            for candidate in order {
                ports[index]["nodePort"] = .int(candidate)
                if taken.insert(slot(ports[index])).inserted {
                    found = true
                    break
                }
            }
            guard found else { throw StatusError(500, "InternalError", "failed to allocate a nodePort: range is full") }
        }
        object["spec"]["ports"] = .array(ports)
    }

    /// A random free address past the band that is kept for addresses people choose (KEP-3070).
    private func freeAddress(_ name: String) throws -> IPv4Address {
        let taken = Set(others.compactMap(\.clusterIP))
        let size = cluster.serviceSubnet.size
        let reserved = min(max(16, size / 16), 256)
        for _ in 0..<64 {
            let candidate = cluster.serviceSubnet[Int.random(in: min(reserved, size - 2)..<size - 1)]
            if !taken.contains(candidate) { return candidate }
        }
        for index in 1..<size - 1 where !taken.contains(cluster.serviceSubnet[index]) { return cluster.serviceSubnet[index] }
        throw StatusError(500, "InternalError", "failed to allocate a serviceIP for \(name): range is full")
    }
}

import Model

/// What a node's flanneld tells those of the other nodes, by the Node's annotations. (flannel-io/flannel pkg/subnet/kube)
package struct FlannelLease: Sendable, Hashable {
    /// One family's part.
    package struct Place: Sendable, Hashable {
        package let subnet: IPNetwork
        /// Where the node is reached, and its end of the tunnel, where there is one.
        package var address: IPAddress
        package var tunnel: MACAddress?

        package init(subnet: IPNetwork, address: IPAddress, tunnel: MACAddress?) {
            self.subnet = subnet
            self.address = address
            self.tunnel = tunnel
        }
    }

    package let node: String
    package var backend: String
    package var places: [Place]

    package init(node: String, backend: String, places: [Place]) {
        self.node = node
        self.backend = backend
        self.places = places
    }

    package func place(_ family: IPFamily) -> Place? { places.first { $0.subnet.family == family } }

    /// The ranges that a node has for its pods.
    package static func subnets(of node: Node) -> [IPNetwork] {
        let all = node.spec["podCIDRs"].items.compactMap { $0.string.flatMap { IPNetwork($0) } }
        return all.isEmpty ? node.podCIDR.map { [$0] } ?? [] : all
    }

    /// What a node has to offer: the ranges that it has of the network, at these of its addresses.
    package init(_ node: Node, _ configuration: FlannelConfiguration, addresses: [IPAddress], prefix: String) throws {
        func refusal(_ reason: String) -> FlannelConfiguration.Unusable {
            FlannelConfiguration.Unusable("Error registering network: failed to acquire lease: \(reason)")
        }
        let subnets = Self.subnets(of: node)
        guard !subnets.isEmpty else { throw refusal("node \"\(node.name)\" pod cidr not assigned") }
        self.node = node.name
        backend = configuration.backend.name
        places = try configuration.networks.compactMap { network in
            guard let subnet = subnets.first(where: { $0.family == network.family }), let found = addresses.of(network.family) else {
                return nil
            }
            guard network.contains(subnet) else {
                throw refusal(
                    "subnet \"\(network)\" specified in the flannel net config doesn't contain \"\(subnet)\" PodCIDR of the "
                        + "\"\(node.name)\" node")
            }
            // Derived, so that the others' entries hold when the link is made again.
            let tunnel = MACAddress(derivedFrom: "\(node.metadata.uid)/flannel/\(network.family)")
            return Place(
                subnet: subnet, address: Self.overwritten(node, network.family, prefix: prefix) ?? found,
                tunnel: configuration.backend == .hostGateway ? nil : tunnel)
        }
        guard !places.isEmpty else {
            let words = subnets.map(\.description).joined(separator: ", ")
            throw refusal("node \"\(node.name)\" has \(words), of another family than net-conf.json's network")
        }
    }

    /// What a node says; nil where nobody's flanneld has written, or nothing that can be used.
    package init?(_ node: Node, prefix: String) {
        let said = node.metadata.annotations
        guard said["\(prefix)/kube-subnet-manager"] == "true" else { return nil }
        places = Self.subnets(of: node).compactMap { subnet in
            let keys = Keys(prefix, subnet.family)
            guard let address = said[keys.address].flatMap({ IPAddress($0, subnet.family) }) else { return nil }
            let data = said[keys.data].flatMap { try? JSON(parsing: $0) }  // another backend's data may be anything
            return Place(subnet: subnet, address: address, tunnel: data?["VtepMAC"].string.flatMap { MACAddress($0) })
        }
        if places.isEmpty { return nil }
        self.node = node.name
        backend = said["\(prefix)/backend-type"] ?? ""
    }

    /// What a node's annotations are to be.
    package func annotations(prefix: String, vni: Int?) -> [String: String] {
        var annotations = ["\(prefix)/backend-type": backend, "\(prefix)/kube-subnet-manager": "true"]
        for place in places {
            let keys = Keys(prefix, place.subnet.family)
            annotations[keys.address] = place.address.description
            annotations[keys.data] = place.tunnel.map { "{\"VNI\":\(vni ?? 1),\"VtepMAC\":\"\($0)\"}" } ?? "null"
        }
        return annotations
    }

    /// An address that somebody has written there in the place of the one that is found.
    private static func overwritten(_ node: Node, _ family: IPFamily, prefix: String) -> IPAddress? {
        node.metadata.annotations["\(Keys(prefix, family).address)-overwrite"].flatMap { IPAddress($0, family) }
    }

    private struct Keys {
        let address: String
        let data: String

        init(_ prefix: String, _ family: IPFamily) {
            address = "\(prefix)/public-\(family == .ipv4 ? "ip" : "ipv6")"
            data = "\(prefix)/backend-\(family == .ipv4 ? "data" : "v6-data")"
        }
    }
}

import Model

/// What flannel's daemon tells its CNI plugin: /run/flannel/subnet.env.
/// (flannel-io/flannel pkg/subnet, WriteSubnetFile; flannel-io/cni-plugin flannel.go, loadFlannelSubnetEnv)
package struct FlannelSubnet: Sendable, Hashable {
    package static let path = "/run/flannel/subnet.env"

    /// One family's part: where all pods are, and which of that are this node's; the first address is the bridge's.
    package struct Place: Sendable, Hashable {
        package var network: IPNetwork
        package var subnet: IPNetwork
        package var gateway: IPAddress { subnet[1] }

        package init(network: IPNetwork, subnet: IPNetwork) {
            self.network = network
            self.subnet = subnet
        }
    }

    /// IPv4 before IPv6, as they stand in the file.
    package let places: [Place]
    package let mtu: Int
    package let isMasqueraded: Bool

    package func place(_ family: IPFamily) -> Place? { places.first { $0.subnet.family == family } }

    package init(places: [Place], mtu: Int, isMasqueraded: Bool) {
        (self.places, self.mtu, self.isMasqueraded) = (places, mtu, isMasqueraded)
    }

    /// What flannel's daemon says of a node.
    package init(_ node: Cluster.NodeSpec, _ cluster: Cluster) {
        places = cluster.places(of: node).sorted { $0.place.family == .ipv4 && $1.place.family == .ipv6 }
            .map { Place(network: $0.networks.pods, subnet: $0.place.podCIDR) }
        mtu = FlannelLayout.podMTU(cluster)
        isMasqueraded = true
    }

    package struct Unusable: Error, CustomStringConvertible {
        package let description: String
    }

    /// Reads the file; nil stands for one that is not there. Words that flannel does not know it passes over.
    package init(reading text: String?, file: String = Self.path) throws(Unusable) {
        guard let text else { throw Unusable(description: "open \(file): no such file or directory") }
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let halves = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if halves.count == 2 { values[halves[0]] = halves[1] }
        }
        func network(_ key: String) throws(Unusable) -> IPNetwork? {
            guard let value = values[key] else { return nil }
            guard let parts = IPNetwork.parts(value) else { throw Unusable(description: "invalid CIDR address: \(value)") }
            return IPNetwork(parts.0, parts.1)
        }
        var places: [Place] = [], missing: Set<String> = ["NETWORK", "SUBNET"]
        for prefix in ["FLANNEL", "FLANNEL_IPV6"] {
            let all = try network("\(prefix)_NETWORK"), own = try network("\(prefix)_SUBNET")
            if all != nil { missing.remove("NETWORK") }
            if own != nil { missing.remove("SUBNET") }
            if let all, let own { places.append(Place(network: all, subnet: own)) }
        }
        var words = ["NETWORK", "SUBNET"].filter(missing.contains).flatMap { ["FLANNEL_\($0)", "FLANNEL_IPV6_\($0)"] }
        for key in ["FLANNEL_MTU", "FLANNEL_IPMASQ"] where values[key] == nil { words.append(key) }
        guard words.isEmpty else { throw Unusable(description: "\(file) is missing \(words.joined(separator: ", "))") }
        guard let mtu = Int(values["FLANNEL_MTU"] ?? ""), (68...65535).contains(mtu) else {
            throw Unusable(description: "strconv.ParseUint: parsing \"\(values["FLANNEL_MTU"] ?? "")\": invalid syntax")
        }
        self.places = places
        self.mtu = mtu
        isMasqueraded = values["FLANNEL_IPMASQ"] == "true"
    }

    /// The file's text.
    package var text: String {
        let networks = places.map { place in
            let prefix = place.subnet.family == .ipv4 ? "FLANNEL" : "FLANNEL_IPV6"
            return "\(prefix)_NETWORK=\(place.network)\n\(prefix)_SUBNET=\(place.gateway)/\(place.subnet.prefixLength)\n"
        }
        return networks.joined() + "FLANNEL_MTU=\(mtu)\nFLANNEL_IPMASQ=\(isMasqueraded)\n"
    }
}

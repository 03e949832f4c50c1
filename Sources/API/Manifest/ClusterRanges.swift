import Model

/// Reads a Cluster document's networks, and its nodes' places in them: of each family one, comma-separated as kubeadm writes them or as a
/// list, the primary first.
struct ClusterRanges {
    let spec: JSON
    let fail: (_ field: String, _ message: String) -> ManifestError

    private struct Subnet: Sendable {
        let field: String
        let path: WritableKeyPath<ClusterNetworks, IPNetwork> & Sendable
        /// The prefix lengths that are taken. What upstream takes is less: a node's share is one of 65,536 at most.
        let lengths: @Sendable (IPFamily) -> ClosedRange<Int>
    }

    private static let ranges: [Subnet] = [
        Subnet(field: "nodeSubnet", path: \.nodes) { $0 == .ipv4 ? 16...28 : 48...120 },
        Subnet(field: "podSubnet", path: \.pods) { $0 == .ipv4 ? 8...22 : 48...62 },
        Subnet(field: "serviceSubnet", path: \.services) { $0 == .ipv4 ? 12...27 : 64...123 },
    ]

    /// What a node has of the pods' network, where nobody says.
    private static func nodeMask(_ family: IPFamily) -> Int { family == .ipv4 ? 24 : 64 }
    private static func smallestNodeMask(_ family: IPFamily) -> Int { family == .ipv4 ? 28 : 112 }

    /// A range that is not given is the standard one of each family that the others name.
    func networks() throws -> [ClusterNetworks] {
        let given = try Self.ranges.map { (range: $0, networks: try read($0)) }.filter { !$0.networks.isEmpty }
        let families = given.first?.networks.map(\.family) ?? [.ipv4]
        var result = families.map(ClusterNetworks.standard)
        for (range, networks) in given {
            guard networks.map(\.family) == families else {
                throw fail(
                    "spec.\(range.field)",
                    "it is of \(Self.words(networks.map(\.family))), and \(given[0].range.field) of \(Self.words(families)): the three subnets "
                        + "name the same families in the same order")
            }
            for (index, network) in networks.enumerated() { result[index][keyPath: range.path] = network }
        }
        for networks in result { try checkOverlaps(networks) }
        return result
    }

    private func read(_ range: Subnet) throws -> [IPNetwork] {
        let field = "spec.\(range.field)"
        var networks: [IPNetwork] = []
        for text in try texts(spec[range.field], field) {
            guard let network = IPNetwork(text) else {
                let (four, six) = (ClusterNetworks.standard(.ipv4), ClusterNetworks.standard(.ipv6))
                throw fail(
                    field, "\"\(text)\" is no CIDR without host bits, such as \(four[keyPath: range.path]) or \(six[keyPath: range.path])")
            }
            let lengths = range.lengths(network.family)
            guard lengths.contains(network.prefixLength) else {
                throw fail(field, "\(network): the prefix length must be between \(lengths.lowerBound) and \(lengths.upperBound)")
            }
            guard network.network.isOfMachines, network.last.isOfMachines else {
                throw fail(
                    field, "\(network) is no network for machines: loopback, link-local, multicast and reserved addresses are not")
            }
            if let other = networks.first(where: { $0.family == network.family }) {
                throw fail(field, "\(other) and \(network) are both of \(network.family.rawValue): there is one network of each family")
            }
            networks.append(network)
        }
        return networks
    }

    private func checkOverlaps(_ networks: ClusterNetworks) throws {
        for (index, range) in Self.ranges.enumerated() {
            let own = networks[keyPath: range.path]
            for other in Self.ranges[..<index] where own.overlaps(networks[keyPath: other.path]) {
                throw fail("spec.\(range.field)", "\(own) overlaps \(other.field) \(networks[keyPath: other.path])")
            }
        }
    }

    /// `a`, `a,b` or a list.
    private func texts(_ json: JSON, _ field: String) throws -> [String] {
        switch json {
        case .null: return []
        case .string(let text): return text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
        case .array(let items):
            let texts = items.compactMap(\.string)
            guard !items.isEmpty, texts.count == items.count else { throw fail(field, "must be text or a list of texts") }
            return texts
        default: throw fail(field, "must be text or a list of texts, not \(json.text())")
        }
    }

    private static func words(_ families: [IPFamily]) -> String { families.map(\.rawValue).joined(separator: " and ") }

    // MARK: Nodes

    /// A node's place in each of the networks; what its entry does not say follows from its number.
    func places(of item: JSON, _ index: Int, _ path: String, in networks: [ClusterNetworks], beside nodes: [Cluster.NodeSpec]) throws
        -> [NodePlace]
    {
        let families = networks.map(\.family), kind = families.map(\.rawValue).joined(separator: " or ")
        var addresses: [IPFamily: IPAddress] = [:], podCIDRs: [IPFamily: IPNetwork] = [:]
        for text in try texts(item["address"], "\(path).address") {
            guard let address = IPAddress(text), families.contains(address.family) else {
                throw fail("\(path).address", "\"\(text)\" is no \(kind) address")
            }
            if let other = addresses.updateValue(address, forKey: address.family) {
                throw fail("\(path).address", "\(other) and \(address) are both of \(address.family.rawValue)")
            }
        }
        for text in try texts(item["podCIDR"], "\(path).podCIDR") {
            guard let network = IPNetwork(text), families.contains(network.family) else {
                throw fail("\(path).podCIDR", "\"\(text)\" is no \(kind) CIDR without host bits")
            }
            if let other = podCIDRs.updateValue(network, forKey: network.family) {
                throw fail("\(path).podCIDR", "\(other) and \(network) are both of \(network.family.rawValue)")
            }
        }
        return try networks.map { networks in
            let family = networks.family, taken = nodes.compactMap { node in node.place(family).map { (node.name, $0) } }
            return NodePlace(
                address: try address(addresses[family], index, path, networks, taken.map(\.1.address)),
                podCIDR: try podCIDR(podCIDRs[family], index, path, networks, taken.map { ($0.0, $0.1.podCIDR) }))
        }
    }

    private func address(_ given: IPAddress?, _ index: Int, _ path: String, _ networks: ClusterNetworks, _ taken: [IPAddress]) throws
        -> IPAddress
    {
        let subnet = networks.nodes, address = given ?? subnet[min(128, subnet.size / 2) + index]
        guard subnet.contains(address), address != subnet.network, address != subnet.last else {
            throw fail("\(path).address", "\(address) is not a host of nodeSubnet \(subnet)")
        }
        guard address != networks.host, address != networks.gateway else {
            throw fail("\(path).address", "\(address) is the outside host's (\(networks.host)) or the gateway's (\(networks.gateway))")
        }
        guard !taken.contains(address) else { throw fail("\(path).address", "\(address) is there twice") }
        return address
    }

    private func podCIDR(
        _ given: IPNetwork?, _ index: Int, _ path: String, _ networks: ClusterNetworks, _ taken: [(node: String, podCIDR: IPNetwork)]
    ) throws -> IPNetwork {
        let family = networks.family, smallest = Self.smallestNodeMask(family)
        guard let podCIDR = given ?? networks.pods.subnet(index, length: Self.nodeMask(family)) else {
            throw fail("\(path).podCIDR", "podSubnet \(networks.pods) has no /\(Self.nodeMask(family)) left")
        }
        guard networks.pods.contains(podCIDR), podCIDR.prefixLength <= smallest else {
            throw fail("\(path).podCIDR", "\(podCIDR) is no network of up to /\(smallest) inside podSubnet \(networks.pods)")
        }
        if let other = taken.first(where: { $0.podCIDR.overlaps(podCIDR) }) {
            throw fail("\(path).podCIDR", "\(podCIDR) overlaps \(other.podCIDR) of \(other.node)")
        }
        return podCIDR
    }
}

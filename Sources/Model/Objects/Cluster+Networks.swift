/// The ranges that a cluster's addresses of one family come from.
package struct ClusterNetworks: Sendable, Hashable {
    /// The LAN that the nodes stand on.
    package var nodes: IPNetwork
    package var pods: IPNetwork
    package var services: IPNetwork

    package init(nodes: IPNetwork, pods: IPNetwork, services: IPNetwork) {
        self.nodes = nodes
        self.pods = pods
        self.services = services
    }

    package var family: IPFamily { pods.family }

    /// The outside client's place on the node LAN, and the LAN's own router beside it.
    package var host: IPAddress { nodes[1] }
    package var gateway: IPAddress { nodes[2] }
    package var kubernetesService: IPAddress { services[1] }
    package var dnsService: IPAddress { services[10] }

    /// What a cluster has where nobody says.
    package static func standard(_ family: IPFamily) -> ClusterNetworks {
        switch family {
        case .ipv4:  // 192.168.200.0/24, 10.244.0.0/16, 10.1.0.0/16
            ClusterNetworks(
                nodes: IPNetwork(IPAddress(ipv4: 0xC0A8_C800), 24), pods: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16),
                services: IPNetwork(IPAddress(ipv4: 0x0A01_0000), 16))
        case .ipv6:  // fd00:192:168:200::/64, fd00:10:244::/56, fd00:10:1::/112
            ClusterNetworks(
                nodes: IPNetwork(IPAddress(.ipv6, number: 0xFD00_0192_0168_0200 << 64), 64),
                pods: IPNetwork(IPAddress(.ipv6, number: 0xFD00_0010_0244_0000 << 64), 56),
                services: IPNetwork(IPAddress(.ipv6, number: 0xFD00_0010_0001_0000 << 64), 112))
        }
    }
}

/// A node's place in the networks of one family.
package struct NodePlace: Sendable, Hashable {
    package var address: IPAddress
    package var podCIDR: IPNetwork

    package init(address: IPAddress, podCIDR: IPNetwork) {
        self.address = address
        self.podCIDR = podCIDR
    }

    package var family: IPFamily { address.family }
}

extension Cluster {
    /// The families that the cluster's addresses are of, the primary first.
    package var families: [IPFamily] { networks.map(\.family) }

    package func networks(of family: IPFamily) -> ClusterNetworks? { networks.first { $0.family == family } }

    // The primary family's.
    package var nodeSubnet: IPNetwork {
        get { networks[0].nodes }
        set { networks[0].nodes = newValue }
    }
    package var podSubnet: IPNetwork {
        get { networks[0].pods }
        set { networks[0].pods = newValue }
    }
    package var serviceSubnet: IPNetwork {
        get { networks[0].services }
        set { networks[0].services = newValue }
    }
    package var hostAddress: IPAddress { networks[0].host }
    package var gatewayAddress: IPAddress { networks[0].gateway }
    package var kubernetesServiceIP: IPAddress { networks[0].kubernetesService }
    package var dnsServiceIP: IPAddress { networks[0].dnsService }
    package var dnsServers: [IPAddress] { nameServers.isEmpty ? networks.map(\.dnsService) : nameServers }

    /// The same machines with other ranges for pods, of which each gets one as long as there are any, and for Services.
    package func with(pods: IPNetwork, services: IPNetwork, nodeMask: Int = 24) -> Cluster {
        var cluster = self
        (cluster.podSubnet, cluster.serviceSubnet) = (pods, services)
        for index in cluster.nodes.indices {
            cluster.nodes[index].places[0].podCIDR = pods.subnet(index, length: max(nodeMask, pods.prefixLength)) ?? pods
        }
        return cluster
    }

    /// With the ranges, and the domain, that another has.
    package func withRanges(of other: Cluster) -> Cluster {
        var cluster = self
        (cluster.networks, cluster.nodePortRange, cluster.dnsDomain) = (other.networks, other.nodePortRange, other.dnsDomain)
        for (index, node) in other.nodes.enumerated() where cluster.nodes.indices.contains(index) {
            cluster.nodes[index].places = node.places
        }
        return cluster
    }

    /// A node's places, each with the networks that it is in.
    package func places(of node: NodeSpec) -> [(networks: ClusterNetworks, place: NodePlace)] { Array(zip(networks, node.places)) }
}

extension Cluster.NodeSpec {
    package func place(_ family: IPFamily) -> NodePlace? { places.first { $0.family == family } }
}

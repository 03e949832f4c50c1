import Model

/// What the compilers know of the node they compile for, in one family of addresses: of that family are the tables that they make.
package struct NodeView: Sendable, Hashable {
    package let name: String
    package var family: IPFamily { address.family }
    /// The node's address on the underlay: NodePorts answer on it, and what is masqueraded leaves with it.
    package let address: IPAddress
    package let clusterCIDR: IPNetwork
    package let serviceCIDR: IPNetwork
    /// The network of the node's own pods.
    package let podCIDR: IPNetwork

    /// True for what the node calls itself: on the underlay, on its bridge (.1) and on its VXLAN device (.0).
    package func isOwn(_ address: IPAddress) -> Bool { address == self.address || address == podCIDR.network || address == podCIDR[1] }

    package init(name: String, address: IPAddress, clusterCIDR: IPNetwork, serviceCIDR: IPNetwork, podCIDR: IPNetwork) {
        self.name = name
        self.address = address
        self.clusterCIDR = clusterCIDR
        self.serviceCIDR = serviceCIDR
        self.podCIDR = podCIDR
    }

    /// A node in each of the cluster's families, the primary first.
    package static func views(_ node: Cluster.NodeSpec, of cluster: Cluster) -> [NodeView] {
        cluster.places(of: node).map { networks, place in
            NodeView(
                name: node.name, address: place.address, clusterCIDR: networks.pods, serviceCIDR: networks.services,
                podCIDR: place.podCIDR)
        }
    }
}

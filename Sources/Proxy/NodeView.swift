import Model

/// What the compilers know of the node they compile for.
package struct NodeView: Sendable, Hashable {
    package let name: String
    /// The node's address on the underlay: NodePorts answer on it, and what is masqueraded leaves with it.
    package let address: IPv4Address
    package let clusterCIDR: CIDR
    package let serviceCIDR: CIDR
    /// The network of the node's own pods.
    package let podCIDR: CIDR

    /// True for what the node calls itself: on the underlay, on its bridge (.1) and on its VXLAN device (.0).
    package func isOwn(_ address: IPv4Address) -> Bool { address == self.address || address == podCIDR.network || address == podCIDR[1] }

    package init(name: String, address: IPv4Address, clusterCIDR: CIDR, serviceCIDR: CIDR, podCIDR: CIDR) {
        self.name = name
        self.address = address
        self.clusterCIDR = clusterCIDR
        self.serviceCIDR = serviceCIDR
        self.podCIDR = podCIDR
    }

    package init(_ node: Cluster.NodeSpec, of cluster: Cluster) {
        self.init(
            name: node.name, address: node.address, clusterCIDR: cluster.podSubnet, serviceCIDR: cluster.serviceSubnet,
            podCIDR: node.podCIDR)
    }
}

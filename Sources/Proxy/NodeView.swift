import Model

/// What the compilers know of the node they compile for.
package struct NodeView: Sendable, Hashable {
    package let name: String
    /// The node's address on the underlay: NodePorts answer on it, and what is masqueraded leaves with it.
    package let address: IPv4Address
    package let clusterCIDR: CIDR
    package let serviceCIDR: CIDR

    package init(name: String, address: IPv4Address, clusterCIDR: CIDR, serviceCIDR: CIDR) {
        self.name = name
        self.address = address
        self.clusterCIDR = clusterCIDR
        self.serviceCIDR = serviceCIDR
    }
}

/// The addresses of load balancers, on the LAN of the nodes.
extension Cluster {
    /// Services of this class, and those of none, get their addresses from minik.
    package static let loadBalancerClass = "minik.dev/load-balancer"

    /// Where load balancers' addresses come from: what the document says, else the last quarter of the nodes' network.
    package var loadBalancerRange: AddressRange {
        let quarter = nodeSubnet.subnet(3, length: nodeSubnet.prefixLength + 2) ?? nodeSubnet
        // The last address of all is the network's broadcast.
        return loadBalancerPool ?? AddressRange(quarter.network, quarter.last + -1) ?? AddressRange(nodeSubnet)
    }

    /// Whether a load balancer may have the address: one of the pool that is no machine's.
    package func isLoadBalancerAddress(_ address: IPAddress) -> Bool {
        loadBalancerRange.contains(address) && !reservedAddresses.contains(address)
    }

    /// What a machine on the LAN has, or no machine may have.
    package var reservedAddresses: Set<IPAddress> {
        Set(nodes.map(\.address)).union([hostAddress, gatewayAddress, nodeSubnet.network, nodeSubnet.last])
    }

    /// Whose load balancers are the cluster's own to make.
    package static func balances(_ service: Service) -> Bool {
        service.type == "LoadBalancer" && [nil, loadBalancerClass].contains(service.loadBalancerClass)
    }
}

import Model

/// What every node's network has, whoever connects its pods: its settings and its place on the nodes' LAN.
package enum NodeLayout {
    package static let lan = "eth0"
    /// Whether the kernel takes up connections whose beginning it has not seen. (nf_conntrack-sysctl.rst)
    package static let looseTracking = "net.netfilter.nf_conntrack_tcp_loose"

    /// In the order in which it can be made.
    package static func items(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [NetworkItem] {
        var items = settings(cluster)
        items.append(.link(LinkItem(lan, .plug, mtu: cluster.mtu, address: LANLayout.eth0Address(node, cluster))))
        if cluster.families.contains(.ipv4) { items.append(.sysctl("net.ipv4.conf.\(lan).rp_filter", "0")) }
        for (networks, place) in cluster.places(of: node) {
            items += NetworkItem.onLink(place.address, in: networks.nodes, dev: lan)
            items.append(.route(.all(networks.family), via: networks.gateway, dev: lan))
        }
        return items
    }

    private static func settings(_ cluster: Cluster) -> [NetworkItem] {
        var items: [NetworkItem] = []
        for family in cluster.families {
            items.append(.routing(family))
            if family == .ipv4 { for name in ["all", "default"] { items.append(.sysctl("net.ipv4.conf.\(name).rp_filter", "0")) } }
            items.append(.bridgeFiltering(family, isOn: true))
        }
        guard cluster.plugin.enforcesPolicies else { return items }
        // A connection that a policy cut off must not be taken up again in its midst. Where nobody cuts any, connections that stand
        // when a table comes (kube-proxy's, on a machine of kubeadm's) have to be.
        return items + [.sysctl(looseTracking, "0")]
    }
}

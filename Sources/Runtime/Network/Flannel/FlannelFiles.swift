import Model

/// What flannel leaves on a node and in its Node for people and other programs to read.
/// (flannel-io/flannel Documentation/kube-flannel.yml and pkg/subnet/kube)
enum FlannelFiles {
    static func files(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [String: String] {
        let delegate: JSON = [
            "name": "cbr0", "cniVersion": "0.3.1",
            "plugins": [
                ["type": "flannel", "delegate": ["hairpinMode": true, "isDefaultGateway": true]],
                ["type": "portmap", "capabilities": ["portMappings": true]],
            ],
        ]
        let subnet = """
            FLANNEL_NETWORK=\(cluster.podSubnet)
            FLANNEL_SUBNET=\(node.podCIDR[1])/\(node.podCIDR.prefixLength)
            FLANNEL_MTU=\(FlannelLayout.podMTU(cluster))
            FLANNEL_IPMASQ=true

            """
        return ["/etc/cni/net.d/10-flannel.conflist": delegate.text(indented: true) + "\n", "/run/flannel/subnet.env": subnet]
    }

    static func annotations(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [String: String] {
        [
            "flannel.alpha.coreos.com/backend-data": "{\"VNI\":\(cluster.vni),\"VtepMAC\":\"\(FlannelLayout.vtep(node, cluster))\"}",
            "flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/kube-subnet-manager": "true",
            "flannel.alpha.coreos.com/public-ip": node.address.description,
        ]
    }
}

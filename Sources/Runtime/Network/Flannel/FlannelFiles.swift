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
        return [
            "/etc/cni/net.d/10-flannel.conflist": delegate.text(indented: true) + "\n",
            FlannelSubnet.path: FlannelSubnet(node, cluster).text,
        ]
    }

    static func annotations(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> [String: String] {
        var annotations = [
            "flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        ]
        for place in node.places {
            let isIPv4 = place.family == .ipv4
            annotations["flannel.alpha.coreos.com/\(isIPv4 ? "backend-data" : "backend-v6-data")"] =
                "{\"VNI\":\(cluster.vni),\"VtepMAC\":\"\(FlannelLayout.vtep(node, place.family, cluster))\"}"
            annotations["flannel.alpha.coreos.com/\(isIPv4 ? "public-ip" : "public-ipv6")"] = place.address.description
        }
        return annotations
    }
}

import Model
import Netlink

/// Calico on one node, with VXLAN or with routes by the nodes' addresses.
struct CalicoNetwork: CalicoLinks {
    let spec: Cluster.NodeSpec
    let cluster: Cluster

    var files: [String: String] {
        return [
            "/etc/cni/net.d/10-calico.conflist": list(ipam: ["type": "calico-ipam"]), "/var/lib/calico/nodename": spec.name,
            "/var/lib/calico/mtu": "\(podMTU)",
        ]
    }

    var annotations: [String: String] {
        var annotations = ["projectcalico.org/IPv4Address": "\(spec.address)/\(cluster.nodeSubnet.prefixLength)"]
        if cluster.encapsulation == .vxlan {
            annotations["projectcalico.org/IPv4VXLANTunnelAddr"] = CalicoLayout.tunnelAddress(of: spec).description
        }
        return annotations
    }

    var node: [NetworkItem] { CalicoLayout.node(spec, cluster) }
    var podMTU: Int { CalicoLayout.podMTU(cluster) }
}

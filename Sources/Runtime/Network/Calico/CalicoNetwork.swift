import Model
import Netlink

/// Calico on one node, with VXLAN or with routes by the nodes' addresses.
struct CalicoNetwork: PodLayout {
    let spec: Cluster.NodeSpec
    let cluster: Cluster

    var files: [String: String] {
        let list: JSON = [
            "name": "k8s-pod-network", "cniVersion": "0.3.1",
            "plugins": [
                [
                    "type": "calico", "datastore_type": "kubernetes", "nodename": .string(spec.name), "mtu": .int(podMTU),
                    "ipam": ["type": "calico-ipam"], "policy": ["type": "k8s"],
                ],
                ["type": "portmap", "snat": true, "capabilities": ["portMappings": true]],
                ["type": "bandwidth", "capabilities": ["bandwidth": true]],
            ],
        ]
        return [
            "/etc/cni/net.d/10-calico.conflist": list.text(indented: true) + "\n", "/var/lib/calico/nodename": spec.name,
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
    var bridge: String? { nil }
    var podMTU: Int { CalicoLayout.podMTU(cluster) }
    var portAddress: MACAddress? { CalicoLayout.portAddress }
    func linkName(_ pod: Pod) -> String { CalicoLayout.linkName(pod) }
    func hardwareAddress(_ pod: Pod) -> MACAddress { FlannelLayout.hardwareAddress(pod, cluster) }
    func port(of pod: Pod, addresses: [IPAddress]) -> [NetworkItem] { CalicoLayout.port(of: pod, addresses: addresses, mtu: podMTU) }
    func pod(_ pod: Pod, addresses: [IPAddress]) -> [NetworkItem] {
        CalicoLayout.pod(addresses: addresses, mtu: podMTU, hardwareAddress: hardwareAddress(pod))
    }
}

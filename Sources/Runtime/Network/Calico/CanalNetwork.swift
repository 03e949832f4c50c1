import Model
import Netlink

/// Canal: Calico's links and policies, flannel's tunnel, and host-local's addresses from the node's own range.
/// (projectcalico/calico manifests/canal.yaml)
struct CanalNetwork: PodLayout {
    let spec: Cluster.NodeSpec
    let cluster: Cluster

    var files: [String: String] {
        let list: JSON = [
            "name": "k8s-pod-network", "cniVersion": "0.3.1",
            "plugins": [
                [
                    "type": "calico", "datastore_type": "kubernetes", "nodename": .string(spec.name), "mtu": .int(podMTU),
                    "ipam": ["type": "host-local", "subnet": "usePodCidr"], "policy": ["type": "k8s"],
                ],
                ["type": "portmap", "snat": true, "capabilities": ["portMappings": true]],
                ["type": "bandwidth", "capabilities": ["bandwidth": true]],
            ],
        ]
        let subnet = FlannelFiles.files(spec, cluster)["/run/flannel/subnet.env"]
        return [
            "/etc/cni/net.d/10-canal.conflist": list.text(indented: true) + "\n", "/run/flannel/subnet.env": subnet ?? "",
            "/var/lib/calico/nodename": spec.name,
        ]
    }

    var annotations: [String: String] { FlannelFiles.annotations(spec, cluster) }
    var node: [NetworkItem] { FlannelLayout.withoutBridge(spec, cluster) }
    var bridge: String? { nil }
    var podMTU: Int { FlannelLayout.podMTU(cluster) }
    var portAddress: MACAddress? { CalicoLayout.portAddress }
    func linkName(_ pod: Pod) -> String { CalicoLayout.linkName(pod) }
    func hardwareAddress(_ pod: Pod) -> MACAddress { FlannelLayout.hardwareAddress(pod, cluster) }
    func port(of pod: Pod, addresses: [IPAddress]) -> [NetworkItem] { CalicoLayout.port(of: pod, addresses: addresses, mtu: podMTU) }
    func pod(_ pod: Pod, addresses: [IPAddress]) -> [NetworkItem] {
        CalicoLayout.pod(addresses: addresses, mtu: podMTU, hardwareAddress: hardwareAddress(pod))
    }
}

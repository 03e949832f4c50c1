import Model
import Netlink

/// Canal: Calico's links and policies, flannel's tunnel, and host-local's addresses from the node's own range.
/// (projectcalico/calico manifests/canal.yaml)
struct CanalNetwork: CalicoLinks {
    let spec: Cluster.NodeSpec
    let cluster: Cluster

    var files: [String: String] {
        [
            "/etc/cni/net.d/10-canal.conflist": list(ipam: ["type": "host-local", "subnet": "usePodCidr"]),
            FlannelSubnet.path: FlannelSubnet(spec, cluster).text,
            "/var/lib/calico/nodename": spec.name,
        ]
    }

    var annotations: [String: String] { FlannelFiles.annotations(spec, cluster) }
    var node: [NetworkItem] { FlannelLayout.withoutBridge(spec, cluster) }
    var podMTU: Int { FlannelLayout.podMTU(cluster) }
}

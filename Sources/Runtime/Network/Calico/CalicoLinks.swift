import Model
import Netlink

/// A layout whose pods have Calico's links: no bridge, a route for each pod. What Calico and Canal have in common.
protocol CalicoLinks: PodLayout {
    var spec: Cluster.NodeSpec { get }
    var cluster: Cluster { get }
}

extension CalicoLinks {
    var bridge: String? { nil }
    var portAddress: MACAddress? { CalicoLayout.portAddress }
    func linkName(_ pod: Pod) -> String { CalicoLayout.linkName(pod) }
    func hardwareAddress(_ pod: Pod) -> MACAddress { FlannelLayout.hardwareAddress(pod, cluster) }
    func port(of pod: Pod, addresses: [IPAddress]) -> [NetworkItem] { CalicoLayout.port(of: pod, addresses: addresses, mtu: podMTU) }
    func pod(_ pod: Pod, addresses: [IPAddress]) -> [NetworkItem] {
        CalicoLayout.pod(addresses: addresses, mtu: podMTU, hardwareAddress: hardwareAddress(pod))
    }

    /// The text of the network that both install; who gives addresses is where they differ. (projectcalico/calico manifests)
    func list(ipam: JSON) -> String {
        let list: JSON = [
            "name": "k8s-pod-network", "cniVersion": "0.3.1",
            "plugins": [
                [
                    "type": "calico", "datastore_type": "kubernetes", "nodename": .string(spec.name), "mtu": .int(podMTU), "ipam": ipam,
                    "policy": ["type": "k8s"],
                ],
                ["type": "portmap", "snat": true, "capabilities": ["portMappings": true]],
                ["type": "bandwidth", "capabilities": ["bandwidth": true]],
            ],
        ]
        return list.text(indented: true) + "\n"
    }
}

import Model
import Netlink

/// Flannel on one node, with its VXLAN: eth0 on the node LAN, flannel.1 to the peers, cni0 for its pods. `flannel-netpol` is the same, with
/// an engine for policies beside it.
struct FlannelNetwork: PodLayout {
    let spec: Cluster.NodeSpec
    let cluster: Cluster
    /// What the pods are laid out by.
    let subnet: FlannelSubnet

    init(spec: Cluster.NodeSpec, cluster: Cluster, subnet: FlannelSubnet? = nil) {
        self.spec = spec
        self.cluster = cluster
        self.subnet = subnet ?? FlannelSubnet(spec, cluster)
    }

    var files: [String: String] { FlannelFiles.files(spec, cluster) }
    var annotations: [String: String] { FlannelFiles.annotations(spec, cluster) }
    var node: [NetworkItem] { FlannelLayout.node(spec, cluster) }
    var bridge: String? { FlannelLayout.bridge }
    var podMTU: Int { subnet.mtu }
    var portAddress: MACAddress? { nil }
    func linkName(_ pod: Pod) -> String { FlannelLayout.vethName(pod) }
    func hardwareAddress(_ pod: Pod) -> MACAddress { FlannelLayout.hardwareAddress(pod, cluster) }
    func port(of pod: Pod, addresses: [IPAddress]) -> [NetworkItem] { [FlannelLayout.port(of: pod, mtu: subnet.mtu)] }
    func pod(_ pod: Pod, addresses: [IPAddress]) -> [NetworkItem] { FlannelLayout.pod(pod, addresses: addresses, of: subnet, cluster) }
}

/// The `Cluster` document that opens a lab: which nodes there are and how their network is laid out. Everything is
/// optional; the defaults are the tutorial's.
package struct Cluster: Sendable, Hashable {
    package static let apiVersion = "minik.dev/v1"

    package enum Plugin: String, Sendable, CaseIterable {
        /// Flannel's VXLAN alone: NetworkPolicies are accepted and, as with Flannel, not enforced.
        case flannel
        /// Flannel's VXLAN with a policy engine beside it.
        case flannelNetpol = "flannel-netpol"

        /// Whether NetworkPolicies hold, or are only kept.
        package var enforcesPolicies: Bool {
            switch self {
            case .flannel: false
            case .flannelNetpol: true
            }
        }
    }

    package struct NodeSpec: Sendable, Hashable {
        package var name: String
        package var isControlPlane: Bool
        package var address: IPAddress
        package var podCIDR: IPNetwork
        package var taints: JSON
        package var labels: [String: String]
        /// Beside those of all nodes.
        package var extraMounts: [ExtraMount]

        package init(
            name: String, isControlPlane: Bool, address: IPAddress, podCIDR: IPNetwork, taints: JSON, labels: [String: String],
            extraMounts: [ExtraMount] = []
        ) {
            self.extraMounts = extraMounts
            self.name = name
            self.isControlPlane = isControlPlane
            self.address = address
            self.podCIDR = podCIDR
            self.taints = taints
            self.labels = labels
        }
    }

    package var name = "minik"
    package var nodes: [NodeSpec] = []
    package var nodeSubnet = IPNetwork(IPAddress(ipv4: 0xC0A8_C800), 24)  // 192.168.200.0/24
    package var podSubnet = IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16)  // 10.244.0.0/16
    package var serviceSubnet = IPNetwork(IPAddress(ipv4: 0x0A01_0000), 16)  // 10.1.0.0/16
    package var nodePortRange = 30000...32767
    /// Where load balancers' addresses come from, when the document says so.
    package var loadBalancerPool: AddressRange?
    package var plugin = Plugin.flannelNetpol
    package var vni = 1
    package var mtu = 1500
    /// Directories of this machine's that its nodes see.
    package var extraMounts: [ExtraMount] = []
    package var registries: [Registry] = []
    /// What is to be on the machine before pods start: names, and whole paths of archives.
    package var images: [String] = []
    /// Who is asked for names that are not the cluster's, as CoreDNS' `forward` has it: addresses, with a port or without, and paths of
    /// resolv.conf files. Empty: nobody.
    package var forward: [String] = []

    package init() {}

    /// Whether a cluster may be called so: files, control groups, links and namespaces have the name in theirs.
    package static func isName(_ name: String) -> Bool {
        let dash = UInt8(ascii: "-")
        return (1...32).contains(name.utf8.count) && name.utf8.first != dash && name.utf8.last != dash
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == dash }
    }
    package static let nameRule = "must be at most 32 lower case letters, digits and '-', and start and end with a letter or digit"

    /// The outside client's place on the node LAN, and the LAN's own router beside it.
    package var hostAddress: IPAddress { nodeSubnet[1] }
    package var gatewayAddress: IPAddress { nodeSubnet[2] }
    package var kubernetesServiceIP: IPAddress { serviceSubnet[1] }
    package var dnsServiceIP: IPAddress { serviceSubnet[10] }
    /// The port of the API on the control plane's node.
    package static let apiPort = 6443
    package var controlPlane: NodeSpec { nodes.first(where: \.isControlPlane) ?? nodes[0] }
    package var dnsDomain: String { "cluster.local" }

    package var json: JSON {
        [
            "apiVersion": .string(Self.apiVersion), "kind": "Cluster", "metadata": ["name": .string(name)],
            "spec": [
                "nodes": .array(
                    nodes.map {
                        [
                            "name": .string($0.name), "role": .string($0.isControlPlane ? "control-plane" : "worker"),
                            "address": .string($0.address.description), "podCIDR": .string($0.podCIDR.description), "taints": $0.taints,
                            "labels": JSON($0.labels), "extraMounts": ExtraMount.json($0.extraMounts),
                        ]
                    }),
                "nodeSubnet": .string(nodeSubnet.description), "podSubnet": .string(podSubnet.description),
                "serviceSubnet": .string(serviceSubnet.description),
                "serviceNodePortRange": .string("\(nodePortRange.lowerBound)-\(nodePortRange.upperBound)"),
                "loadBalancerPool": JSON(loadBalancerPool?.description), "plugin": .string(plugin.rawValue), "vni": .int(vni),
                "mtu": .int(mtu),
                "extraMounts": ExtraMount.json(extraMounts),
                "registries": registries.isEmpty ? .null : .array(registries.map(\.json)),
                "images": images.isEmpty ? .null : .array(images.map(JSON.string)),
                "dns": forward.isEmpty ? .null : ["forward": .array(forward.map(JSON.string))],
            ],
        ]
    }
}

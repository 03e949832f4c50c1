/// The `Cluster` document that opens a lab: which nodes there are and how their network is laid out. Everything is
/// optional; the defaults are the tutorial's.
package struct Cluster: Sendable, Hashable {
    package static let apiVersion = "minik.dev/v1"

    package enum Plugin: String, Sendable, CaseIterable {
        /// Flannel's VXLAN alone: NetworkPolicies are accepted and, as with Flannel, not enforced.
        case flannel
        /// Flannel's VXLAN with a policy engine beside it.
        case flannelNetpol = "flannel-netpol"
        /// Calico's links without a bridge, blocks of addresses, tunnel or routes by the nodes' addresses, and policies.
        case calico
        /// Calico's links and policies, Flannel's addresses and tunnel.
        case canal
        /// What each node's /etc/cni/net.d says, done by the programs of its /opt/cni/bin.
        case cni
        /// The same, and nobody has put anything there yet: as kubeadm leaves a cluster.
        case none

        /// Whether NetworkPolicies hold, or are only kept.
        package var enforcesPolicies: Bool {
            switch self {
            case .flannel, .cni, .none: false
            case .flannelNetpol, .calico, .canal: true
            }
        }

        /// Whether a node's pods share a bridge, so that frames of theirs must be held to their addresses.
        package var hasBridge: Bool { [.flannel, .flannelNetpol].contains(self) }

        /// Whether minik connects pods by itself: then it gives them addresses, and leads host ports to them.
        /// Programs of the node do otherwise.
        package var isBuiltIn: Bool {
            switch self {
            case .flannel, .flannelNetpol, .calico, .canal: true
            case .cni, .none: false
            }
        }
    }

    /// How packets get from node to node under Calico.
    package enum Encapsulation: String, Sendable, CaseIterable {
        case vxlan, none
    }

    /// Whether nodes are compared with what they should be, and mended.
    package enum Repair: String, Sendable, CaseIterable {
        case automatic
        /// What somebody breaks stays broken until somebody mends it: for labs about faults.
        case manual
    }

    /// Who makes the cluster of its machines.
    package enum Bootstrap: String, Sendable, CaseIterable {
        case minik
        /// Whoever types `kubeadm init` on one of them and `kubeadm join` on the others.
        case kubeadm
    }

    package struct NodeSpec: Sendable, Hashable {
        package var name: String
        package var isControlPlane: Bool
        /// One of each family of the cluster's, the primary first.
        package var places: [NodePlace]
        package var taints: JSON
        package var labels: [String: String]
        /// Beside those of all nodes.
        package var extraMounts: [ExtraMount]

        package init(
            name: String, isControlPlane: Bool, places: [NodePlace], taints: JSON, labels: [String: String], extraMounts: [ExtraMount] = []
        ) {
            self.extraMounts = extraMounts
            self.name = name
            self.isControlPlane = isControlPlane
            self.places = places
            self.taints = taints
            self.labels = labels
        }

        /// A node of a cluster with one family.
        package init(
            name: String, isControlPlane: Bool, address: IPAddress, podCIDR: IPNetwork, taints: JSON, labels: [String: String],
            extraMounts: [ExtraMount] = []
        ) {
            self.init(
                name: name, isControlPlane: isControlPlane, places: [NodePlace(address: address, podCIDR: podCIDR)], taints: taints,
                labels: labels, extraMounts: extraMounts)
        }

        /// The primary family's.
        package var address: IPAddress { places[0].address }
        package var podCIDR: IPNetwork { places[0].podCIDR }
        package var addresses: [IPAddress] { places.map(\.address) }
        package var podCIDRs: [IPNetwork] { places.map(\.podCIDR) }
    }

    package var name = "minik"
    package var nodes: [NodeSpec] = []
    /// One of each family, the primary first.
    package var networks = [ClusterNetworks.standard(.ipv4)]
    package var nodePortRange = 30000...32767
    /// Where load balancers' addresses come from, when the document says so.
    package var loadBalancerPool: AddressRange?
    package var plugin = Plugin.flannelNetpol
    package var bootstrap = Bootstrap.minik
    /// Whose versions of the API are served, those that are stored aside.
    package var kubernetesVersion = KubernetesVersion.current
    package var encapsulation = Encapsulation.vxlan
    package var repair = Repair.automatic
    /// Whether nodes and pods get to where this machine gets to.
    package var internet = false
    package var vni = 1
    package var mtu = 1500
    /// Directories of this machine's that its nodes see.
    package var extraMounts: [ExtraMount] = []
    package var registries: [Registry] = []
    /// What is to be on the machine before pods start: names, and whole paths of archives.
    package var images: [String] = []
    /// What the names of Services and pods end in.
    package var dnsDomain = Cluster.standardDomain
    package static let standardDomain = "cluster.local"
    /// Whom pods ask for names where that is not the Service of the cluster's DNS.
    package var nameServers: [IPAddress] = []
    /// Who is asked for names that are not the cluster's, as CoreDNS' `forward` has it: addresses, with a port or without, and paths of
    /// resolv.conf files. Empty: nobody.
    package var forward: [String] = []
    /// Those that are no plain links, in the nodes' order.
    package var links: [NodeLink] = []
    /// How long a node may be silent until it is taken for unreachable, in seconds.
    package var nodeMonitorGracePeriod = 40

    package init() {}

    /// Whether a cluster may be called so: files, control groups, links and namespaces have the name in theirs.
    package static func isName(_ name: String) -> Bool {
        let dash = UInt8(ascii: "-")
        return (1...32).contains(name.utf8.count) && name.utf8.first != dash && name.utf8.last != dash
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == dash }
    }
    package static let nameRule = "must be at most 32 lower case letters, digits and '-', and start and end with a letter or digit"

    /// The port of the API on the control plane's node.
    package static let apiPort = 6443
    package var controlPlane: NodeSpec { nodes.first(where: \.isControlPlane) ?? nodes[0] }

    package var json: JSON {
        [
            "apiVersion": .string(Self.apiVersion), "kind": "Cluster", "metadata": ["name": .string(name)],
            "spec": [
                "nodes": .array(
                    nodes.map {
                        [
                            "name": .string($0.name), "role": .string($0.isControlPlane ? "control-plane" : "worker"),
                            "address": Self.text($0.addresses), "podCIDR": Self.text($0.podCIDRs), "taints": $0.taints,
                            "labels": JSON($0.labels), "extraMounts": ExtraMount.json($0.extraMounts),
                        ]
                    }),
                "nodeSubnet": Self.text(networks.map(\.nodes)), "podSubnet": Self.text(networks.map(\.pods)),
                "serviceSubnet": Self.text(networks.map(\.services)),
                "serviceNodePortRange": .string("\(nodePortRange.lowerBound)-\(nodePortRange.upperBound)"),
                "loadBalancerPool": JSON(loadBalancerPool?.description), "plugin": .string(plugin.rawValue),
                "bootstrap": bootstrap == .minik ? .null : .string(bootstrap.rawValue),
                "kubernetesVersion": kubernetesVersion == .current ? .null : .string("\(kubernetesVersion)"),
                "encapsulation": encapsulation == .vxlan ? .null : .string(encapsulation.rawValue), "vni": .int(vni), "mtu": .int(mtu),
                "extraMounts": ExtraMount.json(extraMounts),
                "repair": repair == .automatic ? .null : .string(repair.rawValue), "internet": internet ? true : .null,
                "registries": registries.isEmpty ? .null : .array(registries.map(\.json)),
                "images": images.isEmpty ? .null : .array(images.map(JSON.string)),
                "dns": dns,
                "links": links.isEmpty ? .null : .array(links.map(\.json)),
                "nodeMonitorGracePeriod": nodeMonitorGracePeriod == 40 ? .null : .string("\(nodeMonitorGracePeriod)s"),
            ],
        ]
    }

    private var dns: JSON {
        if forward.isEmpty, dnsDomain == Self.standardDomain { return .null }
        return [
            "forward": forward.isEmpty ? .null : .array(forward.map(JSON.string)),
            "domain": dnsDomain == Self.standardDomain ? .null : .string(dnsDomain),
        ]
    }

    /// As kubeadm writes one network, or one of each family.
    private static func text(_ values: [some CustomStringConvertible]) -> JSON {
        .string(values.map(\.description).joined(separator: ","))
    }
}

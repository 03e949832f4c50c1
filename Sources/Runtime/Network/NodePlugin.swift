import Model

/// A pod that is to be connected: its addresses, one of each family, and who is in its network namespace.
package struct PodAttachment: Sendable {
    package let pod: Pod
    package let addresses: [IPAddress]
    package let process: Int

    package init(pod: Pod, addresses: [IPAddress], process: Int) {
        self.pod = pod
        self.addresses = addresses
        self.process = process
    }

    var namespace: String { "/proc/\(process)/ns/net" }
}

/// Why a network does not take a pod as things stand: asked again soon, for it costs little, and somebody may mend it.
package protocol PodRefusal: Error {}

/// The pods' network of one node, as a pod's life needs it.
package protocol PodNetwork: Sendable {
    /// Whether it gives pods their addresses itself, as CNI plugins do; then `attach` says which, and it is told of a pod's end while the
    /// pod's network namespace is still there.
    var givesAddresses: Bool { get }
    /// Why it cannot connect pods just now; nil when it can.
    func trouble() async -> String?
    /// The addresses that a pod is to have, while there is nothing of it yet; nil where they are the node's to give, or `attach`'s.
    func assign(_ pod: Pod) async throws -> [IPAddress]?
    /// Remembers what a pod has that an earlier daemon connected, before any other asks.
    func keep(_ addresses: [IPAddress], of pod: Pod) async throws
    /// Connects a pod. When this returns it has its links, its addresses and its routes.
    /// Which addresses it has then, the primary one first.
    func attach(_ attachment: PodAttachment) async throws -> [IPAddress]
    /// Keeps an eye on a pod that an earlier daemon has connected.
    func adopt(_ attachment: PodAttachment) async
    /// Takes the pod's links; nothing there is no error.
    func detach(_ pod: Pod) async throws
}

extension PodNetwork {
    package var givesAddresses: Bool { false }
    package func trouble() async -> String? { nil }
    package func assign(_ pod: Pod) async throws -> [IPAddress]? { nil }
    package func keep(_ addresses: [IPAddress], of pod: Pod) async throws {}
}

/// A network plugin on one node: what its daemon lays out there, what its CNI binary does for a pod, and what it leaves behind for people
/// to find; its tables are compiled by Proxy's `PluginTables`. `init` is inert: files and annotations are known before the node has a
/// network namespace.
package protocol NodePlugin: PodNetwork {
    /// The files it leaves on a node, by path.
    var files: [String: String] { get }
    /// What it writes of itself into the Node.
    var annotations: [String: String] { get }
    /// What a pod's frames are known by, before and after its link is there; nil where only the plugin knows.
    func link(of pod: Pod, _ address: IPAddress) -> PodLink?
    /// Lays out what is missing of the node's own network. In words, what was missing.
    func setUp() async throws -> [String]
    /// Turns to the namespace that now has the node's name; the pods of the old one went with it.
    func moved() async
    /// Holds the links of the pods that run against what they should be, and corrects them. In words, what was found.
    func check() async throws -> [String]
}

/// The plugins there are.
package enum NodePlugins {
    package static func plugin(for node: Cluster.NodeSpec, of cluster: Cluster, paths: ClusterPaths) -> any NodePlugin {
        guard let layout = layout(of: node, in: cluster) else { return CNIPlugin(node: node, cluster: cluster, paths: paths) }
        let chain = (layout as? FlannelNetwork).map { network in
            FlannelChain(network) { HostLocalLeases.Ground(try NodeRoot(node.name, paths: paths)) }
        }
        return VethPlugin(node: node, layout: layout, chain: chain, paths: paths)
    }

    /// What the plugin lays out where minik itself is the plugin; nil where others are.
    package static func layout(of node: Cluster.NodeSpec, in cluster: Cluster) -> (any PodLayout)? {
        switch cluster.plugin {
        case .flannel, .flannelNetpol: FlannelNetwork(spec: node, cluster: cluster)
        case .calico: CalicoNetwork(spec: node, cluster: cluster)
        case .canal: CanalNetwork(spec: node, cluster: cluster)
        case .cni, .none: nil
        }
    }
}

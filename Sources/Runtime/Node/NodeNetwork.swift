import Model
import Netlink

/// The links of one emulated node, as flannel lays them out: eth0 on the node LAN, flannel.1 to the peers, cni0 for its pods.
package actor NodeNetwork {
    package static let bridge = "cni0"
    package static let vxlan = "flannel.1"
    static let vxlanPort: UInt16 = 8472

    private let executor = QueueExecutor("links")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let node: Cluster.NodeSpec
    private let cluster: Cluster
    private let path: String
    private let paths: ClusterPaths
    private let names: NamespaceNames
    private let layout: [NetworkItem]
    private var place: NetworkPlace
    /// The pods whose links stand here, to be held against what they should be.
    private var plugged: [String: PluggedPod] = [:]
    /// Links that are about to be deleted together, and why some of those were not that others have tried.
    private var leaving: Set<String> = []
    private var refused: [String: any Error] = [:]

    private struct PluggedPod {
        let pod: Pod
        let address: IPv4Address
        /// Who is in the pod's network namespace.
        let process: Int
        var namespace: String { "/proc/\(process)/ns/net" }
    }

    /// Opens the node's namespace; nothing is changed before `repair`.
    package init(node: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths, names: NamespaceNames = .ofMachine) throws {
        self.node = node
        self.cluster = cluster
        self.paths = paths
        self.names = names
        path = paths.nodeNetns(node.name)
        layout = NetworkLayout.node(node, cluster)
        place = try NetworkPlace(path: path)
    }

    /// Turns to the namespace that now has the node's name; the pods of the old one went with it.
    package func reopen() throws {
        place = try NetworkPlace(path: path)
        plugged = [:]
    }

    /// What a VXLAN adds to a packet: outer Ethernet, IP, UDP and VXLAN headers.
    package static func podMTU(_ cluster: Cluster) -> Int { cluster.mtu - 50 }

    /// The VTEP address of a node: derived, so that peers need not be told when a node is rebuilt.
    package static func vtep(_ node: Cluster.NodeSpec, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(node.name)/flannel.1")
    }

    /// Builds what is missing; what stands already is kept. In words, what was missing.
    package func repair() throws -> [String] { try place.repair(layout).map(\.description) }

    /// The host side's name of a pod's veth: `veth` and eight hexadecimal digits.
    package static func vethName(_ pod: Pod) -> String { "veth\(ShortHash.hex(pod.uid, digits: 8))" }

    /// The MAC of a pod's eth0: derived, so that a link that is made again is known by the same.
    private static func hardwareAddress(_ pod: Pod, _ cluster: Cluster) -> MACAddress {
        MACAddress(derivedFrom: "\(cluster.name)/\(pod.uid)")
    }

    /// What a pod's frames are known by, before and after its link is there.
    package static func link(of pod: Pod, _ address: IPv4Address, _ cluster: Cluster) -> PodLink {
        PodLink(name: vethName(pod), hardwareAddress: hardwareAddress(pod, cluster), address: address)
    }

    /// Connects a pod, whose namespace is that of `process`: a name under /run/netns, a veth from cni0 to eth0 in its namespace, its
    /// address and its two routes.
    package func attach(_ pod: Pod, address: IPv4Address, process: Int) throws {
        let plugged = PluggedPod(pod: pod, address: address, process: process)
        try names.take(paths.podNetns(pod.key), for: pod.uid, process: process)
        try plug(plugged)
        var inside = try NetworkPlace(path: plugged.namespace)
        _ = try inside.repair(NetworkLayout.pod(pod, address: address, on: node, cluster))
        self.plugged[pod.uid] = plugged
    }

    /// Keeps an eye on the links of a pod that an earlier daemon has connected.
    package func adopt(_ pod: Pod, address: IPv4Address, process: Int) {
        names.hold(paths.podNetns(pod.key), for: pod.uid)
        plugged[pod.uid] = PluggedPod(pod: pod, address: address, process: process)
    }

    private func plug(_ plugged: PluggedPod) throws {
        let podNamespace = try NetworkNamespace(path: plugged.namespace)
        let name = Self.vethName(plugged.pod)
        try place.socket.deleteLink(name)
        try place.socket.addVeth(
            name, master: try place.socket.index(of: Self.bridge), mtu: Self.podMTU(cluster), peer: "eth0",
            peerAddress: Self.hardwareAddress(plugged.pod, cluster), peerNamespace: podNamespace)
        try place.socket.setHairpin(try place.socket.index(of: name))
    }

    /// Takes a pod's links, and its namespace's name unless its successor of the same name has it by now. Whoever comes meanwhile goes with
    /// the same request: the kernel takes as long for many links as for one.
    package func detach(_ pod: Pod) async throws {
        let name = Self.vethName(pod)
        plugged[pod.uid] = nil
        names.giveBack(paths.podNetns(pod.key), of: pod.uid)
        leaving.insert(name)
        await Task.yield()
        if leaving.contains(name) {
            let together = leaving
            leaving = []
            do { try place.socket.deleteLinks(together.sorted()) } catch { for name in together { refused[name] = error } }
        }
        if let error = refused.removeValue(forKey: name) { throw error }
    }

    /// Corrects the links of the pods that run; in words, what was missing.
    package func repairPods() throws -> [String] {
        if plugged.isEmpty { return [] }
        let node = try place.read(for: [])
        var found: [String] = []
        for pod in plugged.values where Files.exists(pod.namespace) {
            found += try repair(pod, node).map { "\($0) of pod \(pod.pod.key)" }
        }
        return found
    }

    private func repair(_ plugged: PluggedPod, _ node: NetworkReading) throws -> [String] {
        var found: [String] = []
        let name = paths.podNetns(plugged.pod.key)
        if names.holder(of: name) == plugged.pod.uid, !NetworkNamespace.isBound(path: name, pid: plugged.process) {
            try names.take(name, for: plugged.pod.uid, process: plugged.process)
            found.append("name \(name) of the network namespace")
        }
        var inside = try NetworkPlace(path: plugged.namespace)
        let port = NetworkLayout.port(of: plugged.pod, cluster)
        if !node.has(port) {
            let master = node.links[Self.bridge]?.index, own = node.links[Self.vethName(plugged.pod)]
            found.append(port.description)
            if own == nil || own?.master != master { try plug(plugged) } else { _ = try place.repair([port]) }
        }
        let layout = NetworkLayout.pod(plugged.pod, address: plugged.address, on: self.node, cluster)
        return found + (try inside.repair(layout).map(\.description))
    }
}

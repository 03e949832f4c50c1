import Host
import Model
import Netlink

/// Flannel on one node, with its VXLAN: eth0 on the node LAN, flannel.1 to the peers, cni0 for its pods. `flannel-netpol` is the same, with
/// an engine for policies beside it.
package actor FlannelPlugin: NodePlugin {
    private let executor = QueueExecutor("links")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private nonisolated let node: Cluster.NodeSpec
    private nonisolated let cluster: Cluster
    private let path: String
    private let paths: ClusterPaths
    private let names: NamespaceNames
    private let layout: [NetworkItem]
    /// The node's namespace, once it has been opened.
    private var opened: NetworkPlace?
    /// The pods whose links stand here, to be held against what they should be.
    private var plugged: [String: PodAttachment] = [:]
    /// Links that are about to be deleted together, and why some of those were not that others have tried.
    private var leaving: Set<String> = []
    private var refused: [String: any Error] = [:]

    package init(node: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths, names: NamespaceNames = .ofMachine) {
        self.node = node
        self.cluster = cluster
        self.paths = paths
        self.names = names
        path = paths.nodeNetns(node.name)
        layout = FlannelLayout.node(node, cluster)
    }

    package nonisolated var files: [String: String] { FlannelFiles.files(node, cluster) }
    package nonisolated var annotations: [String: String] { FlannelFiles.annotations(node, cluster) }

    package nonisolated func link(of pod: Pod, _ address: IPAddress) -> PodLink {
        PodLink(
            name: FlannelLayout.vethName(pod), hardwareAddress: FlannelLayout.hardwareAddress(pod, cluster), address: address)
    }

    /// Does something in the node's namespace, which the first to come opens.
    private func withPlace<T>(_ body: (inout NetworkPlace) throws -> T) throws -> T {
        var place: NetworkPlace
        switch opened.take() {
        case .some(let open): place = open
        case nil: place = try NetworkPlace(path: path)
        }
        do {
            let result = try body(&place)
            opened = consume place
            return result
        } catch {
            opened = consume place
            throw error
        }
    }

    package func setUp() throws -> [String] { try withPlace { try $0.repair(layout).map(\.description) } }

    package func moved() {
        opened = nil
        plugged = [:]
    }

    /// A name under /run/netns, a veth from cni0 to eth0 in the pod's namespace, its address and its two routes.
    package func attach(_ attachment: PodAttachment) throws {
        let pod = attachment.pod
        try names.take(paths.podNetns(pod.key), for: pod.uid, process: attachment.process)
        try plug(attachment)
        var inside = try NetworkPlace(path: attachment.namespace)
        _ = try inside.repair(FlannelLayout.pod(pod, address: attachment.address, on: node, cluster))
        plugged[pod.uid] = attachment
    }

    package func adopt(_ attachment: PodAttachment) {
        names.hold(paths.podNetns(attachment.pod.key), for: attachment.pod.uid)
        plugged[attachment.pod.uid] = attachment
    }

    private func plug(_ attachment: PodAttachment) throws {
        let podNamespace = try NetworkNamespace(path: attachment.namespace)
        let name = FlannelLayout.vethName(attachment.pod)
        try withPlace { place in
            try place.socket.deleteLink(name)
            try place.socket.addVeth(
                name, master: try place.socket.index(of: FlannelLayout.bridge), mtu: FlannelLayout.podMTU(cluster), peer: "eth0",
                peerAddress: FlannelLayout.hardwareAddress(attachment.pod, cluster), peerNamespace: podNamespace)
            try place.socket.setHairpin(try place.socket.index(of: name))
        }
    }

    /// Takes a pod's links, and its namespace's name unless its successor of the same name has it by now. Whoever comes meanwhile goes with
    /// the same request: the kernel takes as long for many links as for one.
    package func detach(_ pod: Pod) async throws {
        let name = FlannelLayout.vethName(pod)
        plugged[pod.uid] = nil
        names.giveBack(paths.podNetns(pod.key), of: pod.uid)
        leaving.insert(name)
        await Task.yield()
        if leaving.contains(name) {
            let together = leaving
            leaving = []
            do { try withPlace { try $0.socket.deleteLinks(together.sorted()) } } catch { for name in together { refused[name] = error } }
        }
        if let error = refused.removeValue(forKey: name) { throw error }
    }

    package func check() throws -> [String] {
        if plugged.isEmpty { return [] }
        let node = try withPlace { try $0.read(for: []) }
        var found: [String] = []
        for pod in plugged.values where Files.exists(pod.namespace) {
            found += try repair(pod, node).map { "\($0) of pod \(pod.pod.key)" }
        }
        return found
    }

    private func repair(_ plugged: PodAttachment, _ node: NetworkReading) throws -> [String] {
        var found: [String] = []
        let name = paths.podNetns(plugged.pod.key)
        if names.holder(of: name) == plugged.pod.uid, !NetworkNamespace.isBound(path: name, pid: plugged.process) {
            try names.take(name, for: plugged.pod.uid, process: plugged.process)
            found.append("name \(name) of the network namespace")
        }
        var inside = try NetworkPlace(path: plugged.namespace)
        let port = FlannelLayout.port(of: plugged.pod, cluster)
        if !node.has(port) {
            let master = node.links[FlannelLayout.bridge]?.index, own = node.links[FlannelLayout.vethName(plugged.pod)]
            found.append(port.description)
            if own == nil || own?.master != master { try plug(plugged) } else { _ = try withPlace { try $0.repair([port]) } }
        }
        let layout = FlannelLayout.pod(plugged.pod, address: plugged.address, on: self.node, cluster)
        return found + (try inside.repair(layout).map(\.description))
    }
}

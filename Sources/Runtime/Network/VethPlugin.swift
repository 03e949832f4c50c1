import Host
import Model
import Netlink

/// A plugin that minik itself is: a veth for each pod, with what its `PodLayout` says is to be on both sides of it.
package actor VethPlugin: NodePlugin {
    private let executor = QueueExecutor("links")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private nonisolated let layout: any PodLayout
    private let path: String
    private let paths: ClusterPaths
    private let names: NamespaceNames
    private let node: [NetworkItem]
    /// The node's namespace, once it has been opened.
    private var opened: NetworkPlace?
    /// The pods whose links stand here, to be held against what they should be.
    private var plugged: [String: PodAttachment] = [:]
    /// Which pod has a link's name: one's successor may have it by the time that it goes.
    private var holders: [String: String] = [:]
    /// What decides on addresses, where the plugin does; and the layouts that it has given pods.
    private var chain: FlannelChain?
    private var given: [String: any PodLayout] = [:]
    /// Links that are about to be deleted together, and why some of those were not that others have tried.
    private var leaving: Set<String> = []
    private var refused: [String: any Error] = [:]

    init(
        node: Cluster.NodeSpec, layout: any PodLayout, chain: FlannelChain? = nil, paths: ClusterPaths, names: NamespaceNames = .ofMachine
    ) {
        self.layout = layout
        self.chain = chain
        self.paths = paths
        self.names = names
        self.node = layout.node
        path = paths.nodeNetns(node.name)
    }

    package nonisolated var files: [String: String] { layout.files }
    package nonisolated var annotations: [String: String] { layout.annotations }

    package nonisolated func link(of pod: Pod, _ address: IPAddress) -> PodLink? {
        guard layout.bridge != nil else { return nil }
        return PodLink(name: layout.linkName(pod), hardwareAddress: layout.hardwareAddress(pod), address: address)
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

    package func setUp() throws -> [String] {
        try withPlace { try $0.repair(node).map(\.description) } + (chain?.repair() ?? [])
    }

    package func moved() {
        opened = nil
        (plugged, holders) = ([:], [:])
    }

    private func layout(of pod: Pod) -> any PodLayout { given[pod.uid] ?? layout }

    package func assign(_ pod: Pod) throws -> [IPAddress]? {
        guard chain != nil else { return nil }
        let added = try withPlace { try chain?.add(pod, in: &$0) }
        given[pod.uid] = added?.layout
        return added?.addresses
    }

    package func keep(_ addresses: [IPAddress], of pod: Pod) throws { try chain?.keep(addresses, of: pod) }

    /// A name under /run/netns, a veth from the node to eth0 in the pod's namespace; of each family an address and what leads to others.
    package func attach(_ attachment: PodAttachment) throws -> [IPAddress] {
        let pod = attachment.pod
        try names.take(paths.podNetns(pod.key), for: pod.uid, process: attachment.process)
        try plug(attachment)
        var inside = try NetworkPlace(path: attachment.namespace)
        _ = try inside.repair(layout(of: pod).pod(pod, addresses: attachment.addresses))
        plugged[pod.uid] = attachment
        return attachment.addresses
    }

    package func adopt(_ attachment: PodAttachment) {
        names.hold(paths.podNetns(attachment.pod.key), for: attachment.pod.uid)
        plugged[attachment.pod.uid] = attachment
        holders[layout.linkName(attachment.pod)] = attachment.pod.uid
    }

    private func plug(_ attachment: PodAttachment) throws {
        let podNamespace = try NetworkNamespace(path: attachment.namespace), layout = layout(of: attachment.pod)
        let name = layout.linkName(attachment.pod), bridge = layout.bridge
        let port = layout.port(of: attachment.pod, addresses: attachment.addresses)
        holders[name] = attachment.pod.uid
        try withPlace { place in
            try place.socket.deleteLink(name)
            let master = try bridge.map { name throws(NetlinkError) in try place.socket.index(of: name) }
            try place.socket.addVeth(
                name, master: master, mtu: layout.podMTU, address: layout.portAddress, peer: "eth0",
                peerAddress: layout.hardwareAddress(attachment.pod), peerNamespace: podNamespace)
            if bridge != nil { try place.socket.setHairpin(try place.socket.index(of: name)) } else { _ = try place.repair(port) }
        }
    }

    /// Takes a pod's links, and its namespace's name unless its successor of the same name has it by now. Whoever comes meanwhile goes with
    /// the same request: the kernel takes as long for many links as for one.
    package func detach(_ pod: Pod) async throws {
        let name = layout.linkName(pod)
        plugged[pod.uid] = nil
        names.giveBack(paths.podNetns(pod.key), of: pod.uid)
        given[pod.uid] = nil
        guard (holders[name] ?? pod.uid) == pod.uid else { return try giveBack(pod) }
        holders[name] = nil
        leaving.insert(name)
        await Task.yield()
        if leaving.contains(name) {
            let together = leaving
            leaving = []
            do { try withPlace { try $0.socket.deleteLinks(together.sorted()) } } catch { for name in together { refused[name] = error } }
        }
        if let error = refused.removeValue(forKey: name) { throw error }
        try giveBack(pod)
    }

    private func giveBack(_ pod: Pod) throws { try chain?.delete(pod) }

    package func check() throws -> [String] {
        if plugged.isEmpty { return [] }
        let standing = plugged.values.filter { Files.exists($0.namespace) }
        let ports = standing.flatMap { layout(of: $0.pod).port(of: $0.pod, addresses: $0.addresses) }
        let node = try withPlace { try $0.read(for: ports) }
        return try standing.flatMap { pod in try repair(pod, node).map { "\($0) of pod \(pod.pod.key)" } }
    }

    private func repair(_ plugged: PodAttachment, _ node: NetworkReading) throws -> [String] {
        var found: [String] = []
        let layout = layout(of: plugged.pod), name = paths.podNetns(plugged.pod.key)
        if names.holder(of: name) == plugged.pod.uid, !NetworkNamespace.isBound(path: name, pid: plugged.process) {
            try names.take(name, for: plugged.pod.uid, process: plugged.process)
            found.append("name \(name) of the network namespace")
        }
        var inside = try NetworkPlace(path: plugged.namespace)
        let missing = node.missing(of: layout.port(of: plugged.pod, addresses: plugged.addresses))
        if !missing.isEmpty {
            let master = layout.bridge.flatMap { node.links[$0]?.index }, own = node.links[layout.linkName(plugged.pod)]
            found += missing.map(\.description)
            if own == nil || (layout.bridge != nil && own?.master != master) {
                try plug(plugged)
            } else {
                _ = try withPlace { try $0.repair(missing) }
            }
        }
        return found + (try inside.repair(layout.pod(plugged.pod, addresses: plugged.addresses)).map(\.description))
    }
}

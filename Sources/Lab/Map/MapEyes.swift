import Glibc
import Model
import Netlink
import Runtime

/// Looks at the links of a cluster's namespaces, what goes through them, and the connections that nodes track. Namespaces stay open from
/// look to look.
package actor MapEyes: MapSource {
    private let executor = QueueExecutor("map")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let paths: ClusterPaths
    private let cluster: Cluster
    private var places: [String: OpenPlace] = [:]
    /// By a pod's UID: where its link leads stays the same while it runs.
    private var ends: [String: Int32] = [:]
    private var moves: [String: ConnectionMoves] = [:]

    package init(paths: ClusterPaths, cluster: Cluster) { (self.paths, self.cluster) = (paths, cluster) }

    /// What is not there, or just goes, is left out.
    package func look(at pods: [Pod]) throws -> MapSight {
        var sight = MapSight()
        for node in cluster.nodes { sight.nodes[node.name] = try read(paths.nodeNetns(node.name)) }
        sight.lan = try read(paths.lanNetns)
        // Of this machine's own namespace only one link is the cluster's.
        sight.outside = try read(paths.outside)
        if paths.outside != paths.outsideNetns { sight.outside?.links.removeAll { $0.name != paths.hostLink } }
        let own = pods.filter { !$0.isHostNetwork && !$0.isFinished && $0.nodeName != nil }
        sight.troubles = troubles()
        for pod in own { sight.attachments[pod.key] = try end(of: pod) }
        let uids = Set(own.map(\.uid))
        ends = ends.filter { uids.contains($0.key) }
        return sight
    }

    private func troubles() -> [String: String] {
        // A document that just cannot be read says nothing of links.
        let document = ((try? paths.storedCluster()) ?? nil) ?? cluster
        return cluster.nodes.reduce(into: [:]) { found, node in
            let state = NodePower(node.name, paths).state
            if state != .running {
                found[node.name] = state.rawValue
            } else if document.link(of: node.name).isPartitioned {
                found[node.name] = "cut off"
            }
        }
    }

    package func moved(now: Double) throws -> [ConnectionMoves.Connection] {
        var moved: [ConnectionMoves.Connection] = []
        for node in cluster.nodes {
            guard let place = try place(paths.nodeNetns(node.name)) else { continue }
            let found = try cluster.families.flatMap { family in try retrying { try place.tracking.remaining(family) } }
            moved += moves[node.name, default: ConnectionMoves()].moved(found, now: now)
        }
        return ConnectionMoves.once(moved)
    }

    private func read(_ path: String) throws -> MapSight.Place? {
        guard let place = try place(path) else { return nil }
        let links = try retrying { try place.socket.links(statistics: true) }
        var addresses: [Int32: [String]] = [:]
        for family in cluster.families {
            for found in try retrying({ try place.socket.addresses(family) })
            where found.address.family == .ipv4 || !found.address.isLinkLocal {
                addresses[found.device, default: []].append("\(found.address)/\(found.prefixLength)")
            }
        }
        return MapSight.Place(links: links.sorted { $0.index < $1.index }, addresses: addresses)
    }

    private func end(of pod: Pod) throws -> Int32? {
        if let known = ends[pod.uid] { return known }
        do {
            let end = try Self.peer(of: "eth0", in: paths.podNetns(pod.key))
            ends[pod.uid] = end
            return end
        } catch let error as NetlinkError where error.errno == ENOENT || error.errno == EINVAL {
            // It has no network yet, or its name is bound to nothing yet.
            return nil
        }
    }

    private static func peer(of name: String, in path: String) throws -> Int32? {
        let namespace = try NetworkNamespace(path: path)
        var socket = try NetlinkSocket(in: namespace)
        return try socket.link(name)?.peer
    }

    /// The namespace that has the name now: a node that was made again has another.
    private func place(_ path: String) throws -> OpenPlace? {
        var info = stat()
        guard stat(path, &info) == 0 else {
            places[path] = nil
            return nil
        }
        if let place = places[path], place.inode == info.st_ino { return place }
        do {
            let place = try OpenPlace.open(path, inode: info.st_ino)
            places[path] = place
            return place
        } catch let error as NetlinkError where error.errno == ENOENT || error.errno == EINVAL {
            return nil
        }
    }

    /// A dump that a change interrupts is asked for again.
    private func retrying<T>(_ body: () throws -> T) throws -> T {
        for _ in 0..<4 {
            do { return try body() } catch let error as NetlinkError where error.errno == EINTR {}
        }
        return try body()
    }
}

private final class OpenPlace {
    var socket: NetlinkSocket
    var tracking: ConntrackSocket
    let inode: ino_t

    private init(_ socket: consuming NetlinkSocket, _ tracking: consuming ConntrackSocket, inode: ino_t) {
        self.socket = socket
        self.tracking = tracking
        self.inode = inode
    }

    static func open(_ path: String, inode: ino_t) throws -> OpenPlace {
        let namespace = try NetworkNamespace(path: path)
        return try OpenPlace(NetlinkSocket(in: namespace), ConntrackSocket(in: namespace), inode: inode)
    }
}

import Glibc
import Host
import Model
import Netlink

/// What an earlier daemon left of pods that no object claims any more: shims, names of namespaces, links, directories.
package struct Leftovers {
    private let cluster: Cluster
    private let paths: ClusterPaths

    package init(cluster: Cluster, paths: ClusterPaths) {
        self.cluster = cluster
        self.paths = paths
    }

    /// Removes them, before any address is given to another pod; in words, what could not be.
    package func remove(keeping pods: [Pod]) -> [String] {
        let claimed = Set(pods.map(\.uid))
        var problems: [String] = []
        let strays = ClusterProcess.all(paths).filter { if case .pod(let uid) = $0.role { !claimed.contains(uid) } else { false } }
        for stray in strays { stray.identity.signal(SIGKILL) }
        for stray in strays where !stray.identity.awaitEnd(milliseconds: 5000) { problems.append("\(stray.description), does not end") }
        let gone = Set(Self.unclaimed(Files.list(paths.podRuns) + Files.list("\(paths.state)/pods"), claimed))
        for uid in Self.unclaimed(Files.list(paths.podRuns), claimed) { Files.removeTree(paths.podRun(uid)) }
        for uid in Self.unclaimed(Files.list("\(paths.state)/pods"), claimed) { Files.removeTree(paths.podState(uid)) }
        for name in Self.unclaimedNames(Files.list(ClusterPaths.netns), pods, paths) {
            NetworkNamespace.delete(path: "\(ClusterPaths.netns)/\(name)")
        }
        for node in cluster.nodes {
            ContainerLogFiles.sweep(node.name, paths, keeping: claimed)
            for nodeGroup in Cgroup.everywhere(.cluster(cluster.name).node(node.name)) {
                for uid in Self.unclaimed(nodeGroup.children, claimed) {
                    problems += nodeGroup.below { $0.pod(uid) }.delete(milliseconds: 1000)
                }
            }
            do {
                try removeLinks(of: node, pods)
                try giveBack(gone, on: node)
            } catch { problems.append("node \(node.name): \(error)") }
        }
        return problems
    }

    private static func unclaimed(_ uids: [String], _ claimed: Set<String>) -> [String] { uids.filter { !claimed.contains($0) } }

    /// Names of pods' network namespaces, CLUSTER_NAMESPACE_NAME, whose pod is no more. The LAN's have an empty namespace, nodes' have
    /// none.
    package static func unclaimedNames(_ names: [String], _ pods: [Pod], _ paths: ClusterPaths) -> [String] {
        let claimed = Set(pods.map { paths.podNetns($0.key) })
        return names.filter { name in
            let parts = name.split(separator: "_", omittingEmptySubsequences: false)
            return parts.count == 3 && name.hasPrefix(paths.netnsPrefix) && !parts[1].isEmpty
                && !claimed.contains("\(ClusterPaths.netns)/\(name)")
        }
    }

    /// The addresses that host-local keeps for pods that are no more.
    private func giveBack(_ uids: Set<String>, on node: Cluster.NodeSpec) throws {
        guard !uids.isEmpty, NodePlugins.layout(of: node, in: cluster) is FlannelNetwork,
            ProcessIdentity(file: paths.nodePID(node.name)) != nil
        else { return }
        let ground = HostLocalLeases.Ground(try NodeRoot(node.name, paths: paths))
        var leases = HostLocalLeases()
        for uid in uids { try leases.giveBack(CNIAttachment.containerID(uid), in: ground) }
    }

    private func removeLinks(of node: Cluster.NodeSpec, _ pods: [Pod]) throws {
        guard Files.exists(paths.nodeNetns(node.name)), let layout = NodePlugins.layout(of: node, in: cluster) else { return }
        var socket = try NetlinkSocket(in: NetworkNamespace(path: paths.nodeNetns(node.name)))
        let links = try socket.links(), bridge = layout.bridge.map { name in links.first { $0.name == name }?.index }
        let ports = links.filter { link in link.kind == "veth" && bridge.map { $0 == link.master } ?? true }
        for name in Self.unclaimedLinks(ports.map(\.name), pods, layout) { try socket.deleteLink(name) }
    }

    /// Of links' names those that the layout gives to pods' links, of pods that are no more. What else there is others have made: a CNI
    /// plugin, or a person.
    package static func unclaimedLinks(_ names: [String], _ pods: [Pod], _ layout: any PodLayout) -> [String] {
        let claimed = Set(pods.map(layout.linkName)), example = layout.linkName(Pod(JSON.object(JSONObject())))
        let digits = example.reversed().prefix { $0.isHexDigit }.count
        return names.filter { name in
            name.count == example.count && name.hasPrefix(example.dropLast(digits)) && name.suffix(digits).allSatisfy(\.isHexDigit)
                && !claimed.contains(name)
        }
    }
}

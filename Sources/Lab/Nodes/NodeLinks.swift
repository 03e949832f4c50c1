import Host
import Model
import Runtime

/// How the links of a running cluster's nodes behave: as its document says, which is changed first. A kernel that refuses leaves both, the
/// links and the document, as they were.
package struct NodeLinks {
    private let paths: ClusterPaths

    package init(_ paths: ClusterPaths) { self.paths = paths }

    private func cluster() throws -> Cluster {
        guard let cluster = try paths.storedCluster() else {
            throw UserError("\(paths.clusterFile) is gone", hint: "what is left of the cluster goes with: minik down \(paths.cluster)")
        }
        return cluster
    }

    /// Changes one node's; how it is then.
    package func change(_ node: String, _ change: (inout Cluster.NodeLink) throws -> Void) throws -> Cluster.NodeLink {
        try ClusterPause(paths).requireNone()
        return try ClusterLock.with(paths) { try changeLocked(node, change) }
    }

    /// The same for who has the cluster's lock.
    @discardableResult
    func changeLocked(_ node: String, _ change: (inout Cluster.NodeLink) throws -> Void) throws -> Cluster.NodeLink {
        let before = try cluster()
        guard before.nodes.contains(where: { $0.name == node }) else {
            throw UserError("there is no node \"\(node)\"", hint: "there are: \(before.nodes.map(\.name).joined(separator: ", "))")
        }
        var after = before, link = before.link(of: node)
        try change(&link)
        after.set(link)
        try apply(after, before)
        // Whoever connects the node again frees it of the fault, too.
        let faults = InjectedFaults(paths), entries = try faults.all
        let isOver = { (entry: InjectedFaults.Entry) in entry.node == node && entry.name == Fault.partition.name && !link.isPartitioned }
        if entries.contains(where: isOver) { try faults.set(entries.filter { !isOver($0) }) }
        return link
    }

    /// Has the kernel do what `after` says, where `before` said otherwise, and writes it down.
    func apply(_ after: Cluster, _ before: Cluster) throws {
        try write(after)
        var done: [String] = []
        do {
            for node in after.nodes.map(\.name) where after.link(of: node) != before.link(of: node) {
                done.append(node)
                try apply(after.link(of: node), after)
            }
        } catch {
            try write(before)
            for node in done { try apply(before.link(of: node), before) }
            throw (error as? LinkShape.Unsupported).map(Self.explained) ?? error
        }
    }

    private func apply(_ link: Cluster.NodeLink, _ cluster: Cluster) throws {
        var link = link
        // Nothing gets at a node that stands still.
        if NodePower(link.node, paths).state == .paused { link.isPartitioned = true }
        try NodeLAN(cluster: cluster, paths: paths).apply(link)
    }

    private func write(_ cluster: Cluster) throws {
        try Files.write(cluster.json.text(indented: true) + "\n", to: paths.clusterFile, mode: 0o600)
    }

    static func explained(_ error: LinkShape.Unsupported) -> UserError {
        UserError(
            "\(error)",
            hint: "nothing was changed; load it: modprobe sch_\(error.kind). It is a module of Debian's linux-image-amd64 (-arm64) and of "
                + "Ubuntu's linux-modules-extra-KERNEL"
                + (error.kind == "netem" ? "; a rate alone (--rate) and minik link partition do without" : ""))
    }

    /// All of them, in the nodes' order.
    package func all() throws -> [(link: Cluster.NodeLink, port: String)] {
        let cluster = try cluster()
        return cluster.nodes.map { (cluster.link(of: $0.name), LANLayout.portName($0.name)) }
    }
}

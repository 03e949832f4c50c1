import Glibc
import Host

/// Stops all processes of a cluster but its daemon's, or of one of its nodes, and lets them go on. Containers are frozen by their control
/// group where that is one of version 2 (Documentation/admin-guide/cgroup-v2.rst, "cgroup.freeze"), which no process can tell; all others,
/// and containers elsewhere, by SIGSTOP: version 1 knows freezing as a hierarchy of its own, in which no container of ours is, and what is
/// frozen there cannot be killed.
package struct ClusterFreezer: Sendable {
    private let paths: ClusterPaths
    private let node: String?
    private let hierarchy: String?

    package init(_ paths: ClusterPaths, node: String? = nil, hierarchy: String? = Cgroups.ofMachine().unified) {
        (self.paths, self.node, self.hierarchy) = (paths, node, hierarchy)
    }

    package struct Restless: Error, CustomStringConvertible {
        let left: [Int]
        package var description: String {
            "these processes of the cluster do not stop: \(left.map(String.init).joined(separator: ", ")) (they wait in the kernel; try again)"
        }
    }

    private var groups: [String] {
        guard let hierarchy else { return [] }
        let cluster = CgroupPath.cluster(paths.cluster), group = "\(hierarchy)/\(node.map(cluster.node) ?? cluster)"
        return Files.exists("\(group)/cgroup.freeze") ? [group] : []
    }

    /// Returns when all stand still: those that stood already, which are to stand afterwards, too. Where some do not, all go on.
    package func freeze() throws -> Set<ProcessIdentity> {
        for group in groups { try Files.tell("1", to: "\(group)/cgroup.freeze") }
        let stood = Set(outside().filter(\.isStopped).compactMap { ProcessIdentity(pid: $0.pid) })
        // Whoever is stopped late may have started others before.
        var left: [Int] = []
        for _ in 0..<1000 {
            left = outside().filter { !$0.isStopped }.map(\.pid)
            if left.isEmpty, groups.allSatisfy(Self.isFrozen) { return stood }
            for pid in left { ProcessIdentity(pid: pid)?.signal(SIGSTOP) }
            usleep(2000)
        }
        try thaw(but: stood)
        throw Restless(left: left)
    }

    /// All go on but those that stood before.
    package func thaw(but stood: Set<ProcessIdentity>) throws {
        for process in outside() where process.isStopped {
            if let identity = ProcessIdentity(pid: process.pid), !stood.contains(identity) { identity.signal(SIGCONT) }
        }
        for group in groups { try Files.tell("0", to: "\(group)/cgroup.freeze") }
    }

    /// The cluster's processes that no group freezes.
    private func outside() -> [ClusterMember] {
        let inside = Set(groups.flatMap(Self.processes))
        return ClusterMember.all(paths, of: node).filter { !inside.contains($0.pid) }
    }

    private static func isFrozen(_ group: String) -> Bool {
        (Files.text("\(group)/cgroup.events") ?? "").split(separator: "\n").contains("frozen 1")
    }

    /// Those in a group and in all below it.
    private static func processes(in group: String) -> [Int] {
        (Files.text("\(group)/cgroup.procs") ?? "").split(separator: "\n").compactMap { Int($0) }
            + Files.directories(in: group).flatMap { processes(in: "\(group)/\($0)") }
    }
}

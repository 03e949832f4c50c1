import Glibc
import Host
import Model
import Netlink
import Proxy
import Runtime

/// Removes everything of a cluster: processes, namespaces, the host's link, files. What is not there is no error, what
/// fails is told at the end, and the rest goes all the same.
package struct Teardown {
    let paths: ClusterPaths

    package init(paths: ClusterPaths) { self.paths = paths }

    /// Returns what is left, a line each, and why.
    package func run() async -> [String] {
        var problems: [String] = []
        // By what they are, for the files that name them may be gone. The daemon first: it does nothing on its way out that we would miss,
        // and starts nothing more. With a node's init the kernel ends every process of its pods; the shims stand outside.
        for isDaemon in [true, false] {
            let processes = ClusterProcess.all(paths).filter { ($0.role == .daemon) == isDaemon }
            for process in processes { process.identity.signal(SIGKILL) }
            for process in processes { _ = process.identity.awaitEnd(milliseconds: 5000) }
        }

        for name in Files.list(ClusterPaths.netns) where name.hasPrefix(paths.netnsPrefix) {
            NetworkNamespace.delete(path: "\(ClusterPaths.netns)/\(name)")
        }
        for cgroup in Cgroup.everywhere(.cluster(paths.cluster)) { problems += cgroup.delete(milliseconds: 2000) }
        for cgroup in Cgroup.everywhere(.root) { cgroup.deleteIfEmpty() }
        do { try deleteHostLinks() } catch { problems.append("\(error)") }
        do { try deleteWayOut() } catch { problems.append("\(error)") }
        do { try Kubeconfig(paths: paths).remove() } catch { problems.append("\(error)") }
        for tree in [paths.run, paths.state] {
            let mounts = Self.mounts(below: tree)
            // What somebody has mounted there is not ours to remove.
            if mounts.isEmpty {
                Files.removeTree(tree)
            } else {
                problems += mounts.map { "\(tree) is busy: \($0) is mounted (umount \($0))" }
            }
        }
        rmdir(ClusterPaths.runRoot)
        rmdir(ClusterPaths.clusters)
        // The mount that made /run/netns shareable goes with the last name in it, if it was ours.
        if let mark = Files.text(Self.netnsMark), Files.list(ClusterPaths.netns).isEmpty {
            Mounts.remove(ClusterPaths.netns)
            if mark == Self.madeDirectory { rmdir(ClusterPaths.netns) }
            unlink(Self.netnsMark)
        }
        return problems + Self.left(paths, mentioned: problems)
    }

    private static func mounts(below tree: String) -> [String] {
        (Files.text("/proc/self/mounts") ?? "").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ").map(String.init)
            let point = fields.count > 1 ? fields[1].replacing("\\040", with: " ") : ""
            return point == tree || point.hasPrefix("\(tree)/") ? point : nil
        }
    }

    /// What of a cluster still stands, by name.
    package static func left(_ paths: ClusterPaths, mentioned: [String] = []) -> [String] {
        let processes = ClusterProcess.all(paths).map { "\($0.description), still runs" }
        let names = Files.list(ClusterPaths.netns).filter { $0.hasPrefix(paths.netnsPrefix) }.map { "\(ClusterPaths.netns)/\($0)" }
        let trees = [paths.run, paths.state].filter { tree in Files.exists(tree) && !mentioned.contains { $0.hasPrefix(tree) } }
        return processes + (names + trees).map { "\($0) is still there" }
    }

    private func deleteHostLinks() throws {
        var host = try NetlinkSocket(in: NetworkNamespace.current())
        for link in [paths.hostLink, paths.internetLink] { try host.deleteLink(link) }
    }

    /// What `internet: true` has made of this machine, in that order: it sends on nothing unguarded.
    private func deleteWayOut() throws {
        try MachineForwarding(paths).end()
        var rules = try NFTablesSocket(in: NetworkNamespace.current())
        for family in IPFamily.allCases {
            let table = InternetTables.machineID(paths.cluster, family)
            if try rules.read(table) != nil { try rules.apply([.deleteTable], table: table) }
        }
    }

    private static let madeDirectory = "the directory, too"
    private static let netnsMark = "\(ClusterPaths.stateRoot)/netns-mounted"

    /// Makes /run/netns what `ip netns` makes of it, anew after each start of the machine, and remembers whether it was us.
    package static func shareNetns() throws {
        let existed = Files.exists(ClusterPaths.netns)
        try Files.makeDirectory(ClusterPaths.netns)
        if try Mounts.share(ClusterPaths.netns) {
            try Files.makeDirectory(ClusterPaths.stateRoot, mode: 0o700)
            try Files.write(existed ? "the mount only" : madeDirectory, to: netnsMark)
        }
    }
}

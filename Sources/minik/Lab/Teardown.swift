import CSandbox
import Glibc
import Model
import Netlink
import Runtime

/// Removes everything of a cluster: processes, namespaces, the host's link, files. What is not there is no error, what
/// fails is told at the end, and the rest goes all the same.
struct Teardown {
    let paths: ClusterPaths

    func run() async -> [String] {
        var problems: [String] = []
        if let daemon = ProcessIdentity(file: paths.daemonPID) {
            // The daemon does nothing on its way out that we would miss.
            daemon.signal(SIGKILL)
            if !daemon.awaitEnd(milliseconds: 5000) { problems.append("the daemon, process \(daemon.pid), does not end") }
        }
        // With a node's init the kernel ends every process of its pods; the shims stand outside.
        let inits = Files.list("\(paths.run)/nodes").compactMap { ProcessIdentity(file: "\(paths.run)/nodes/\($0)") }
        let shims = Files.list(paths.podRuns).compactMap { ProcessIdentity(file: "\(paths.podRuns)/\($0)/shim.pid") }
        for process in shims + inits { process.signal(SIGKILL) }
        for process in shims + inits where !process.awaitEnd(milliseconds: 5000) { problems.append("process \(process.pid) does not end") }

        for name in Files.list(ClusterPaths.netns) where name.hasPrefix(paths.netnsPrefix) {
            NetworkNamespace.delete(path: "\(ClusterPaths.netns)/\(name)")
        }
        do { try deleteHostLink() } catch { problems.append("\(error)") }
        do { try Kubeconfig(paths: paths).remove() } catch { problems.append("\(error)") }
        Files.removeTree(paths.run)
        Files.removeTree(paths.state)
        rmdir(ClusterPaths.runRoot)
        rmdir(ClusterPaths.clusters)
        // The mount that made /run/netns shareable goes with the last name in it, if it was ours.
        if let mark = Files.text(Self.netnsMark), Files.list(ClusterPaths.netns).isEmpty {
            sandbox_unmount(ClusterPaths.netns)
            if mark == Self.madeDirectory { rmdir(ClusterPaths.netns) }
            unlink(Self.netnsMark)
        }
        return problems
    }

    private func deleteHostLink() throws {
        var host = try NetlinkSocket(in: NetworkNamespace.current())
        try host.deleteLink(paths.hostLink)
    }

    private static let madeDirectory = "the directory, too"
    private static let netnsMark = "\(ClusterPaths.stateRoot)/netns-mounted"

    /// Makes /run/netns what `ip netns` makes of it, and remembers whether it was us.
    static func shareNetns() throws {
        let existed = Files.exists(ClusterPaths.netns)
        try Files.makeDirectory(ClusterPaths.netns)
        let made = sandbox_share_mount(ClusterPaths.netns)
        guard made >= 0 else { throw FileError("make a shared mount of", ClusterPaths.netns, errno: -made) }
        if made == 1 {
            try Files.makeDirectory(ClusterPaths.stateRoot, mode: 0o700)
            try Files.write(existed ? "the mount only" : madeDirectory, to: netnsMark)
        }
    }
}

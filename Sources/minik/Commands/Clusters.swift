import API
import ArgumentParser
import Glibc
import Model
import Runtime

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Take a cluster down: everything it made goes, nothing else does.")

    @OptionGroup var chosen: ClusterArgument

    @Flag(help: "Take all clusters down.")
    var all = false

    func run() async throws {
        try requireRoot()
        let clusters = RunningCluster.all()
        if all && clusters.isEmpty { return print("no cluster is up") }
        let chosen = all ? clusters.map(\.paths) : [try chosenPaths()]
        for paths in chosen {
            let lockPath = "\(ClusterPaths.stateRoot)/\(paths.cluster).lock"
            let lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            defer { close(lock) }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                throw UserError("another `minik up` or `down` of cluster \"\(paths.cluster)\" is at work", hint: "wait for it to end")
            }
            let progress = Progress()
            let problems = await Teardown(paths: paths).run()
            unlink(lockPath)
            guard problems.isEmpty else {
                throw UserError("cluster \"\(paths.cluster)\" is not down; left is:\n  " + problems.joined(separator: "\n  "))
            }
            progress.finish("cluster \"\(paths.cluster)\" is down")
        }
    }
}

extension Down {
    /// A cluster that is named needs no directory to be known by: whatever is left of it counts.
    private func chosenPaths() throws -> ClusterPaths {
        if let name = chosen.name ?? chosen.cluster, !Teardown.left(ClusterPaths(cluster: name)).isEmpty {
            return ClusterPaths(cluster: name)
        }
        return try chosen.options().paths()
    }
}

struct Ls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the clusters of this machine.")

    func run() async throws {
        try requireRoot()
        let rows = RunningCluster.all().map { cluster -> [String] in
            let spec = Files.text(cluster.paths.clusterFile).flatMap { try? Cluster(stored: JSON(parsing: $0)) }
            let pods = Files.list(cluster.paths.podRuns).count
            return [
                cluster.name, cluster.daemon == nil ? "Stopped" : "Running", "\(spec?.nodes.count ?? 0)", "\(pods)",
                spec?.podSubnet.description ?? "", spec?.serviceSubnet.description ?? "", spec?.plugin.rawValue ?? "",
            ]
        }
        guard !rows.isEmpty else { return print("no cluster is up") }
        TextTable(header: ["NAME", "DAEMON", "NODES", "PODS", "POD-SUBNET", "SERVICE-SUBNET", "PLUGIN"], rows: rows).print()
    }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show how a cluster fares: daemon, nodes, pods that are not well.")
    @OptionGroup var chosen: ClusterArgument

    func run() async throws {
        let options = try chosen.options()
        let paths = try options.paths()
        let daemon = ProcessIdentity(file: paths.daemonPID)
        print("cluster  \(paths.cluster)")
        print(
            "daemon   \(daemon.map { "running, process \($0.pid), \(Self.memory($0.pid))" } ?? "not running (pods and Services go on); bring it back: minik up -c \(paths.cluster)")"
        )
        print("state    \(paths.state)")
        guard daemon != nil else { throw ExitCode(1) }
        let client = try options.client()
        for line in try await NodeRepair(client: client).found() { print("repaired \(line)") }
        let nodes = try await client.list(Node.self), pods = try await client.list(Pod.self)
        let unwell = pods.filter { !$0.isReady && !$0.isFinished }
        print("nodes    \(nodes.filter(\.isReady).count) of \(nodes.count) ready")
        print("pods     \(pods.filter(\.isReady).count) of \(pods.count) ready")
        for pod in unwell { print("         \(pod.key): \(pod.phase)") }
        if !unwell.isEmpty || nodes.contains(where: { !$0.isReady }) { throw ExitCode(1) }
    }

    private static func memory(_ pid: Int) -> String {
        let line = (Files.text("/proc/\(pid)/status") ?? "").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        return "\(kilobytes / 1024) MB resident"
    }
}

import API
import ArgumentParser
import Glibc
import Model
import Runtime

/// Which cluster a command speaks to.
struct ClusterOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .long], help: "The cluster; needed only when several run.")
    var cluster: String?

    /// The paths of the chosen cluster: the named one, or the only one there is.
    func paths() throws -> ClusterPaths {
        try requireRoot()
        let running = RunningCluster.all()
        if let cluster {
            guard running.contains(where: { $0.name == cluster }) else {
                throw UserError(
                    "there is no cluster \"\(cluster)\"",
                    hint: running.isEmpty
                        ? "start one: minik up labs/netpol.yaml" : "there are: \(running.map(\.name).joined(separator: ", "))")
            }
            return ClusterPaths(cluster: cluster)
        }
        guard let first = running.first else { throw UserError("no cluster is up", hint: "start one: minik up labs/netpol.yaml") }
        guard running.count == 1 else {
            throw UserError(
                "several clusters are up: \(running.map(\.name).joined(separator: ", "))", hint: "choose one with --cluster NAME")
        }
        return ClusterPaths(cluster: first.name)
    }

    /// The chosen cluster as it was brought up.
    func clusterDocument() throws -> Cluster { try Cluster(stored: JSON(parsing: Files.read(paths().clusterFile))) }

    /// Policies that nobody enforces are worse than none: says so, loudly, where that is the cluster's case.
    func warnIfNotEnforced() throws {
        let plugin = try clusterDocument().plugin
        guard plugin == .flannel else { return }
        printError(
            "Warning: NetworkPolicies exist, but the cluster's plugin \"\(plugin.rawValue)\" does not enforce them: every packet passes. Use plugin \(Cluster.Plugin.flannelNetpol.rawValue)."
        )
    }

    /// A client of the chosen cluster's API.
    func client() throws -> HTTPClient {
        let paths = try paths()
        guard ProcessIdentity(file: paths.daemonPID) != nil else {
            throw UserError(
                "the daemon of cluster \"\(paths.cluster)\" does not run; its pods and Services do",
                hint: "bring it back: minik up -c \(paths.cluster)")
        }
        return HTTPClient(socketPath: paths.apiSocket)
    }
}

/// Which cluster a command about a whole cluster means: its name alone, or as elsewhere after --cluster.
struct ClusterArgument: ParsableArguments {
    @Argument(help: "The cluster; needed only when several are up.")
    var name: String?

    @Option(name: [.customShort("c"), .long], help: "The same.")
    var cluster: String?

    func options() throws -> ClusterOptions {
        if let name, let cluster, name != cluster {
            throw UserError("two clusters are named: \(name) and \(cluster)", hint: "leave one of them out")
        }
        return try ClusterOptions.parse((name ?? cluster).map { ["--cluster", $0] } ?? [])
    }
}

/// The namespace a command works in.
struct NamespaceOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The namespace of the objects.")
    var namespace: String = "default"
}

/// A cluster that left its mark on this machine, whether its daemon runs or not.
struct RunningCluster {
    let name: String
    var paths: ClusterPaths { ClusterPaths(cluster: name) }
    var daemon: ProcessIdentity? { ProcessIdentity(file: paths.daemonPID) }

    static func all() -> [RunningCluster] { Files.list(ClusterPaths.clusters).map(RunningCluster.init) }
}

/// Something the user can mend: what is wrong, and how.
struct UserError: Error, CustomStringConvertible {
    let message: String
    let hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    var description: String { hint.map { "\(message)\n  \($0)" } ?? message }
}

func requireRoot() throws {
    guard geteuid() == 0 else { throw UserError("minik needs root: it makes namespaces and network links", hint: "run it with sudo") }
}

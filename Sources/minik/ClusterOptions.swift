import API
import ArgumentParser
import Glibc
import Host
import Lab
import Model
import Runtime

/// Which cluster a command speaks to.
struct ClusterOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .long], help: "The cluster; needed only when several run. Without: $MINIK_CLUSTER.")
    var cluster: String?

    /// The paths of the chosen cluster: the named one, or the only one there is.
    func paths() throws -> ClusterPaths {
        try requireRoot()
        // A lab's shell says whose it is.
        let named = cluster ?? getenv("MINIK_CLUSTER").map { String(cString: $0) }
        if let named { _ = try ClusterPaths(named: named) }
        return ClusterPaths(cluster: try RunningCluster.chosen(named, of: RunningCluster.all().map(\.name)))
    }

    /// The chosen cluster as it was brought up.
    func clusterDocument() throws -> Cluster {
        if Kubectl.isCalled { return Kubectl.cluster }
        let paths = try paths()
        guard let cluster = try paths.storedCluster() else {
            throw UserError("\(paths.clusterFile) is gone", hint: "what is left of the cluster goes with: minik down \(paths.cluster)")
        }
        return cluster
    }

    /// Policies that nobody enforces are worse than none: says so, loudly, where that is the cluster's case.
    func warnIfNotEnforced() throws {
        if Kubectl.isCalled { return }
        let plugin = try clusterDocument().plugin
        guard !plugin.enforcesPolicies else { return }
        printError(
            plugin.isBuiltIn
                ? "Warning: NetworkPolicies exist, but the cluster's plugin \"\(plugin.rawValue)\" does not enforce them: every packet passes. Use plugin \(Cluster.Plugin.flannelNetpol.rawValue)."
                : "Warning: NetworkPolicies exist, and minik does not enforce them under plugin \"\(plugin.rawValue)\": they hold if the nodes' CNI plugins make them hold."
        )
    }

    /// A client of the chosen cluster's API.
    func client() throws -> HTTPClient {
        if Kubectl.isCalled { return HTTPClient(try APIEndpoint(kubeconfig: try Kubectl.kubeconfig()), fieldManager: "kubectl") }
        let paths = try paths()
        try paths.requireDaemon()
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

/// How a command prints.
struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "text or json.") var output = "text"

    var isJSON: Bool { output == "json" }

    func validate() throws {
        guard ["text", "json"].contains(output) else {
            throw ValidationError(
                "unable to match a printer suitable for the output format \"\(output)\", allowed formats are: json,text")
        }
    }
}

func requireRoot() throws {
    guard geteuid() == 0 else { throw UserError("minik needs root: it makes namespaces and network links", hint: "run it with sudo") }
}

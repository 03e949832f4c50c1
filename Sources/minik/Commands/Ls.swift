import ArgumentParser
import Host
import Lab
import Model
import Runtime

struct Ls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the clusters of this machine.")

    func run() async throws {
        try requireRoot()
        func text(_ networks: [IPNetwork]?) -> String { (networks ?? []).map(\.description).joined(separator: ",") }
        let rows = RunningCluster.all().map { cluster -> [String] in
            // A file that cannot be read is no reason to hide that the cluster is there.
            let spec = try? cluster.paths.storedCluster()
            return [
                cluster.name, ClusterPause(cluster.paths).since != nil ? "Paused" : cluster.daemon == nil ? "Stopped" : "Running",
                "\(spec?.nodes.count ?? 0)",
                "\(Files.list(cluster.paths.podRuns).count)", text(spec?.networks.map(\.pods)), text(spec?.networks.map(\.services)),
                spec?.plugin.rawValue ?? "",
            ]
        }
        guard !rows.isEmpty else { return print("no cluster is up") }
        TextTable(header: ["NAME", "DAEMON", "NODES", "PODS", "POD-SUBNET", "SERVICE-SUBNET", "PLUGIN"], rows: rows).print()
    }
}

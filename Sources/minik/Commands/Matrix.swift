import API
import ArgumentParser
import Model
import Proxy
import Runtime

struct Matrix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show who reaches whom: computed, and with --probe measured with real packets.",
        discussion: """
            Sources are the pods and the nodes, targets the pods. The computed answer walks the compiled tables; --probe sends a packet for \
            each cell and looks where it arrives. Where the two differ the cell is marked and the exit code is 1.

            minik matrix --probe --ports 80,udp/53,icmp
            minik matrix --with policy.yaml      what would change
            """)
    @OptionGroup var options: ClusterOptions
    @Option(name: .shortAndLong, help: "Only the pods of this namespace; without, all but kube-system's.") var namespace: String?
    @Flag(name: [.customShort("A"), .long], help: "The pods of all namespaces, kube-system's too.") var allNamespaces = false
    @Option(help: "What to probe, such as 80,udp/53,sctp/9,icmp. Without: TCP 80 and ICMP.") var ports: String?
    @Flag(help: "Send real packets as well.") var probe = false
    @Option(help: "Policies that are not applied yet (a file or directory): show which flows they would open and close.") var with: [String] = []
    @Option(name: .shortAndLong, help: "text, json, junit or html.") var output = "text"

    func run() async throws {
        guard let format = MatrixReport.Format(rawValue: output) else {
            throw UserError("error: unable to match a printer suitable for the output format \"\(output)\", allowed formats are: text,json,junit,html")
        }
        let probes = try probes()
        let client = try options.client(), paths = try options.paths()
        let cluster = try Cluster(stored: JSON(parsing: Files.read(paths.clusterFile)))
        let snapshot = try await ClusterSnapshot(cluster: cluster, client: client)
        warnIfNotEnforced(snapshot)
        let matrix = ReachMatrix(snapshot, probes: probes, isWanted: isWanted)
        guard !matrix.targets.isEmpty else { throw UserError("error: there is no running pod to reach", hint: "see: minik get pods -A") }
        if !with.isEmpty {
            let after = ReachMatrix(try await snapshot.adding(with, client), probes: probes, isWanted: isWanted)
            return print(MatrixReport.changes(matrix, after, format), terminator: "")
        }
        let measured = probe ? try await MatrixProbe(paths: paths).measure(matrix, snapshot.walk()) : matrix
        print(MatrixReport(matrix: measured).text(format), terminator: "")
        if measured.cells.contains(where: \.differs) { throw ExitCode.failure }
    }

    private func probes() throws -> [ReachMatrix.Probe] {
        guard let ports else { return [.init(proto: TransportProtocol.tcp.number, port: 80), .init(proto: 1, port: 0)] }
        return try ports.split(separator: ",").map { text in
            guard let probe = ReachMatrix.Probe(String(text)) else {
                throw UserError("error: \"\(text)\" is nothing to probe", hint: "write ports as 80, tcp/80, udp/53, sctp/9 or icmp")
            }
            return probe
        }
    }

    private func isWanted(_ pod: Pod) -> Bool {
        if let namespace { return pod.namespace == namespace }
        return allNamespaces || pod.namespace != "kube-system"
    }
}

/// Policies that nobody enforces are worse than none: say it loudly.
func warnIfNotEnforced(_ snapshot: ClusterSnapshot) {
    guard !snapshot.isEnforced, !snapshot.policies.isEmpty else { return }
    printError(PolicyWarning.notEnforced(snapshot.cluster.plugin))
}

enum PolicyWarning {
    static func notEnforced(_ plugin: Cluster.Plugin) -> String {
        "Warning: NetworkPolicies exist, but the cluster's plugin \"\(plugin.rawValue)\" does not enforce them: every packet passes. Use plugin \(Cluster.Plugin.flannelNetpol.rawValue)."
    }
}

extension ClusterSnapshot {
    /// The snapshot as it would be with the policies of some files applied. The API checks them first, as it would.
    func adding(_ files: [String], _ client: HTTPClient) async throws -> ClusterSnapshot {
        var next = self
        for manifest in try LabFiles.read(files) {
            guard manifest.kind == NetworkPolicy.resource.kind, manifest.apiVersion == NetworkPolicy.resource.apiVersion else {
                throw UserError("error: \(manifest.file):\(manifest.line): a \(manifest.kind) is no NetworkPolicy", hint: "only policies can be tried out")
            }
            var json = manifest.json
            if json["metadata"]["namespace"].isNull { json["metadata"]["namespace"] = "default" }
            let policy = NetworkPolicy(try APIServer.check(json, cluster: cluster))
            next.policies.removeAll { $0.key == policy.key }
            next.policies.append(policy)
        }
        return next
    }
}

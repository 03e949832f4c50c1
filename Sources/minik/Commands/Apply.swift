import ArgumentParser
import Lab
import Model
import Proxy

struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Apply a configuration to resources by file name or stdin.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Option(name: .shortAndLong, help: "Files or directories; - is standard input.") var filename: [String]
    @Flag(help: "Apply nothing; show which flows the NetworkPolicies among the files would open and close.") var diffReachability = false

    func run() async throws {
        let client = try options.client()
        let manifests = try LabFiles.split(try LabFiles.read(filename)).objects
        guard !manifests.isEmpty else { throw UserError("error: no objects passed to apply") }
        if diffReachability {
            let now = try await ClusterSnapshot(cluster: try options.clusterDocument(), client: client)
            let changes = try await ReachChanges(from: now, adding: manifests)
            return print(changes.text(.text), terminator: "")
        }
        if manifests.contains(where: { $0.kind == NetworkPolicy.resource.kind }) { try options.warnIfNotEnforced() }
        let version = try options.clusterDocument().kubernetesVersion
        for manifest in manifests {
            let result = try await Applier(client: client, defaultNamespace: scope.namespace, version: version).apply(manifest)
            print("\(result.kind.printedName)/\(result.key.name) \(result.outcome.rawValue)")
        }
    }
}

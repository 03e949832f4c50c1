import ArgumentParser
import Lab

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a cluster, or bring one to what its files now say.",
        discussion: "A file holds a Cluster document (optional, with the tutorial's defaults) and Kubernetes manifests.")

    @Argument(help: "A YAML file or a directory of them.")
    var file: String?

    @Option(name: .shortAndLong, help: "More files or directories; - is standard input.")
    var filename: [String] = []

    @Option(name: [.customShort("c"), .long], help: "The cluster's name, if no file says it.")
    var cluster: String?

    @Option(help: "Seconds to wait for what was applied to be ready.")
    var timeout: Int = 120

    @Flag(help: "Do not wait for what was applied to be ready.")
    var noWait = false

    @Flag(help: "Put the last good copy of the cluster's store in the place of one that is damaged or gone.")
    var restore = false

    @Flag(inversion: .prefixedNo, help: "Write the context minik-CLUSTER into the user's kubeconfig.")
    var kubeconfig = true

    @Flag(help: "Do nothing; print what would be made and changed.")
    var dryRun = false

    func run() async throws {
        try requireRoot()
        let wish = try ClusterStart.Wish(
            files: (file.map { [$0] } ?? []) + filename, name: cluster, patience: noWait ? nil : .seconds(timeout),
            restoresStore: restore, writesKubeconfig: kubeconfig)
        if dryRun {
            let lines = try await ClusterPlan(wish).lines()
            for line in lines { print(line) }
            if lines.isEmpty { print("nothing would change") }
            return
        }
        let progress = Progress()
        do {
            let isNew = try await ClusterStart(wish, images: MachineImages(), progress).run()
            progress.finish("cluster \"\(wish.cluster.name)\" is \(isNew ? "up" : "up to date")")
        } catch {
            progress.abandon()
            throw error
        }
    }
}

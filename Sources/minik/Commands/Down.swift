import ArgumentParser
import Images
import Lab
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
        for paths in all ? clusters.map(\.paths) : [try chosenPaths()] {
            let lock = try ClusterLock(paths)
            let progress = Progress()
            let problems = await Teardown(paths: paths).run()
            lock.remove()
            ImageStore().forgetPulls()
            guard problems.isEmpty else {
                throw UserError("cluster \"\(paths.cluster)\" is not down; left is:\n  " + problems.joined(separator: "\n  "))
            }
            progress.finish("cluster \"\(paths.cluster)\" is down")
        }
    }

    /// A cluster that is named needs no directory to be known by: whatever is left of it counts.
    private func chosenPaths() throws -> ClusterPaths {
        let named = try chosen.options()
        if let name = named.cluster {
            let paths = try ClusterPaths(named: name)
            if !Teardown.left(paths).isEmpty { return paths }
        }
        return try named.paths()
    }
}

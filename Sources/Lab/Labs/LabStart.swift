import API
import Host
import Model
import Runtime

/// Brings a lab up: its cluster, its objects, then what its setup does to them.
package struct LabStart {
    private let file: LabFile
    private let images: any ImageSupply
    private let progress: any ProgressReport

    package init(_ file: LabFile, images: any ImageSupply, _ progress: any ProgressReport) {
        (self.file, self.images, self.progress) = (file, images, progress)
    }

    /// A lab that does not come to be leaves nothing behind. `name`: the cluster's, if not the lab's own.
    package func run(as name: String? = nil, writesKubeconfig: Bool = true, patience: Duration = .seconds(120)) async throws -> LabSession {
        var cluster = file.cluster
        if let name { cluster.name = name }
        let paths = ClusterPaths(cluster: cluster.name)
        guard try paths.storedCluster() == nil else {
            throw UserError("there is a cluster \"\(cluster.name)\" already", hint: "take it down first: minik down \(cluster.name)")
        }
        do {
            _ = try await ClusterStart(
                ClusterStart.Wish(cluster, file.objects, patience: patience, writesKubeconfig: writesKubeconfig), images: images, progress
            ).run()
            try LabState(file: Self.whole(file.path)).write(LabState.path(paths))
            var session = LabSession(file, on: try OwnGround(paths, file))
            session.heard = { [progress] in progress.note($0) }
            try session.shell.prepare(try Kubeconfig(paths: paths).document())
            if let scenario = file.scenario { try ScenarioPlaces(scenario: scenario, paths: paths).place() }
            if !file.lab.setup.isEmpty {
                progress.begin("the lab's setup")
                try await session.perform(file.lab.setup)
                progress.end()
            }
            if let first = file.lab.tasks.first { try await session.begin(first) }
            return session
        } catch {
            for problem in try await Self.stop(paths) { progress.note("while rolling back: \(problem)") }
            throw error
        }
    }

    /// Takes a lab's cluster down; what is left of it.
    package static func stop(_ paths: ClusterPaths) async throws -> [String] {
        let lock = try ClusterLock(paths)
        let problems = await Teardown(paths: paths).run()
        lock.remove()
        return problems
    }

    /// The lab is found again from wherever it is asked for.
    static func whole(_ path: String) -> String { DocumentPath.whole(path, in: "") }
}

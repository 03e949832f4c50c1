import API
import Glibc
import Host
import Lab
import Model
import Runtime

/// The kubelet of one machine as a service: started and stopped through its door, and begun again when it fails, as an init would.
actor KubeletService {
    private nonisolated let node: Daemon.StartedNode
    private nonisolated let machines: Machines
    private nonisolated let link: ClusterLink
    private nonisolated let keepers: [NodeKeeper]
    private nonisolated let report: @Sendable (String) -> Void
    private nonisolated let work: PartSwitch

    init(
        _ node: Daemon.StartedNode, of machines: Machines, link: ClusterLink, keepers: [NodeKeeper],
        report: @escaping @Sendable (String) -> Void
    ) {
        (self.node, self.machines, self.link, self.keepers, self.report) = (node, machines, link, keepers, report)
        let session = KubeletSession(node: node, machines: machines, link: link, keepers: keepers, report: report)
        work = PartSwitch("node \(node.spec.name): kubelet", report: report) { try await session.run() }
    }

    private nonisolated var paths: ClusterPaths { machines.paths }
    /// Below the directory that is the node's /run.
    private nonisolated var door: String { paths.nodeState(node.spec.name) + MachineCard.door }

    /// Serves the door until cancelled. What ran when an earlier daemon went runs again.
    func run() async throws {
        try await startIfConfigured()
        // Its init has ended, and with it all that ran there: it begins as a machine does that has been started again.
        await node.ground.whenMoved {
            await self.stop()
            try await self.startIfConfigured()
        }
        await node.keeper.add(NodePartFunction { [node] in try await node.ground.plugin.check() })
        try await HTTPServer(KubeletDoor(kubelet: self)).run(on: .unix(door)) { [door] _ in chmod(door, 0o600) }
    }

    private func startIfConfigured() async throws {
        if try NodeRoot(node.spec.name, paths: paths).type(of: KubeletSession.configuration) != nil { await start() }
    }

    func start() async { await work.set(true) }

    /// Its pods go on.
    func stop() async { await work.set(false) }

    /// Ends all pods of the node, as whoever asks the runtime to does. In words, what could not be.
    func removePods() async -> [String] {
        var problems: [String] = []
        for pod in MachinePods(node: node.spec.name, paths: paths).all {
            do { try await node.ground.plugin.detach(pod) } catch { problems.append("pod \(pod.key): \(error)") }
        }
        let others = machines.cluster.nodes.filter { $0.name != node.spec.name }.flatMap { MachinePods(node: $0.name, paths: paths).all }
        do {
            problems += try await SmallProgram.blocking { [machines] in
                Leftovers(cluster: machines.cluster, paths: machines.paths).remove(keeping: others)
            }
        } catch { problems.append("\(error)") }
        return problems
    }
}

/// The pods that a node has had, as its logs' directories name them.
private struct MachinePods {
    let node: String
    let paths: ClusterPaths

    var all: [Pod] {
        Files.list("\(paths.nodeState(node))/log/pods").compactMap { name in
            let parts = name.split(separator: "_").map { JSON.string(String($0)) }
            guard parts.count == 3 else { return nil }
            return Pod(["metadata": ["namespace": parts[0], "name": parts[1], "uid": parts[2]]])
        }
    }
}

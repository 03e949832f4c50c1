import API
import DNS
import Glibc
import Host
import Lab
import Model
import Runtime

/// Machines that are no cluster yet: nodes on a LAN, on which somebody types kubeadm's commands. What runs on each follows from its files
/// and from what its kubelet is told.
struct Machines: Sendable {
    let daemon: Daemon
    var cluster: Cluster { daemon.cluster }
    var paths: ClusterPaths { daemon.paths }

    init(_ daemon: Daemon) { self.daemon = daemon }

    /// Runs until cancelled. `ready` is called once every machine is there.
    func run(ready: @escaping @Sendable () -> Void) async throws {
        let report: @Sendable (String) -> Void = { [cluster] in Systemd.log($0, priority: LOG_WARNING, cluster: cluster.name) }
        try Teardown.shareNetns()
        _ = try daemon.lan.repair()
        // Of the daemon's own socket, which is there while a control plane is.
        unlink(paths.apiSocket)
        let nodes = try await daemon.startNodes(HTTPClient(socketPath: paths.apiSocket), report)
        let link = ClusterLink()
        let kubelets = nodes.map { node in
            KubeletService(node, of: self, link: link, keepers: nodes.map(\.keeper), report: report)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let forwarder = NameForwarder(path: "\(paths.dnsRecords)/forward.sock") { [paths] in
                // A document that cannot be read names nobody; `status` says what is wrong with it.
                ((try? paths.storedCluster()) ?? nil)?.forward.compactMap { Cluster.Resolver($0) } ?? []
            }
            group.addTask { try await forwarder.run() }
            for (node, kubelet) in zip(nodes, kubelets) {
                group.addTask { try await node.keeper.run() }
                group.addTask { try await kubelet.run() }
            }
            ready()
            if let interval = Systemd.watchdogInterval {
                group.addTask {
                    while !Task.isCancelled {
                        Systemd.notify("WATCHDOG=1")
                        try await Task.sleep(for: interval)
                    }
                }
            }
            while try await group.next() != nil {}  // the first part that fails ends all
        }
    }
}

import ArgumentParser
import Glibc
import Host
import Lab
import Model
import Runtime

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a cluster's daemon in the foreground; systemd's unit minik@.service does.",
        discussion: "Ended or killed, it leaves pods, Services and policies as they are; started again, it takes them over.")

    @Argument(help: "The cluster, which an earlier `minik up` has made.")
    var cluster: String

    func run() async throws {
        try requireRoot()
        OwnProcess.limitHeaps(2)  // what lives long is spread over few of them
        let paths = try ClusterPaths(named: cluster)
        guard let text = Files.text(paths.clusterFile) else {
            throw UserError("there is no cluster \"\(cluster)\"", hint: "make it first: minik up FILE")
        }
        if let other = ProcessIdentity(file: paths.daemonPID), other.pid != Int(getpid()) {
            throw UserError("the daemon of cluster \"\(cluster)\" runs already, as process \(other.pid)")
        }
        try ClusterPause(paths).requireNone()
        try Files.makeDirectory("\(paths.run)/nodes", mode: 0o700)
        try ProcessIdentity(pid: Int(getpid()))?.write(to: paths.daemonPID)
        signal(SIGCHLD, SIG_IGN)  // shims outlive us or are waited for by what they say; none may stay a zombie
        signal(SIGPIPE, SIG_IGN)
        raiseFileLimit()
        raiseNeighbourLimit()
        SpareDescriptor.ofProcess.hold()
        let spec = try Cluster(stored: JSON(parsing: text))
        let signals = Signals.catching([SIGTERM, SIGINT])
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let ready: @Sendable () -> Void = { Systemd.notify("READY=1\nSTATUS=cluster \(spec.name) is up") }
                    let daemon = Daemon(cluster: spec, paths: paths)
                    switch spec.bootstrap {
                    case .minik: try await daemon.run(ready: ready)
                    case .kubeadm: try await Machines(daemon).run(ready: ready)
                    }
                }
                group.addTask { for await _ in signals { leave(paths) } }
                // The first failure counts; waitForAll would wait for those that never end.
                while try await group.next() != nil {}
            }
        } catch {
            Systemd.log("minik serve \(cluster): \(error)", priority: LOG_ERR, cluster: cluster)
            // A status is one line (sd_notify(3)).
            Systemd.notify("STATUS=\("\(error)".replacing("\n", with: " "))\nERRNO=1")
            unlink(paths.daemonPID)
            throw error
        }
    }

    /// A pod costs some descriptors, and a shell's usual limit is spent on a few hundred. As much as the machine allows; where it allows no
    /// more, what fails for want of descriptors says so.
    private func raiseFileLimit() {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { return }
        var wish = rlimit(rlim_cur: max(limit.rlim_max, Self.openFiles), rlim_max: max(limit.rlim_max, Self.openFiles))
        if setrlimit(files, &wish) == 0 { return }
        wish = rlimit(rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max)
        if setrlimit(files, &wish) != 0 {
            Systemd.log("raise the limit of open files: \(String(cString: strerror(errno)))", cluster: cluster)
        }
    }

    private func raiseNeighbourLimit() {
        for problem in NeighbourLimit.raise() { Systemd.log("raise the limit of neighbours: \(problem)", cluster: cluster) }
    }

    private static let openFiles: rlim_t = 1 << 20

    /// A signal asked us to go. Nothing of ours needs winding up: pods belong to their shims, rules to the kernel.
    private func leave(_ paths: ClusterPaths) {
        Systemd.notify("STOPPING=1")
        unlink(paths.daemonPID)
        unlink(paths.apiSocket)
        Glibc.exit(0)
    }
}

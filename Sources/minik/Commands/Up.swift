import API
import ArgumentParser
import Glibc
import Model
import Runtime
import Synchronization

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

    func run() async throws {
        try requireRoot()
        var (spec, hasDocument, objects) = try LabFiles.split(try LabFiles.read((file.map { [$0] } ?? []) + filename))
        if let cluster {
            guard !hasDocument || spec.name == cluster else {
                throw UserError("--cluster \(cluster) and the file's Cluster \"\(spec.name)\" disagree", hint: "leave one of them out")
            }
            spec.name = cluster
        }
        let paths = ClusterPaths(cluster: spec.name)
        try Files.makeDirectory(ClusterPaths.stateRoot, mode: 0o700)
        try Files.makeDirectory(paths.run, mode: 0o700)
        let lock = try acquireLock(paths)
        defer { close(lock) }

        let isNew = !Files.exists(paths.clusterFile)
        let progress = Progress()
        if !isNew {
            let stored = try Cluster(stored: JSON(parsing: try Files.read(paths.clusterFile)))
            // Naming a running cluster and nothing else brings its daemon back as it was.
            if !hasDocument { spec = stored }
            guard stored == spec else {
                throw UserError(
                    "cluster \"\(spec.name)\" is up with another shape: nodes, subnets and plugin of a running cluster do not change",
                    hint: "take it down first (minik down \(spec.name)), or give this one another name")
            }
        }
        if restore {
            guard !isNew else { throw UserError("there is no cluster \"\(spec.name)\" to restore", hint: "leave --restore out to make it") }
            let revision = try ClusterStore(paths: paths).restore()
            printError("the store is that of revision \(revision) again; what was there is kept as \(paths.store).damaged")
        }
        let interrupt = isNew ? Interrupt(rollback: paths) : nil
        do {
            try await start(spec, paths, isNew: isNew, progress)
            if kubeconfig { try Kubeconfig(paths: paths).write() }
            try await apply(objects, paths, progress)
        } catch {
            progress.abandon()
            // The roll-back that Ctrl-C began ends the process; what fails under it is no news.
            if let interrupt, interrupt.hasFired { try? await Task.sleep(for: .seconds(60)) }
            // A cluster that never came to be leaves nothing; one that was there, or whose pods are late, stays to be looked at.
            if isNew, !(error is Readiness.TimedOut) {
                let problems = await Teardown(paths: paths).run()
                for problem in problems { printError("while rolling back: \(problem)") }
                unlink("\(ClusterPaths.stateRoot)/\(paths.cluster).lock")
            }
            throw error
        }
        interrupt?.disarm()
        progress.finish("cluster \"\(spec.name)\" is \(isNew ? "up" : "up to date")")
    }

    private func acquireLock(_ paths: ClusterPaths) throws -> Int32 {
        let path = "\(ClusterPaths.stateRoot)/\(paths.cluster).lock"
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw FileError("open", path, errno: errno) }
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
            close(fd)
            throw UserError("another `minik up` or `down` of cluster \"\(paths.cluster)\" is at work", hint: "wait for it to end")
        }
        return fd
    }

    private func start(_ spec: Cluster, _ paths: ClusterPaths, isNew: Bool, _ progress: Progress) async throws {
        if isNew {
            progress.begin("kernel and images")
            try Teardown.shareNetns()
            try await Preflight.check(paths: paths)
            try ImageStore().assemble { progress.detail("assembling \($0)") }
            progress.end()
            for shortcoming in [BusyboxImage.shortcoming, Cgroups.shortcoming, ClusterPaths.shortcoming] {
                if let shortcoming { printError("minik: warning: \(shortcoming)") }
            }
            try Files.makeDirectory(paths.state, mode: 0o700)
            try ClusterStore(paths: paths).create()
            try Files.write(spec.json.text(indented: true) + "\n", to: paths.clusterFile, mode: 0o600)
        }
        if ProcessIdentity(file: paths.daemonPID) == nil {
            progress.begin(isNew ? "\(spec.nodes.count) nodes and the control plane" : "the daemon takes over")
            try await DaemonLauncher(paths: paths).start()
            progress.end()
        }
        if !isNew { try await NodeRepair(client: HTTPClient(socketPath: paths.apiSocket)).run() }
    }

    private func apply(_ objects: [Manifest], _ paths: ClusterPaths, _ progress: Progress) async throws {
        let client = HTTPClient(socketPath: paths.apiSocket)
        var applied: [(KindDefinition, ObjectKey)] = []
        if let dns = Registry.kind(of: .deployments) { applied.append((dns, ObjectKey("kube-system", "coredns"))) }
        if !objects.isEmpty {
            progress.begin("\(objects.count) object\(objects.count == 1 ? "" : "s")")
            for object in objects {
                let result = try await Applier(client: client, defaultNamespace: "default").apply(object)
                applied.append((result.kind, result.key))
            }
            progress.end()
        }
        if noWait { return }
        progress.begin("everything ready")
        try await Readiness(client: client).wait(for: applied, timeout: .seconds(timeout)) { waiting in
            if let first = waiting.first { progress.detail("\(first)\(waiting.count > 1 ? " and \(waiting.count - 1) more" : "")") }
        }
        progress.end()
    }
}

/// Ctrl-C while a new cluster is made: all of it goes again.
private final class Interrupt {
    private let watch: Task<Void, Never>
    private let fired: Flag

    /// Shared with the task that watches.
    private final class Flag: Sendable {
        let value = Mutex(false)
    }

    var hasFired: Bool { fired.value.withLock { $0 } }

    init(rollback paths: ClusterPaths) {
        let signals = Signals.catching([SIGINT, SIGTERM])
        let fired = Flag()
        self.fired = fired
        watch = Task {  // cancelled once the cluster stands; else the process ends with it
            for await number in signals {
                fired.value.withLock { $0 = true }
                printError("\ninterrupted: rolling back")
                for problem in await Teardown(paths: paths).run() { printError(problem) }
                unlink("\(ClusterPaths.stateRoot)/\(paths.cluster).lock")
                endProcess(128 + number)
            }
        }
    }

    func disarm() { watch.cancel() }
}

private func endProcess(_ code: Int32) { Glibc.exit(code) }

func printError(_ text: String) {
    let bytes = Array("\(text)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

import API
import Glibc
import Host
import Model
import Runtime

/// `minik up`: makes a cluster, or brings one to what its files now say. A cluster that does not come to be leaves nothing behind.
package struct ClusterStart {
    /// What the user asked for.
    package struct Wish {
        /// The files' Cluster document, or the tutorial's cluster.
        package var cluster: Cluster
        /// A file has a Cluster document: its shape is what the cluster must have.
        package let hasDocument: Bool
        package let objects: [Manifest]
        /// How long to wait for what was applied; nil: not at all.
        package let patience: Duration?
        package let restoresStore: Bool
        package let writesKubeconfig: Bool

        /// `files`: paths, - for standard input. `name`: the cluster's, if no file says it.
        package init(
            files: [String], name: String?, patience: Duration?, restoresStore: Bool = false, writesKubeconfig: Bool = true
        ) throws {
            (cluster, hasDocument, objects) = try LabFiles.split(try LabFiles.read(files))
            self.patience = patience
            self.restoresStore = restoresStore
            self.writesKubeconfig = writesKubeconfig
            guard let name else { return }
            guard !hasDocument || cluster.name == name else {
                throw UserError("--cluster \(name) and the file's Cluster \"\(cluster.name)\" disagree", hint: "leave one of them out")
            }
            cluster.name = try ClusterPaths(named: name).cluster
        }

        /// A cluster that is told, not read.
        package init(_ cluster: Cluster, _ objects: [Manifest], patience: Duration?, writesKubeconfig: Bool) {
            (self.cluster, hasDocument, self.objects, self.patience) = (cluster, true, objects, patience)
            (restoresStore, self.writesKubeconfig) = (false, writesKubeconfig)
        }

        /// A cluster of its own, with what `other` puts into its.
        package init(_ cluster: Cluster, like other: Wish) {
            self.cluster = cluster
            (hasDocument, objects, patience) = (true, other.objects, other.patience)
            (restoresStore, writesKubeconfig) = (false, false)
        }
    }

    private let wish: Wish
    private let paths: ClusterPaths
    private let images: any ImageSupply
    private let progress: any ProgressReport

    package init(_ wish: Wish, images: any ImageSupply, _ progress: any ProgressReport) {
        self.images = images
        self.wish = wish
        paths = ClusterPaths(cluster: wish.cluster.name)
        self.progress = progress
    }

    /// Returns whether the cluster was made now, rather than brought up to date.
    package func run() async throws -> Bool {
        try Files.makeDirectory(ClusterPaths.stateRoot, mode: 0o700)
        try Files.makeDirectory(paths.run, mode: 0o700)
        let lock = try ClusterLock(paths)
        let outcome: Result<Bool, any Error>
        do { outcome = .success(try await start()) } catch { outcome = .failure(error) }
        if Files.exists(paths.clusterFile) {
            lock.release()
        } else {
            // Of a cluster that did not come to be nothing stays.
            rmdir(paths.run)
            lock.remove()
        }
        return try outcome.get()
    }

    private func start() async throws -> Bool {
        let cluster: Cluster, stored = try paths.storedCluster()
        if let stored { cluster = try shape(stored) } else { cluster = wish.cluster }
        let isNew = stored == nil
        let hasAPI = cluster.bootstrap == .minik || Files.exists(paths.apiSocket)
        guard hasAPI || wish.objects.isEmpty else {
            throw UserError(
                "the files hold objects, and these machines have no API before kubeadm has made one",
                hint: "bring the machines up, make a cluster of them (docs/kubeadm.md), then apply the objects with kubectl")
        }
        try ClusterPause(paths).requireNone()
        if wish.hasDocument { try checkFiles(cluster) }
        if wish.restoresStore { try restore(isNew: isNew) }
        if cluster.internet { try checkWayOut(cluster, isNew: isNew) }
        let rollBack = RollBack(paths, progress)
        if isNew { rollBack.arm() }
        do {
            if isNew { try await make(cluster) } else if let stored, cluster != stored { try NodeLinks(paths).apply(cluster, stored) }
            if wish.hasDocument { try await bring(cluster) }
            let made = cluster.bootstrap == .kubeadm ? "machines" : "nodes and the control plane"
            try await startDaemon(isNew ? "\(cluster.nodes.count) \(made)" : "the daemon takes over")
            guard cluster.bootstrap == .minik else {
                rollBack.disarm()
                tellMachines(cluster)
                if wish.writesKubeconfig, Files.exists(paths.apiSocket) { try Kubeconfig(paths: paths).write() }
                return isNew
            }
            if !isNew {
                for finding in try await NodeRepair(client: client).found() { progress.note(finding.sentence) }
            }
            if !isNew {
                // The daemon makes them as it starts; this one may have been running when somebody deleted them.
                for name in try await AddOns(cluster, paths).ensure(client) { progress.note("made \(name) again, in kube-system") }
            }
            if wish.writesKubeconfig { try Kubeconfig(paths: paths).write() }
            try await awaitReady(try await apply())
        } catch {
            // The roll-back that Ctrl-C began ends the process; what fails under it is no news.
            if rollBack.hasFired { try? await Task.sleep(for: .seconds(60)) }
            // One that was there, or whose pods are late, stays to be looked at.
            if isNew, !(error is Readiness.TimedOut) {
                for problem in await rollBack.run() { progress.note("while rolling back: \(problem)") }
            }
            throw error
        }
        rollBack.disarm()
        return isNew
    }

    /// What there is to do with machines that are no cluster yet.
    private func tellMachines(_ cluster: Cluster) {
        let isMember: (Cluster.NodeSpec) -> Bool = { [paths] node in
            // Of a node that is down nobody knows.
            (try? NodeRoot(node.name, paths: paths).type(of: "/var/lib/kubelet/config.yaml")) ?? nil != nil
        }
        guard !cluster.nodes.contains(where: isMember) else { return }
        progress.note(
            "\(cluster.nodes.map(\.name).joined(separator: ", ")) are machines, and no cluster yet: minik node shell \(cluster.controlPlane.name), "
                + "then kubeadm init (docs/kubeadm.md)")
    }

    private var client: HTTPClient { HTTPClient(socketPath: paths.apiSocket) }

    /// The shape that a running cluster keeps, with what may change. Naming it and nothing else brings its daemon back as it was.
    private func shape(_ stored: Cluster) throws -> Cluster {
        guard wish.hasDocument else { return stored }
        guard stored.shape == wish.cluster.shape else {
            throw Self.anotherShape(stored.name)
        }
        return wish.cluster.bootstrap == .kubeadm ? wish.cluster.withRanges(of: stored) : wish.cluster
    }

    static func anotherShape(_ name: String) -> UserError {
        UserError(
            "cluster \"\(name)\" is up with another shape: nodes, subnets, plugin, extraMounts and nodeMonitorGracePeriod of a running cluster do not change",
            hint: "take it down first (minik down \(name)), or give this one another name")
    }

    private func restore(isNew: Bool) throws {
        guard !isNew else { throw UserError("there is no cluster \"\(paths.cluster)\" to restore", hint: "leave --restore out to make it") }
        let revision = try ClusterStore(paths: paths).restore()
        progress.note("the store is that of revision \(revision) again; what was there is kept as \(paths.store).damaged")
    }

    private func make(_ cluster: Cluster) async throws {
        progress.begin("kernel and images")
        try Teardown.shareNetns()
        try await Preflight.check(paths: paths, cluster.families, cluster.links)
        try DNSImage().assemble { progress.detail("assembling \($0)") }
        progress.end()
        for shortcoming in [Busybox.shortcoming, Cgroups.shortcoming, ClusterPaths.shortcoming] {
            if let shortcoming { progress.note("minik: warning: \(shortcoming)") }
        }
        try Files.makeDirectory(paths.state, mode: 0o700)
        try ClusterStore(paths: paths).create()
        try write(cluster)
    }

    private func write(_ cluster: Cluster) throws {
        try Files.write(cluster.json.text(indented: true) + "\n", to: paths.clusterFile, mode: 0o600)
    }

    /// Looks for what the document names before anything is made.
    private func checkFiles(_ cluster: Cluster) throws {
        let files =
            cluster.registries.compactMap { registry in registry.caFile.map { ("spec.registries: \(registry.host): caFile", $0) } }
            + cluster.images.filter { $0.hasPrefix("/") }.map { ("spec.images", $0) }
        for (field, file) in files where access(file, R_OK) != 0 {
            throw UserError("\(field): there is no file \(file) that can be read", hint: "a path begins beside the file that names it")
        }
        try checkMounts(cluster.extraMounts, beside: cluster.extraMounts, "spec.extraMounts")
        for node in cluster.nodes {
            try checkMounts(node.extraMounts, beside: cluster.extraMounts + node.extraMounts, "spec.nodes: \(node.name): extraMounts")
        }
        for registry in cluster.registries {
            guard let file = registry.caFile, let reason = CertificateFile.problem(file) else { continue }
            throw UserError(
                "spec.registries: \(registry.host): caFile \(file) \(reason)",
                hint: "it begins with -----BEGIN CERTIFICATE-----: give the certificate of the authority that signed the registry's")
        }
    }

    /// A way out leads nowhere on a machine that has none; one that comes later serves at once.
    private func checkWayOut(_ cluster: Cluster, isNew: Bool) throws {
        let routes = try InternetLink.defaultRoutes(cluster.families)
        let missing = cluster.families.filter { routes[$0] == nil }.map(\.rawValue)
        if missing.isEmpty { return }
        guard !routes.isEmpty || !isNew else {
            throw UserError(
                "spec.internet: this machine has no default route of \(missing.joined(separator: " or ")), so it cannot lead a cluster anywhere",
                hint: "see: ip route show default; give the machine one, or leave internet out")
        }
        progress.note("minik: warning: internet: this machine has no default route of \(missing.joined(separator: " or "))")
    }

    private func checkMounts(_ mounts: [Cluster.ExtraMount], beside all: [Cluster.ExtraMount], _ field: String) throws {
        for mount in mounts {
            guard Files.isDirectory(mount.hostPath) else {
                throw UserError(
                    "\(field): there is no directory \(mount.hostPath) on this machine",
                    hint: "make it first; a path begins beside the file that names it")
            }
            let place = MountPlace(path: mount.nodePath, others: all.filter { $0.nodePath != mount.nodePath })
            if let obstacle = place.obstacle {
                throw UserError(
                    "\(field): nodePath \(mount.nodePath): \(obstacle) is no directory on the nodes",
                    hint: "mount on a directory, or on a new one")
            }
        }
    }

    /// Brings the images that the document names, before pods ask for them.
    private func bring(_ cluster: Cluster) async throws {
        guard !cluster.images.isEmpty else { return }
        progress.begin("\(cluster.images.count) image\(cluster.images.count == 1 ? "" : "s") of the document")
        for entry in cluster.images {
            progress.detail(entry)
            do {
                try await images.bring(entry, cluster.registries) { [progress] in progress.detail("\(entry): \($0)") }
            } catch {
                // A hint stands on a line of its own.
                let words = "\(error)".split(separator: "\n", maxSplits: 1).map(String.init)
                throw UserError("spec.images: \(entry): \(words.first ?? "")", hint: words.dropFirst().first?.trimmed)
            }
        }
        progress.end()
    }

    private func startDaemon(_ stage: String) async throws {
        if let daemon = ProcessIdentity(file: paths.daemonPID), try await isServing(daemon) { return }
        progress.begin(stage)
        try await DaemonLauncher(paths: paths).start()
        progress.end()
    }

    /// Whether a daemon that runs answers; one that an `up` that was cut short has left may be on its way. False: it has ended.
    private func isServing(_ daemon: ProcessIdentity) async throws -> Bool {
        let isMachines = try paths.storedCluster()?.bootstrap == .kubeadm
        for _ in 0..<300 {
            if isMachines || Files.exists(paths.apiSocket) { return true }
            guard daemon.isAlive else { return false }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw UserError(
            "the daemon of cluster \"\(paths.cluster)\", process \(daemon.pid), serves nobody after 30 s",
            hint: "see \(paths.daemonLog); take the cluster down: minik down \(paths.cluster)")
    }

    /// Returns what there is to wait for: what was applied, and the cluster's names.
    private func apply() async throws -> [(KindDefinition, ObjectKey)] {
        var applied: [(KindDefinition, ObjectKey)] = []
        if let deployments = Registry.kind(of: .deployments) { applied.append((deployments, ObjectKey("kube-system", "coredns"))) }
        guard !wish.objects.isEmpty else { return applied }
        progress.begin("\(wish.objects.count) object\(wish.objects.count == 1 ? "" : "s")")
        let version = try paths.storedCluster()?.kubernetesVersion ?? .current
        for object in wish.objects {
            let result = try await Applier(client: client, defaultNamespace: "default", version: version).apply(object)
            applied.append((result.kind, result.key))
        }
        progress.end()
        return applied
    }

    private func awaitReady(_ applied: [(KindDefinition, ObjectKey)]) async throws {
        guard let patience = wish.patience else { return }
        let unconnected = try await nodesWithoutNetwork()
        guard unconnected.isEmpty else {
            return progress.note(
                "\(unconnected.joined(separator: ", ")): no network for pods yet, so nothing is waited for; "
                    + "put one into /etc/cni/net.d there (docs/plugins.md)")
        }
        progress.begin("everything ready")
        try await Readiness(client: client).wait(for: applied, timeout: patience) { waiting in
            if let first = waiting.first { progress.detail("\(first)\(waiting.count > 1 ? " and \(waiting.count - 1) more" : "")") }
        }
        progress.end()
    }

    /// The nodes that cannot connect pods, because nobody has told their CNI plugins how.
    private func nodesWithoutNetwork() async throws -> [String] {
        guard try paths.storedCluster()?.plugin.isBuiltIn == false else { return [] }
        return try await client.list(Node.self).filter { node in
            node.status["conditions"].items.contains { $0["type"] == "Ready" && $0["reason"] == "KubeletNotReady" }
        }.map(\.name).sorted()
    }
}

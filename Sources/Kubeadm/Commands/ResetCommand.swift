import API
import Glibc
import Host
import Model
import YAML

/// `kubeadm reset`: takes back what `init` or `join` did here. What networks have left is not theirs, and stays.
struct ResetCommand {
    private static let flags: [String: Arguments.Kind] = [
        "cert-dir": .text, "cri-socket": .text, "force": .isSet, "ignore-preflight-errors": .text, "kubeconfig": .text,
        "skip-phases": .text, "config": .text, "dry-run": .isSet, "cleanup-tmp-dir": .isSet,
    ]

    static let page = CommandPage(
        path: ["reset"], summary: "Take back what `kubeadm init` or `kubeadm join` did here.", flags: flags, shorts: ["f": "force"],
        phases: .reset
    ) { try await ResetCommand(tool: $0).run($1) }

    let tool: KubeadmTool
    private var console: Console { tool.console }
    private func say(_ text: String) { console.out("[reset] \(text)") }

    func run(_ arguments: Arguments) async throws {
        try tool.machine.require()
        let file = try document(arguments)
        func says(_ flag: String, _ field: String) -> Bool { arguments.has(flag) || file[field].bool ?? false }
        let release = await installed(arguments)
        let skipped = try SkippedPhases(arguments, of: .reset, release, own: file["skipPhases"].items.compactMap(\.string))
        let preflight = try PreflightChecks(
            tool, release, arguments, own: file["ignorePreflightErrors"].items.compactMap(\.string))
        let isDry = says("dry-run", "dryRun")
        if !says("force", "force"), !isDry { try confirm(release) }
        console.out("[preflight] Running pre-flight checks")
        try preflight.requireRoot()
        let etcd = etcdFolder()
        let folder = arguments["cert-dir"] ?? file["certificatesDir"].string ?? "/etc/kubernetes/pki"
        if isDry { return dryRun(release, etcd, folder) }
        if skipped.has("cleanup-node") { return }
        if !release.isOld {
            try empty(etcd ?? "/var/lib/etcd"); say("Deleted contents of the etcd data directory: \(etcd ?? "/var/lib/etcd")")
        }
        if release.isOld, etcd == nil {
            say("No etcd config found. Assuming external etcd")
            say("Please, manually reset etcd to prevent further issues")
        }
        say("Stopping the kubelet service")
        try await tool.machine.tellKubelet("stop")
        say("Unmounting mounted directories in \"\(KubeletFiles.folder)\"")
        try await tool.machine.tellKubelet("remove-pods")
        try delete(release, etcd, folder)
        if says("cleanup-tmp-dir", "cleanupTmpDir") {
            say("Deleting contents of directories: [\(Self.temporary)]")
            try empty(Self.temporary)
        }
        tell(release)
    }

    private static let temporary = "/etc/kubernetes/tmp"

    /// What a file says, where one is given.
    private func document(_ arguments: Arguments) throws -> JSON {
        guard let path = arguments["config"] else { return .null }
        try SettingsReader.checkMix(arguments)
        let file = try ConfigurationFile(path: path, for: .reset, Release(tool.machine.version), console)
        file.warnOfUnfollowed(for: ["ResetConfiguration"], console)
        return file.documents["ResetConfiguration"] ?? .null
    }

    /// As the cluster's own configuration has it, where that can be read; else as the machine does.
    private func installed(_ arguments: Arguments) async -> Release {
        let own = Release(tool.machine.version), path = arguments["kubeconfig"] ?? InitCommand.admin
        guard Files.exists(path) else { return own }
        if own.isOld {
            say("Reading configuration from the cluster...")
            say("FYI: You can look at this config file with 'kubectl -n kube-system get cm kubeadm-config -o yaml'")
        } else {
            say("Reading configuration from the \"kubeadm-config\" ConfigMap in namespace \"kube-system\"...")
        }
        do {
            let map = try await tool.machine.api(path).get(.configMaps, ObjectKey(ClusterObjects.system, ClusterObjects.configMap))
            let text = map["data"]["ClusterConfiguration"].string ?? ""
            let version = try YAMLReader.documents(text, file: ClusterObjects.configMap, keepsLines: false).first?.json["kubernetesVersion"]
                .string
            return version.flatMap { KubernetesVersion($0) }.map(Release.init) ?? own
        } catch {
            console.warn("[reset] Unable to fetch the kubeadm-config ConfigMap from cluster: \(error)", "reset.go:99")
            return own
        }
    }

    private func confirm(_ release: Release) throws {
        let words = "WARNING: Changes made to this host by 'kubeadm init' or 'kubeadm join' will be reverted."
        if release.isOld { say(words) } else { console.warn("[reset] \(words)", "preflight.go:56") }
        let answer = console.ask("[reset] Are you sure you want to proceed? [y/N]: ")
        guard answer?.trimmed.lowercased() == "y" else {
            throw KubeadmError(
                release.isOld ? "aborted reset operation" : "won't proceed; the user didn't answer (Y|y) in order to continue"
            )
            .during("preflight")
        }
    }

    /// Where the machine's etcd keeps its data, as its static pod says; nil: there is none.
    private func etcdFolder() -> String? {
        let path = "\(StaticPodManifests.folder)/etcd.yaml"
        guard let text = Files.text(path), let documents = try? YAMLReader.documents(text, file: path, keepsLines: false) else {
            console.warn("[reset] No kubeadm config, using etcd pod spec to get data directory", "removeetcdmember.go:106")
            return nil
        }
        let volumes = documents.first?.json["spec"]["volumes"].items ?? []
        return volumes.first { $0["name"].string == "etcd-data" }?["hostPath"]["path"].string ?? "/var/lib/etcd"
    }

    // MARK: Files

    private static let files = [
        "admin.conf", "super-admin.conf", "kubelet.conf", "bootstrap-kubelet.conf", "controller-manager.conf", "scheduler.conf",
    ]

    private func paths(_ release: Release) -> [String] {
        Self.files.filter { !release.isOld || $0 != "super-admin.conf" }.map { "\(InitCommand.folder)/\($0)" }
    }

    private func delete(_ release: Release, _ etcd: String?, _ folder: String) throws {
        let manifests = StaticPodManifests.folder
        if release.isOld {
            say("Deleting contents of config directories: [\(manifests) \(folder)]")
            for path in [manifests, folder] { try empty(path) }
        } else {
            say("Deleting contents of directories: [\(manifests) \(KubeletFiles.folder) \(folder)]")
            for path in [manifests, KubeletFiles.folder, folder] { try empty(path) }
        }
        say("Deleting files: [\(paths(release).joined(separator: " "))]")
        for path in paths(release) where unlink(path) < 0 && errno != ENOENT { throw FileError("remove", path, errno: errno) }
        guard release.isOld else { return }
        let stateful = (etcd.map { [$0] } ?? []) + [KubeletFiles.folder, "/var/lib/dockershim", "/var/run/kubernetes", "/var/lib/cni"]
        say("Deleting contents of stateful directories: [\(stateful.joined(separator: " "))]")
        for path in stateful { try empty(path) }
    }

    /// Removes what is in a directory; none is no error.
    private func empty(_ folder: String) throws {
        for name in Files.list(folder) {
            Files.removeTree("\(folder)/\(name)")
            // What cannot be removed is a mount, which somebody has to look at.
            if Files.exists("\(folder)/\(name)") { throw KubeadmError("failed to remove \(folder)/\(name)") }
        }
    }

    private func dryRun(_ release: Release, _ etcd: String?, _ folder: String) {
        console.out("[dryrun] Would stop the kubelet service")
        console.out("[dryrun] Would unmount mounted directories in \"\(KubeletFiles.folder)\"")
        console.out(
            "[dryrun] Would delete contents of directories: [\(StaticPodManifests.folder) \(KubeletFiles.folder) \(folder) \(etcd ?? "/var/lib/etcd")]"
        )
        console.out("[dryrun] Would delete files: [\(paths(release).joined(separator: " "))]")
    }

    /// What is left to be done by hand.
    private func tell(_ release: Release) {
        console.out(
            """

            Not cleaned by reset: the network's configuration. Remove it by hand: /etc/cni/net.d, and links like cni0 and flannel.1

            Not cleaned by reset: rules of the packet filter (nft list ruleset) and of IPVS.
            \(release.isOld ? "If your cluster was set up to use IPVS, run ipvsadm --clear (or similar) to reset its tables.\n" : "")
            Not cleaned by reset: kubeconfig files of users. Look at $HOME/.kube/config; it fails against the next cluster.
            """)
    }
}

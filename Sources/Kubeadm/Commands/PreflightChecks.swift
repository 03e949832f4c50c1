import Host
import Model

/// What is looked at before anything is done. All checks run, and all that is wrong is told.
struct PreflightChecks {
    let machine: Machine
    let console: Console
    let release: Release
    let ignored: Set<String>

    private struct Finding {
        let name: String
        let text: String
        var isWarning = false
    }

    /// `own`: those of a configuration file, which flags add to.
    init(_ tool: KubeadmTool, _ release: Release, _ arguments: Arguments, own: [String] = []) throws(KubeadmError) {
        (machine, console, self.release) = (tool.machine, tool.console, release)
        let given = (arguments.lists["ignore-preflight-errors"] ?? []).map { $0.lowercased() }, own = own.map { $0.lowercased() }
        let names = given + own
        if given.contains("all") && given.count > 1 || own.contains("all") && own.count > 1 {
            throw KubeadmError(
                "ignore-preflight-errors: Invalid value: \"\(names.joined(separator: ","))\": don't specify individual checks if 'all' is used",
                isValidation: true)
        }
        ignored = Set(names)
    }

    private func ports(_ ports: [Int]) -> [Finding] {
        ports.filter { machine.isTaken(port: $0) }.map { Finding(name: "Port-\($0)", text: "Port \($0) is in use") }
    }

    private func absent(_ paths: [String]) -> [Finding] {
        paths.filter(Files.exists).map {
            Finding(name: "FileAvailable-\($0.replacing("/", with: "-"))", text: "\($0) already exists")
        }
    }

    private func empty(_ folder: String) -> [Finding] {
        Files.list(folder).isEmpty
            ? [] : [Finding(name: "DirAvailable-\(folder.replacing("/", with: "-"))", text: "\(folder) is not empty")]
    }

    private func sysctl(_ path: String) -> [Finding] {
        let name = "FileContent-\(path.replacing("/", with: "-"))"
        guard let text = Files.text(path) else { return [Finding(name: name, text: "\(path) does not exist")] }
        return text.trimmed == "1" ? [] : [Finding(name: name, text: "\(path) contents are not set to 1")]
    }

    private static let forward = "/proc/sys/net/ipv4/ip_forward"

    /// What is the machine's that carries this one, and nothing that a learner should change there.
    private var host: [Finding] {
        let swaps = (Files.text("/proc/swaps") ?? "").split(separator: "\n").count > 1
        let programs =
            release.isOld
            ? ["conntrack", "ip", "iptables", "mount", "nsenter", "ebtables", "ethtool", "socat", "tc", "touch"]
            : ["losetup", "mount", "cp"]
        return (swaps ? [Finding(name: "Swap", text: "running with swap on is not supported. Please disable swap", isWarning: true)] : [])
            + programs.filter { !machine.has(program: $0) }.map {
                Finding(name: "FileExisting-\($0)", text: "\($0) not found in system path", isWarning: true)
            }
    }

    private var forwarding: [Finding] {
        (release.isOld ? sysctl("/proc/sys/net/bridge/bridge-nf-call-iptables") : []) + sysctl(Self.forward)
    }

    func initialize(_ settings: ClusterSettings) throws {
        try requireRoot()
        let manifests = (StaticPodManifests.components + ["etcd"]).map { "\(StaticPodManifests.folder)/\($0).yaml" }
        var found = ports([settings.bindPort, 10259, 10257]) + absent(manifests)
        if release.isOld { found += forwarding }
        found += host + ports([10250])
        if !release.isOld { found += forwarding }
        try tell(found + ports([2379, 2380]) + empty(settings.etcdFolder))
    }

    func join(_ settings: JoinSettings) throws {
        try requireRoot()
        var found = release.isOld ? empty(StaticPodManifests.folder) : []
        found += absent([KubeletFiles.kubeconfig, KubeletFiles.bootstrapKubeconfig])
        if release.isOld { found += forwarding }
        found += host + ports([10250])
        if !release.isOld { found += forwarding }
        try tell(found + absent([settings.authorityPath]))
    }

    /// Alone, before all others.
    func requireRoot() throws {
        if !machine.isRoot { try tell([Finding(name: "IsPrivilegedUser", text: "user is not running as root")]) }
    }

    private func tell(_ findings: [Finding]) throws {
        var errors: [String] = []
        for finding in findings {
            if finding.isWarning || ignored.contains("all") || ignored.contains(finding.name.lowercased()) {
                console.complain("\t[WARNING \(finding.name)]: \(finding.text)")
            } else {
                errors.append("\t[ERROR \(finding.name)]: \(finding.text)")
            }
        }
        guard !errors.isEmpty else { return }
        let head = "[preflight] Some fatal errors occurred:"
        let tail = "[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`"
        let block = ([head] + errors + [tail]).joined(separator: "\n")
        throw release.isOld
            ? KubeadmError("error execution phase preflight: \(block)")
            : KubeadmError("error execution phase preflight: preflight checks failed", preamble: block)
    }
}

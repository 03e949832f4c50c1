import API
import Glibc
import Host
import Model
import TLS

/// `kubeadm init`: makes this machine a control plane.
struct InitCommand {
    static let flags: [String: Arguments.Kind] = [
        "apiserver-advertise-address": .text, "apiserver-bind-port": .number, "apiserver-cert-extra-sans": .text, "cert-dir": .text,
        "certificate-key": .text, "config": .text, "control-plane-endpoint": .text, "cri-socket": .text, "dry-run": .isSet,
        "feature-gates": .text, "ignore-preflight-errors": .text, "image-repository": .text, "kubernetes-version": .text,
        "node-name": .text, "pod-network-cidr": .text, "service-cidr": .text, "service-dns-domain": .text,
        "skip-certificate-key-print": .isSet, "skip-phases": .text, "skip-token-print": .isSet, "token": .text, "token-ttl": .duration,
        "upload-certs": .isSet, "patches": .text, "experimental-patches": .text,
    ]
    static let folder = "/etc/kubernetes", admin = "\(folder)/admin.conf"

    let tool: KubeadmTool
    var console: Console { tool.console }
    func say(_ text: String) { console.out(text) }

    func run(_ words: [String]) async throws {
        let arguments = try Arguments(words, Self.flags.merging(KubeadmTool.global) { $1 }, shorts: KubeadmTool.shorts)
        if let extra = arguments.positional.first { throw KubeadmError("unknown command \"\(extra)\" for \"kubeadm init\"") }
        if let gate = arguments["feature-gates"] {
            throw KubeadmError("unrecognized feature-gate key: \(gate.prefix { $0 != "=" })", isValidation: true)
        }
        try tool.machine.require()
        var settings = try SettingsReader(machine: tool.machine, console: console).settings(arguments)
        let preflight = try PreflightChecks(tool, settings.release, arguments)
        let skipped = try SkippedPhases(arguments, known: SkippedPhases.ofInit)
        settings.token = settings.token ?? .random()
        let run = InitRun(tool: tool, settings: settings, skipped: skipped, console: console)
        say("[init] Using Kubernetes version: \(settings.release.version)")
        if !skipped.has("preflight") {
            say("[preflight] Running pre-flight checks")
            try preflight.initialize(settings)
            announceImages(settings.release, isDry: arguments.has("dry-run"))
        }
        if arguments.has("dry-run") { return try DryRun(run).print() }
        try await run.make()
        run.close(token: arguments.has("skip-token-print") ? "<value withheld>" : settings.token?.text ?? "")
    }

    private func announceImages(_ release: Release, isDry: Bool) {
        if isDry { return say("[preflight] Would pull the required images (like 'kubeadm config images pull')") }
        say("[preflight] Pulling images required for setting up a Kubernetes cluster")
        say("[preflight] This might take a minute or two, depending on the speed of your internet connection")
        say("[preflight] You can also perform this action \(release.isOld ? "in " : "")beforehand using 'kubeadm config images pull'")
    }
}

/// Phases that are left out.
struct SkippedPhases {
    static let ofInit: Set<String> = [
        "preflight", "certs", "kubeconfig", "kubelet-start", "control-plane", "etcd", "wait-control-plane", "upload-config", "upload-certs",
        "mark-control-plane", "bootstrap-token", "kubelet-finalize", "addon", "addon/coredns", "addon/kube-proxy", "show-join-command",
    ]
    static let ofJoin: Set<String> = [
        "preflight", "control-plane-prepare", "kubelet-start", "kubelet-wait-bootstrap", "control-plane-join",
    ]
    static let ofReset: Set<String> = ["preflight", "remove-etcd-member", "cleanup-node"]

    private let names: Set<String>

    init(_ arguments: Arguments, known: Set<String>) throws(KubeadmError) {
        names = Set(arguments.lists["skip-phases"] ?? [])
        for name in names.sorted() where !known.contains(name) { throw KubeadmError("invalid phase name: \(name)") }
    }

    func has(_ name: String) -> Bool {
        names.contains(name) || names.contains(String(name.prefix { $0 != "/" }))
    }
}

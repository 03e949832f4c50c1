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

    static let page = CommandPage(
        path: ["init"], summary: "Set up the control plane on this machine.", flags: flags, idle: idle,
        phases: .initialize
    ) { try await InitCommand(tool: $0).run($1) }

    private static let idle = [
        "patches": noPatches, "experimental-patches": noPatches, "upload-certs": oneControlPlane, "certificate-key": oneControlPlane,
    ]
    static let noPatches = "minik's kubeadm applies no patches", oneControlPlane = "minik's clusters have one control plane"

    let tool: KubeadmTool
    var console: Console { tool.console }
    func say(_ text: String) { console.out(text) }

    func run(_ arguments: Arguments) async throws {
        if let gate = arguments["feature-gates"] {
            throw KubeadmError("unrecognized feature-gate key: \(gate.prefix { $0 != "=" })", isValidation: true)
        }
        try tool.machine.require()
        var settings = try SettingsReader(machine: tool.machine, console: console).settings(arguments)
        let preflight = try PreflightChecks(tool, settings.release, arguments, own: settings.node.ignoredChecks)
        let skipped = try SkippedPhases(arguments, of: .initialize, settings.release, own: settings.skippedPhases)
        settings.isDry = settings.isDry || arguments.has("dry-run")
        for index in settings.tokens.indices where settings.tokens[index].token == nil { settings.tokens[index].token = .random() }
        let run = InitRun(tool: tool, settings: settings, skipped: skipped, console: console)
        say("[init] Using Kubernetes version: \(settings.release.version)")
        if !skipped.has("preflight") {
            say("[preflight] Running pre-flight checks")
            try preflight.initialize(settings)
            announceImages(settings.release, isDry: settings.isDry)
        }
        if settings.isDry { return try DryRun(run).print() }
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

import API
import Glibc
import Host
import Model

/// `kubeadm config`: print, images, migrate, validate.
struct ConfigCommand {
    let tool: KubeadmTool
    private var release: Release { Release(tool.machine.version) }
    private var console: Console { tool.console }

    private static let common: [String: Arguments.Kind] = ["kubeconfig": .text]
    private static let naming: [String: Arguments.Kind] = common.merging([
        "config": .text, "feature-gates": .text, "image-repository": .text, "kubernetes-version": .text, "cri-socket": .text,
        "output": .text, "experimental-output": .text,
    ]) { $1 }

    static let pages: [CommandPage] = [
        CommandPage(path: ["config"], summary: "kubeadm's configuration: its files, and the images that it means.", flags: common),
        CommandPage(path: ["config", "images"], summary: "The images that a control plane runs.", flags: common),
        CommandPage(path: ["config", "images", "list"], summary: "Print them.", flags: naming, shorts: ["o": "output"]) {
            try ConfigCommand(tool: $0).images($1, pulls: false)
        },
        CommandPage(path: ["config", "images", "pull"], summary: "Fetch them; minik's own are there already.", flags: naming) {
            try ConfigCommand(tool: $0).images($1, pulls: true)
        },
        CommandPage(
            path: ["config", "migrate"], summary: "Read documents of an older version, and write them in the release's.",
            flags: common.merging(["old-config": .text, "new-config": .text, "allow-experimental-api": .isSet]) { $1 }
        ) { try ConfigCommand(tool: $0).migrate($1) },
        CommandPage(
            path: ["config", "print"], summary: "Print a configuration with all that is not said filled in.",
            operands: "init-defaults|join-defaults|reset-defaults", most: 1, flags: common.merging(["component-configs": .text]) { $1 },
            idle: ["component-configs": "kubeadm's own documents are printed"]
        ) { try ConfigCommand(tool: $0).printDefaults($1) },
        CommandPage(
            path: ["config", "validate"], summary: "Read a file of kubeadm's documents, and say what is wrong with it.",
            flags: common.merging(["config": .text, "allow-experimental-api": .isSet]) { $1 }
        ) { try ConfigCommand(tool: $0).validate($1) },
    ]

    private func validate(_ arguments: Arguments) throws {
        if release.isOld { throw KubeadmError("invalid subcommand: \"validate\"") }
        guard let path = arguments["config"] else { throw KubeadmError("the --config flag is mandatory") }
        _ = try ConfigurationFile(path: path, for: .whole, release, console)
        console.out("ok")
    }

    // MARK: Images

    /// Where a cluster is that nobody makes.
    private static let nobody = "1.2.3.4"

    private func images(_ arguments: Arguments, pulls: Bool) throws {
        let reader = SettingsReader(machine: tool.machine, console: console)
        let settings: ClusterSettings
        do { settings = try reader.settings(arguments, address: Self.nobody) } catch let error as KubeadmError {
            throw KubeadmError("could not convert cfg to an internal cfg: \(error)", isValidation: error.isValidation)
        }
        let images = settings.images
        if pulls { return images.forEach { console.out("[config/images] Pulled \($0)") } }
        let form = arguments["output"] ?? arguments["experimental-output"] ?? "text"
        let json: JSON = [
            "kind": "Images", "apiVersion": .string("output.kubeadm.k8s.io/\(settings.release.isOld ? "v1alpha1" : "v1alpha3")"),
            "images": .array(images.map(JSON.string)),
        ]
        switch form {
        case "text": images.forEach(console.out)
        case "json": console.out(json.text(indented: true))
        case "yaml": console.out(YAMLText.of(json))
        default: throw KubeadmError("invalid output format: \(form)")
        }
    }

    // MARK: Documents

    private static let sampleToken = "abcdef.0123456789abcdef", standardSocket = "unix:///var/run/containerd/containerd.sock"

    private func printDefaults(_ arguments: Arguments) throws {
        guard let what = arguments.positional.first else { throw tool.missing(CommandTree.find(["config", "print"]).page) }
        let documents: [JSON]
        switch what {
        case "init-defaults":
            var settings = ClusterSettings(Release(KubernetesVersion(release.version.major, release.version.minor)))
            settings.advertiseAddress = Self.nobody
            settings.node.name = release.isOld ? tool.machine.hostname : "node"
            settings.tokens[0].token = BootstrapToken(Self.sampleToken)
            documents = [ClusterDocument.initial(settings), cluster(settings)]
        case "join-defaults": documents = [join]
        case "reset-defaults" where !release.isOld:
            documents = [
                [
                    "apiVersion": .string(release.apiVersion), "kind": "ResetConfiguration", "certificatesDir": "/etc/kubernetes/pki",
                    "criSocket": .string(release.criSocket), "timeouts": ClusterDocument.timeouts,
                ]
            ]
        default:
            throw KubeadmError(
                release.isOld ? "invalid subcommand: \"\(what)\"" : "unknown command \"\(what)\" for \"kubeadm config print\"")
        }
        console.out(documents.map(YAMLText.of).joined(separator: "---\n").trimmed)
    }

    private func cluster(_ settings: ClusterSettings) -> JSON {
        var document = ClusterDocument.of(settings, uploaded: false)
        if !release.isOld { document["kubernetesVersion"] = .string(String("\(settings.release.version)".dropFirst())) }
        return document
    }

    private var join: JSON {
        var document: JSON = [
            "apiVersion": .string(release.apiVersion), "kind": "JoinConfiguration", "caCertPath": "/etc/kubernetes/pki/ca.crt",
            "discovery": [
                "bootstrapToken": [
                    "apiServerEndpoint": "kube-apiserver:6443", "token": .string(Self.sampleToken), "unsafeSkipCAVerification": true,
                ], "tlsBootstrapToken": .string(Self.sampleToken),
            ],
            "nodeRegistration": ["criSocket": .string(release.criSocket), "name": .string(tool.machine.hostname)],
        ]
        if release.isOld { document["discovery"]["timeout"] = "5m0s" }
        if release.apiVersion.hasSuffix("v1beta4") { document["timeouts"] = ClusterDocument.timeouts }
        return document
    }

    /// Reads documents of an older version, and writes them in that of the release.
    private func migrate(_ arguments: Arguments) throws {
        guard let path = arguments["old-config"] else { throw KubeadmError("the --old-config flag is mandatory") }
        let file = try ConfigurationFile(path: path, for: .whole, release, console)
        var documents: [JSON] = []
        if file.documents["InitConfiguration"] != nil || file.documents["ClusterConfiguration"] != nil {
            var settings = ClusterSettings(
                try file.version.map { try SettingsReader(machine: tool.machine, console: console).release($0) } ?? release)
            settings.node.name = tool.machine.hostname
            settings.advertiseAddress = tool.machine.address
            try file.apply(to: &settings)
            documents = [ClusterDocument.initial(settings), ClusterDocument.of(settings, uploaded: false)]
        }
        if var join = file.documents["JoinConfiguration"] {
            join["apiVersion"] = .string(release.apiVersion)
            documents.append(join)
        }
        documents += ["KubeletConfiguration", "KubeProxyConfiguration"].compactMap { file.documents[$0] }
        let text = documents.map(YAMLText.of).joined(separator: "---\n")
        guard let target = arguments["new-config"] else { return console.out(text.trimmed) }
        try Files.write(text, to: target)
    }
}

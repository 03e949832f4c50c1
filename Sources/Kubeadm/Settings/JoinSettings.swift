import Model

/// What `kubeadm join` is told, by flags or by a file.
struct JoinSettings {
    /// HOST:PORT
    var place = ""
    var token = "", bootstrapToken = ""
    var hashes: [String] = []
    var isTrusting = false
    /// In seconds: for finding the cluster, and for the node's certificate.
    var limit = 300, bootstrapLimit = 300
    var node: NodeSettings
    var authorityPath = JoinSettings.authority
    static let authority = "/etc/kubernetes/pki/ca.crt"
    var skippedPhases: [String] = []
    var isDry = false
    var isControlPlane = false

    init(_ arguments: Arguments, _ machine: Machine, _ release: Release, _ console: Console) throws {
        try SettingsReader.checkMix(arguments)
        node = NodeSettings(release)
        node.name = machine.hostname.lowercased()
        isControlPlane = arguments.has("control-plane")
        isDry = arguments.has("dry-run")
        if let path = arguments["config"] {
            try read(try ConfigurationFile(path: path, for: .join, release, console), console)
        } else {
            read(arguments)
        }
        if let name = arguments["node-name"] { node.name = name.lowercased() }
        if let socket = arguments["cri-socket"] { node.criSocket = socket }
        let others = ["certificate-key", "apiserver-advertise-address", "apiserver-bind-port"]
        if !isControlPlane, others.contains(where: { arguments[$0] != nil }) {
            console.warn(
                "[preflight] WARNING: --control-plane is also required when passing control-plane related flags such as [\(others.joined(separator: ", "))]",
                "join.go:377")
        }
    }

    private mutating func read(_ file: ConfigurationFile, _ console: Console) throws {
        let document = file.documents["JoinConfiguration"] ?? .null, discovery = document["discovery"], own = discovery["bootstrapToken"]
        guard discovery["file"].isNull else { throw Self.noFile("discovery.file") }
        place = own["apiServerEndpoint"].string ?? ""
        token = own["token"].string ?? ""
        bootstrapToken = discovery["tlsBootstrapToken"].string ?? token
        hashes = own["caCertHashes"].items.compactMap(\.string)
        isTrusting = own["unsafeSkipCAVerification"].bool ?? false
        for text in [discovery["timeout"], document["timeouts"]["discovery"]] {
            if let time = text.string.flatMap({ GoDuration($0) }) { limit = time.seconds }
        }
        if let time = document["timeouts"]["tlsBootstrap"].string.flatMap({ GoDuration($0) }) { bootstrapLimit = time.seconds }
        node.read(document["nodeRegistration"])
        if let path = document["caCertPath"].string { authorityPath = path }
        skippedPhases = document["skipPhases"].items.compactMap(\.string)
        isDry = isDry || document["dryRun"].bool ?? false
        isControlPlane = isControlPlane || !document["controlPlane"].isNull
        file.warnOfUnfollowed(for: ["JoinConfiguration"], console)
    }

    private mutating func read(_ arguments: Arguments) {
        place = arguments.positional.first ?? ""
        token = arguments["discovery-token"] ?? arguments["token"] ?? ""
        bootstrapToken = arguments["tls-bootstrap-token"] ?? arguments["token"] ?? token
        hashes = arguments.lists["discovery-token-ca-cert-hash"] ?? []
        isTrusting = arguments.has("discovery-token-unsafe-skip-ca-verification")
    }

    static func noFile(_ field: String) -> KubeadmError {
        KubeadmError("\(field): Forbidden: minik's kubeadm finds a cluster by a token", isValidation: true)
    }

    /// The token to discover with, if all is as it has to be.
    func validated(_ machine: Machine, _ release: Release) throws -> BootstrapToken {
        func fail(_ text: String) -> KubeadmError { KubeadmError(text, isValidation: true) }
        if place.isEmpty, token.isEmpty {
            throw fail("discovery: Invalid value: \"\": bootstrapToken or file must be set")
        }
        guard let found = BootstrapToken(token), BootstrapToken(bootstrapToken) != nil else {
            throw fail(
                "[discovery.bootstrapToken.token: Invalid value: \"\(token)\": the bootstrap token is invalid, discovery.tlsBootstrapToken: Invalid value: \"\(bootstrapToken)\": the bootstrap token is invalid]"
            )
        }
        if hashes.isEmpty, !isTrusting {
            throw fail(
                "discovery.bootstrapToken\(release.isOld ? "" : ".caCertHashes"): Invalid value: \"\": using token-based discovery without caCertHashes can be unsafe. Set unsafeSkipCAVerification as true in your kubeadm config file or pass --discovery-token-unsafe-skip-ca-verification flag to continue"
            )
        }
        let parts = place.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = Int(parts[1]), (1...65535).contains(port), !parts[0].isEmpty else {
            let reason = parts.count < 2 ? "address \(place): missing port in address" : "address \(place): port number is not valid"
            throw fail("discovery.bootstrapToken.apiServerEndpoint: Invalid value: \"\(place)\": \(reason)")
        }
        let causes = node.causes(machine.hostname)
        guard causes.isEmpty else { throw fail(causes.count == 1 ? causes[0] : "[\(causes.joined(separator: ", "))]") }
        return found
    }
}

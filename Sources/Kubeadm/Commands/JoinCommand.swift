import API
import Glibc
import Host
import Model
import TLS
import YAML

/// `kubeadm join`: makes this machine a node of a cluster.
struct JoinCommand {
    private static let flags: [String: Arguments.Kind] = [
        "apiserver-advertise-address": .text, "apiserver-bind-port": .number, "certificate-key": .text, "config": .text,
        "control-plane": .isSet, "cri-socket": .text, "discovery-file": .text, "discovery-token": .text,
        "discovery-token-ca-cert-hash": .text, "discovery-token-unsafe-skip-ca-verification": .isSet, "ignore-preflight-errors": .text,
        "node-name": .text, "skip-phases": .text, "tls-bootstrap-token": .text, "token": .text, "dry-run": .isSet, "patches": .text,
    ]

    static let page = CommandPage(
        path: ["join"], summary: "Make this machine a node of a cluster.", operands: "[api-server-endpoint]", most: 1, flags: flags,
        idle: ["patches": InitCommand.noPatches, "certificate-key": InitCommand.oneControlPlane],
        phases: .join
    ) { try await JoinCommand(tool: $0).run($1) }

    let tool: KubeadmTool
    private func say(_ text: String) { tool.console.out(text) }

    /// What join is told of the cluster.
    private struct Wish {
        var place = ""
        var token = "", bootstrapToken = ""
        var hashes: [String] = []
        var isTrusting = false
        var limit = 300
    }

    func run(_ arguments: Arguments) async throws {
        try tool.machine.require()
        let release = Release(tool.machine.version)
        try SettingsReader.checkMix(arguments)
        let wish = try wish(arguments, release)
        let token = try validated(wish, release)
        let skipped = try SkippedPhases(arguments, of: .join, release)
        let preflight = try PreflightChecks(tool, release, arguments)
        if arguments.has("control-plane") {
            throw KubeadmError(
                "minik's clusters have one control plane: unable to add a new control plane instance to a cluster that doesn't have a stable controlPlaneEndpoint address"
            ).during("preflight")
        }
        if !skipped.has("preflight") {
            say("[preflight] Running pre-flight checks")
            try preflight.join()
        }
        if arguments.has("dry-run") {
            return say("[dryrun] Would ask \(wish.place) for the cluster, write \(KubeletFiles.kubeconfig) and start the kubelet")
        }
        let found: Discovery.Found
        do {
            let hashes = try wish.hashes.map { try Discovery.hash($0, isOld: release.isOld) }
            found = try await Discovery(place: wish.place, token: token, hashes: hashes, limit: wish.limit).run(isOld: release.isOld)
        } catch let error as KubeadmError {
            throw KubeadmError("couldn't validate the identity of the API Server: \(error)").during("preflight")
        }
        try await Joining(tool: tool, found: found, token: token, bootstrap: BootstrapToken(wish.bootstrapToken) ?? token).run()
    }

    private func wish(_ arguments: Arguments, _ release: Release) throws -> Wish {
        var wish = Wish()
        if let path = arguments["config"] {
            let file = try ConfigurationFile(path: path, release, tool.console)
            let discovery = (file.documents["JoinConfiguration"] ?? .null)["discovery"], own = discovery["bootstrapToken"]
            wish.place = own["apiServerEndpoint"].string ?? ""
            wish.token = own["token"].string ?? ""
            wish.bootstrapToken = discovery["tlsBootstrapToken"].string ?? wish.token
            wish.hashes = own["caCertHashes"].items.compactMap(\.string)
            wish.isTrusting = own["unsafeSkipCAVerification"].bool ?? false
            if let limit = discovery["timeout"].string.flatMap({ GoDuration($0) }) { wish.limit = limit.seconds }
            let timeouts = (file.documents["JoinConfiguration"] ?? .null)["timeouts"]
            if let limit = timeouts["discovery"].string.flatMap({ GoDuration($0) }) { wish.limit = limit.seconds }
            return wish
        }
        wish.place = arguments.positional.first ?? ""
        wish.token = arguments["discovery-token"] ?? arguments["token"] ?? ""
        wish.bootstrapToken = arguments["tls-bootstrap-token"] ?? arguments["token"] ?? wish.token
        wish.hashes = arguments.lists["discovery-token-ca-cert-hash"] ?? []
        wish.isTrusting = arguments.has("discovery-token-unsafe-skip-ca-verification")
        return wish
    }

    private func validated(_ wish: Wish, _ release: Release) throws -> BootstrapToken {
        func fail(_ text: String) -> KubeadmError { KubeadmError(text, isValidation: true) }
        if wish.place.isEmpty, wish.token.isEmpty {
            throw fail("discovery: Invalid value: \"\": bootstrapToken or file must be set")
        }
        guard let token = BootstrapToken(wish.token), BootstrapToken(wish.bootstrapToken) != nil else {
            throw fail(
                "[discovery.bootstrapToken.token: Invalid value: \"\(wish.token)\": the bootstrap token is invalid, discovery.tlsBootstrapToken: Invalid value: \"\(wish.bootstrapToken)\": the bootstrap token is invalid]"
            )
        }
        if wish.hashes.isEmpty, !wish.isTrusting {
            throw fail(
                "discovery.bootstrapToken\(release.isOld ? "" : ".caCertHashes"): Invalid value: \"\": using token-based discovery without caCertHashes can be unsafe. Set unsafeSkipCAVerification as true in your kubeadm config file or pass --discovery-token-unsafe-skip-ca-verification flag to continue"
            )
        }
        let parts = wish.place.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = Int(parts[1]), (1...65535).contains(port), !parts[0].isEmpty else {
            let reason =
                parts.count < 2 ? "address \(wish.place): missing port in address" : "address \(wish.place): port number is not valid"
            throw fail("discovery.bootstrapToken.apiServerEndpoint: Invalid value: \"\(wish.place)\": \(reason)")
        }
        return token
    }
}

/// What follows when it is known whom to trust.
private struct Joining {
    let tool: KubeadmTool
    let found: Discovery.Found
    let token: BootstrapToken
    let bootstrap: BootstrapToken

    private func say(_ text: String) { tool.console.out(text) }
    private static let limit = 300, pause = Duration.milliseconds(100)

    func run() async throws {
        let (authority, _) = try APIEndpoint.authority(of: found.server)
        let api = HTTPClient(
            try APIEndpoint(authority, trust: .authorities(found.authority), token: { [bootstrap] in bootstrap.text }),
            fieldManager: "kubeadm")
        let settings: ClusterSettings
        do { settings = try await configuration(api) } catch let error as StatusError {
            throw KubeadmError("unable to fetch the kubeadm-config ConfigMap: \(error.message)").during("preflight")
        }
        let release = settings.release
        let kubelet =
            try await api.get(.configMaps, ObjectKey(ClusterObjects.system, release.kubeletConfigMap))["data"]["kubelet"].string ?? ""
        try await refuseNamesake(api, settings)
        try await start(kubelet, settings)
        let pem = try await certificate(api, settings)
        try KubeletCertificate.keep(pem)
        try Files.write(
            KubeletCertificate.kubeconfig(server: found.server, authority: found.authority, settings), to: KubeletFiles.kubeconfig,
            mode: 0o600)
        unlink(KubeletFiles.bootstrapKubeconfig)
        try await awaitNode(settings)
        say(
            """

            This node has joined the cluster:
            * Its certificate request went to the API server, and was answered.
            * Its kubelet knows how to reach the control plane safely.

            Run 'kubectl get nodes' on the control-plane to see this node join the cluster.

            """)
    }

    private func configuration(_ api: HTTPClient) async throws -> ClusterSettings {
        let map = try await api.get(.configMaps, ObjectKey(ClusterObjects.system, ClusterObjects.configMap))
        let document =
            try YAMLReader.documents(map["data"]["ClusterConfiguration"].string ?? "", file: ClusterObjects.configMap, keepsLines: false)
            .first?.json ?? .null
        let version = document["kubernetesVersion"].string.flatMap { KubernetesVersion($0) } ?? tool.machine.version
        var settings = ClusterSettings(Release(version))
        settings.nodeName = tool.machine.hostname
        if let name = document["clusterName"].string { settings.clusterName = name }
        if let range = document["networking"]["serviceSubnet"].string { settings.serviceSubnet = range }
        if let domain = document["networking"]["dnsDomain"].string { settings.domain = domain }
        if settings.release.isOld {
            say("[preflight] Reading configuration from the cluster...")
            say("[preflight] FYI: You can look at this config file with 'kubectl -n kube-system get cm kubeadm-config -o yaml'")
        } else {
            say("[preflight] Reading configuration from the \"kubeadm-config\" ConfigMap in namespace \"kube-system\"...")
            say("[preflight] Use 'kubeadm init phase upload-config kubeadm --config your-config-file' to re-upload it.")
        }
        return settings
    }

    private func refuseNamesake(_ api: HTTPClient, _ settings: ClusterSettings) async throws {
        guard let node = try await api.find(Node.self, ObjectKey("", settings.nodeName)), node.isReady else { return }
        throw KubeadmError(
            "a Node with name \"\(settings.nodeName)\" and status \"Ready\" already exists in the cluster. You must delete the existing Node or change the name of this new joining Node"
        ).during("kubelet-start")
    }

    private func start(_ kubelet: String, _ settings: ClusterSettings) async throws {
        let files = KubeletFiles(settings: settings, hostname: tool.machine.hostname)
        try Files.makeDirectory("/etc/kubernetes/pki")
        try Files.makeDirectory(StaticPodManifests.folder, mode: 0o700)
        try Files.write(found.authority, to: "/etc/kubernetes/pki/ca.crt")
        try Files.write(
            KubeconfigText.text(
                server: found.server, authority: found.authority, cluster: settings.clusterName, user: "tls-bootstrap-token-user",
                credentials: ["token": .string(bootstrap.text)], isOld: settings.release.isOld), to: KubeletFiles.bootstrapKubeconfig,
            mode: 0o600)
        try Files.makeDirectory(KubeletFiles.folder, mode: 0o700)
        say("[kubelet-start] Writing kubelet configuration to file \"\(KubeletFiles.configuration)\"")
        try Files.write(kubelet, to: KubeletFiles.configuration)
        if !settings.release.isOld { try Files.write(files.instanceText, to: KubeletFiles.instance) }
        say("[kubelet-start] Writing kubelet environment file with flags to file \"\(KubeletFiles.environment)\"")
        try Files.write(files.flags, to: KubeletFiles.environment)
        say("[kubelet-start] Starting the kubelet")
        try await tool.machine.tellKubelet("start")
        if !settings.release.isOld {
            say("[kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz. This can take up to 4m0s")
            say("[kubelet-check] The kubelet is healthy after \(try await tool.machine.healthyKubelet().goText)")
        }
        say("[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap\(settings.release.isOld ? "..." : "")")
    }

    /// Asks for this node's certificate with the token, and waits for it; the certificate and its key, PEM.
    private func certificate(_ api: HTTPClient, _ settings: ClusterSettings) async throws -> String {
        let isOld = settings.release.isOld
        let key = isOld ? try PrivateKey(rsaBits: CertificateFolder.bits) : try PrivateKey()
        let request = try CertificateRequest(commonName: "system:node:\(settings.nodeName)", organizations: ["system:nodes"], key: key)
        let usages: [JSON] = isOld ? ["digital signature", "key encipherment", "client auth"] : ["digital signature", "client auth"]
        let made = try await api.create(
            .certificateRequests,
            [
                "apiVersion": .string(Resource.certificateRequests.apiVersion), "kind": .string(Resource.certificateRequests.kind),
                "metadata": ["generateName": "csr-"],
                "spec": [
                    "request": .string(Base64.encode(Array(request.pem.utf8))), "usages": .array(usages),
                    "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                ],
            ])
        let end = ContinuousClock.now + .seconds(Self.limit)
        while ContinuousClock.now < end {
            let held = try await api.get(.certificateRequests, made.metadata.key)
            if let bytes = held["status"]["certificate"].string.flatMap({ Base64.decode($0) }) {
                return String(decoding: bytes, as: UTF8.self) + key.traditionalPEM
            }
            try await Task.sleep(for: Self.pause)
        }
        throw KubeadmError("timed out waiting for the condition: request \(made.metadata.name) has not been approved and signed").during(
            "kubelet-start")
    }

    /// Until the cluster knows the node, for as long as it makes sense to have somebody wait for it.
    private func awaitNode(_ settings: ClusterSettings) async throws {
        let api = try tool.machine.api(KubeletFiles.kubeconfig)
        for _ in 0..<100 {
            if var node = try await api.find(.nodes, ObjectKey("", settings.nodeName)) {
                guard settings.release.isOld else { return }
                node["metadata"]["annotations"]["kubeadm.alpha.kubernetes.io/cri-socket"] = .string(settings.criSocket)
                do { return _ = try await api.update(.nodes, node) } catch let error as StatusError where error.reason == .conflict {}
            }
            try await Task.sleep(for: Self.pause)
        }
    }
}

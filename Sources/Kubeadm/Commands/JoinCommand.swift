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

    func run(_ arguments: Arguments) async throws {
        try tool.machine.require()
        if arguments["discovery-file"] != nil { throw JoinSettings.noFile("--discovery-file") }
        let release = Release(tool.machine.version)
        let wish = try JoinSettings(arguments, tool.machine, release, tool.console)
        let token = try wish.validated(tool.machine, release)
        let skipped = try SkippedPhases(arguments, of: .join, release, own: wish.skippedPhases)
        let preflight = try PreflightChecks(tool, release, arguments, own: wish.node.ignoredChecks)
        if wish.isControlPlane {
            throw KubeadmError(
                "minik's clusters have one control plane: unable to add a new control plane instance to a cluster that doesn't have a stable controlPlaneEndpoint address"
            ).during("preflight")
        }
        if !skipped.has("preflight") {
            say("[preflight] Running pre-flight checks")
            try preflight.join(wish)
        }
        if wish.isDry {
            return say("[dryrun] Would ask \(wish.place) for the cluster, write \(KubeletFiles.kubeconfig) and start the kubelet")
        }
        let found: Discovery.Found
        do {
            let hashes = try wish.hashes.map { try Discovery.hash($0, isOld: release.isOld) }
            found = try await Discovery(place: wish.place, token: token, hashes: hashes, limit: wish.limit).run(isOld: release.isOld)
        } catch let error as KubeadmError {
            throw KubeadmError("couldn't validate the identity of the API Server: \(error)").during("preflight")
        }
        try await Joining(tool: tool, found: found, wish: wish, bootstrap: BootstrapToken(wish.bootstrapToken) ?? token).run()
    }
}

/// What follows when it is known whom to trust.
private struct Joining {
    let tool: KubeadmTool
    let found: Discovery.Found
    let wish: JoinSettings
    let bootstrap: BootstrapToken

    private func say(_ text: String) { tool.console.out(text) }
    private static let pause = Duration.milliseconds(100)

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
        settings.node = wish.node
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
        let files = KubeletFiles(settings: settings, hostname: tool.machine.hostname, registersTaints: true)
        try Files.makeDirectory(
            String(wish.authorityPath.prefix(upTo: wish.authorityPath.lastIndex(of: "/") ?? wish.authorityPath.startIndex)))
        try Files.makeDirectory(StaticPodManifests.folder, mode: 0o700)
        try Files.write(found.authority, to: wish.authorityPath)
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
        let end = ContinuousClock.now + .seconds(wish.bootstrapLimit)
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

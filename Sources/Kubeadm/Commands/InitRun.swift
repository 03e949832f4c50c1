import API
import Glibc
import Host
import Model
import TLS

/// The phases of `kubeadm init`, in the order of the release.
struct InitRun {
    let tool: KubeadmTool
    let settings: ClusterSettings
    let skipped: SkippedPhases
    let console: Console

    var release: Release { settings.release }
    private var machine: Machine { tool.machine }
    private func say(_ text: String) { console.out(text) }
    var certificates: CertificateFolder { CertificateFolder(path: settings.certificatesFolder, release: release) }
    var kubelet: KubeletFiles { KubeletFiles(settings: settings, hostname: machine.hostname) }
    private var objects: ClusterObjects { ClusterObjects(settings: settings) }

    func make() async throws {
        if !skipped.has("certs") {
            say("[certs] Using certificateDir folder \"\(settings.certificatesFolder)\"")
            try certificates.complete(CertificatePlan(settings: settings), isLeftOut: { skipped.has("certs/\($0)") }, say: say)
        }
        let authority: CertificateAuthority
        do { authority = try certificates.authority("ca") } catch let error as KubeadmError { throw error.during("kubeconfig/admin") }
        if !skipped.has("kubeconfig") {
            say("[kubeconfig] Using kubeconfig folder \"\(InitCommand.folder)\"")
            try KubeconfigFiles(settings: settings, folder: InitCommand.folder).complete(
                authority, isLeftOut: { skipped.has("kubeconfig/\($0)") }, say: say
            ) { console.warn($0, "kubeconfig.go:242") }
        }
        if release.isOld {
            try await startKubelet()
            try writeManifests()
            try writeEtcd()
        } else {
            try writeEtcd()
            try writeManifests()
            try await startKubelet()
        }
        let api = try await awaited()
        try await upload(api, authority)
        try await finish(api)
    }

    // MARK: Files

    private func startKubelet() async throws {
        guard !skipped.has("kubelet-start") else { return }
        try Files.makeDirectory(KubeletFiles.folder, mode: 0o700)
        say("[kubelet-start] Writing kubelet environment file with flags to file \"\(KubeletFiles.environment)\"")
        try Files.write(kubelet.flags, to: KubeletFiles.environment)
        if !release.isOld {
            say("[kubelet-start] Writing kubelet configuration to file \"\(KubeletFiles.instance)\"")
            try Files.write(kubelet.instanceText, to: KubeletFiles.instance)
            say("[patches] Applied patch of type \"application/strategic-merge-patch+json\" to target \"kubeletconfiguration\"")
        }
        say("[kubelet-start] Writing kubelet configuration to file \"\(KubeletFiles.configuration)\"")
        try Files.write(kubelet.text, to: KubeletFiles.configuration)
        say("[kubelet-start] Starting the kubelet")
        try await machine.tellKubelet("start")
    }

    private func writeManifests() throws {
        guard !skipped.has("control-plane") else { return }
        let manifests = StaticPodManifests(settings: settings)
        say("[control-plane] Using manifest folder \"\(StaticPodManifests.folder)\"")
        try Files.makeDirectory(StaticPodManifests.folder, mode: 0o700)
        for component in StaticPodManifests.components where !skipped.has("control-plane/\(component.replacing("kube-", with: ""))") {
            say("[control-plane] Creating static Pod manifest for \"\(component)\"")
            try Files.write(manifests.text(component), to: "\(StaticPodManifests.folder)/\(component).yaml", mode: 0o600)
        }
    }

    private func writeEtcd() throws {
        guard !skipped.has("etcd/local") else { return }
        say("[etcd] Creating static Pod manifest for local etcd in \"\(StaticPodManifests.folder)\"")
        try Files.makeDirectory(StaticPodManifests.folder, mode: 0o700)
        try Files.makeDirectory(settings.etcdFolder, mode: 0o700)
        let text = StaticPodManifests(settings: settings).text("etcd")
        try Files.write(text, to: "\(StaticPodManifests.folder)/etcd.yaml", mode: 0o600)
    }

    // MARK: The wait

    private static let pause = Duration.milliseconds(100)

    /// The API, once it is there: with the phase of waiting left out whoever is early fails.
    private func awaited() async throws -> HTTPClient {
        let began = ContinuousClock.now
        let api = try machine.api(InitCommand.admin), isLeftOut = skipped.has("wait-control-plane")
        let wait =
            "[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods from directory \"\(StaticPodManifests.folder)\""
        if release.isOld {
            if isLeftOut { return api }
            say("\(wait). This can take up to 4m0s")
        } else {
            // Whoever is nobody's administrator yet cannot ask for anything: the wait begins with this.
            try await self.retried(
                "cannot obtain client without bootstrap: could not bootstrap the admin user in file admin.conf: unable to create ClusterRoleBinding"
            ) {
                try await machine.api("\(InitCommand.folder)/super-admin.conf").ensure(objects.administrators)
            }
            if isLeftOut { return api }
            say(wait)
            say("[kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz. This can take up to 4m0s")
            say("[kubelet-check] The kubelet is healthy after \(try await machine.healthyKubelet().goText)")
        }
        if !release.isOld {
            say("[control-plane-check] Waiting for healthy control plane components. This can take up to 4m0s")
            say("[control-plane-check] Checking kube-apiserver at \(settings.localServer)/livez")
            say("[control-plane-check] Checking kube-controller-manager at https://127.0.0.1:10257/healthz")
            say("[control-plane-check] Checking kube-scheduler at https://127.0.0.1:10259/livez")
        }
        var waiting = try expected()
        try await retried("couldn't initialize a Kubernetes cluster") {
            for component in waiting {
                try await check(component, api)
                waiting.removeAll { $0 == component }
                if !release.isOld {
                    say("[control-plane-check] \(component) is healthy after \((ContinuousClock.now - began).goText)")
                }
            }
        }
        if release.isOld {
            let (seconds, fraction) = (ContinuousClock.now - began).components
            let micros = String(1_000_000 + fraction / 1_000_000_000_000).dropFirst()
            say("[apiclient] All control plane components are healthy after \(seconds).\(micros) seconds")
        }
        return api
    }

    /// The components that are to run. Newer releases want all of them to be there.
    private func expected() throws -> [String] {
        func path(_ component: String) -> String { "\(StaticPodManifests.folder)/\(component).yaml" }
        let missing = StaticPodManifests.components.filter { !Files.exists(path($0)) }
        if let first = missing.first, !release.isOld {
            throw KubeadmError(
                "failed while waiting for the control plane to start: failed to read manifest for \"\(path(first))\": open \(path(first)): no such file or directory"
            ).during("wait-control-plane")
        }
        return StaticPodManifests.components.filter { $0 == "kube-apiserver" || !missing.contains($0) }
    }

    private func check(_ component: String, _ api: HTTPClient) async throws {
        guard component != "kube-apiserver" else {
            let (code, _) = try await api.send("GET", release.isOld ? "/healthz" : "/livez")
            guard code == 200 else { throw KubeadmError("\(component) answers \(code)") }
            return
        }
        // Its static pod, as the kubelet reports it.
        let pod = try await api.get(.pods, ObjectKey(ClusterObjects.system, "\(component)-\(settings.nodeName)"))
        guard pod["status"]["containerStatuses"].items.contains(where: { !$0["state"]["running"].isNull }) else {
            throw KubeadmError("\(component) does not run")
        }
    }

    private func retried(_ failure: String, _ body: () async throws -> Void) async throws {
        let end = ContinuousClock.now + .seconds(settings.patience)
        while true {
            do { return try await body() } catch {
                guard ContinuousClock.now < end else {
                    throw KubeadmError("\(failure): \(error)").during("wait-control-plane")
                }
            }
            try await Task.sleep(for: Self.pause)
        }
    }

    // MARK: The cluster

    private func upload(_ api: HTTPClient, _ authority: CertificateAuthority) async throws {
        if !skipped.has("upload-config/kubeadm") {
            say(
                "[upload-config] Storing the configuration used in ConfigMap \"\(ClusterObjects.configMap)\" in the \"\(ClusterObjects.system)\" Namespace"
            )
            try await api.ensure(objects.uploadedConfiguration)
        }
        if !skipped.has("upload-config/kubelet") {
            say(
                "[kubelet] Creating a ConfigMap \"\(release.kubeletConfigMap)\" in namespace \(ClusterObjects.system) with the configuration for the kubelets in the cluster"
            )
            try await api.ensure(objects.uploadedKubelet(kubelet))
        }
        if !skipped.has("upload-certs") { say("[upload-certs] Skipping phase. Please see --upload-certs") }
        if !skipped.has("mark-control-plane") { try await mark(api) }
        guard !skipped.has("bootstrap-token"), let token = settings.token else { return }
        say("[bootstrap-token] Using token: \(token.text)")
        say("[bootstrap-token] Configuring bootstrap tokens, cluster-info ConfigMap, RBAC Roles")
        let verb = release.isOld ? "configured" : "Configured"
        var purposes = [
            "allow Node Bootstrap tokens to get nodes",
            "allow Node Bootstrap tokens to post CSRs in order for nodes to get long term certificate credentials",
            "allow the csrapprover controller automatically approve CSRs from a Node Bootstrap Token",
            "allow certificate rotation for all node client certificates in the cluster",
        ]
        if !release.isOld { purposes.append("allow the API Server kubelet client certificate to access the kubelet API") }
        for purpose in purposes { say("[bootstrap-token] \(verb) RBAC rules to \(purpose)") }
        try await api.ensure(tokens)
        try await api.ensure(objects.joining)
        say(
            "[bootstrap-token] Creating the \"\(ClusterObjects.clusterInfo)\" ConfigMap in the \"\(ClusterObjects.open)\" namespace")
        try await api.ensure(objects.clusterInfo(authority: authority.certificate.pem))
    }

    var tokens: [ClusterObject] {
        settings.tokens.compactMap { wanted in
            wanted.token.map {
                TokenCommand.object(
                    $0, life: wanted.life, description: wanted.description, usages: wanted.usages, groups: wanted.groups)
            }
        }
    }

    private func mark(_ api: HTTPClient) async throws {
        let name = settings.nodeName
        if release.isOld {
            let labels = release.roleLabels.map { label in
                "\"\(label)=''\(label.hasSuffix("control-plane") ? " (deprecated)" : "")\""
            }
            say(
                "[mark-control-plane] Marking the node \(name) as control-plane by adding the label\(labels.count > 1 ? "s" : "") \(labels.joined(separator: " and "))"
            )
        } else {
            say(
                "[mark-control-plane] Marking the node \(name) as control-plane by adding the labels: [\(release.roleLabels.joined(separator: " "))]"
            )
        }
        let taints = settings.node.taints ?? [["key": .string(release.taint), "effect": "NoSchedule"]]
        let words = taints.map { "\($0["key"].string ?? ""):\($0["effect"].string ?? "")" }.joined(separator: " ")
        if !taints.isEmpty { say("[mark-control-plane] Marking the node \(name) as control-plane by adding the taints [\(words)]") }
        try await retried("couldn't mark the node \(name)") {
            var node = try await api.get(.nodes, ObjectKey("", name))
            node = objects.marked(node)
            _ = try await api.update(.nodes, node)
        }
    }

    private func finish(_ api: HTTPClient) async throws {
        let current = "\(KubeletFiles.folder)/pki/kubelet-client-current.pem"
        let rotation = "kubelet-finalize/\(release.isOld ? "experimental-cert-rotation" : "enable-client-cert-rotation")"
        if !skipped.has(rotation), try rotate(current) {
            say(
                "[kubelet-finalize] Updating \"\(KubeletFiles.kubeconfig)\" to point to a rotatable kubelet client certificate and key")
        }
        let addOns = AddOnObjects(settings: settings, records: machine.records)
        if !skipped.has("addon/coredns"), settings.hasCoreDNS {
            try await api.ensure(addOns.coreDNS)
            say("[addons] Applied essential addon: CoreDNS")
        }
        if !skipped.has("addon/kube-proxy"), settings.hasKubeProxy {
            try await api.ensure(addOns.kubeProxy)
            say("[addons] Applied essential addon: kube-proxy")
        }
    }

    /// Takes the kubelet's certificate out of its kubeconfig into a file that it can renew; false when it is not there.
    private func rotate(_ current: String) throws -> Bool {
        guard let text = Files.text(KubeletFiles.kubeconfig) else { return false }
        let user = try KubeconfigText.document(text, KubeletFiles.kubeconfig)["users"][0]["user"]
        guard let certificate = user["client-certificate-data"].string.flatMap({ Base64.decode($0) }),
            let key = user["client-key-data"].string.flatMap({ Base64.decode($0) })
        else { return false }
        try KubeletCertificate.keep(String(decoding: certificate + key, as: UTF8.self))
        let authority = try KubeconfigText.authority(of: text, KubeletFiles.kubeconfig)
        let server = try KubeconfigText.server(of: text, KubeletFiles.kubeconfig)
        try Files.write(
            KubeletCertificate.kubeconfig(server: server, authority: authority, settings), to: KubeletFiles.kubeconfig, mode: 0o600)
        return true
    }

    // MARK: Closing words

    func close(token: String) {
        guard !skipped.has("show-join-command") else { return }
        say(
            """

            Your Kubernetes control-plane has initialized successfully!

            To use the cluster as a regular user, run this first:

              mkdir -p $HOME/.kube
              sudo cp -i /etc/kubernetes/admin.conf $HOME/.kube/config
              sudo chown $(id -u):$(id -g) $HOME/.kube/config

            or, as root:

              export KUBECONFIG=/etc/kubernetes/admin.conf

            Pods have no network yet. Apply one of those listed at https://kubernetes.io/docs/concepts/cluster-administration/addons/ with
              kubectl apply -f [podnetwork].yaml

            Any number of worker nodes join by this command, as root on each:
            """)
        say("")
        // What the certificate's authority is known by cannot fail to be read: it was used just now.
        let digest = (try? certificates.authority("ca").certificate.publicKeyDigest) ?? []
        for line in JoinLine(
            place: settings.endpoint.isEmpty ? settings.advertised : String(settings.server.dropFirst("https://".count)), token: token,
            digest: digest, release: release
        ).lines {
            say(line)
        }
    }
}

/// The command by which a machine joins.
struct JoinLine {
    let place: String
    let token: String
    let digest: [UInt8]
    let release: Release

    static func hex(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    var hash: String { "sha256:\(Self.hex(digest))" }

    /// As `init` tells it: two lines, the last ending in a space.
    var lines: [String] {
        ["kubeadm join \(place) --token \(token) \\", "\(release.isOld ? "    " : "\t")--discovery-token-ca-cert-hash \(hash) "]
    }

    /// As `token create --print-join-command` does.
    var line: String {
        "kubeadm join \(place) --token \(token) \(release.isOld ? "    " : "")--discovery-token-ca-cert-hash \(hash) "
    }
}

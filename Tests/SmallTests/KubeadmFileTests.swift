import Host
import Kubeadm
import Model
import Testing
import YAML

@Suite("kubeadm's configuration files")
struct KubeadmFileTests {
    /// What a command answers that reads a file of this text.
    private func call(_ command: String, _ text: String) async throws -> KubeadmCall {
        let path = "/tmp/minik-kubeadm-\(UID.random()).yaml"
        try Files.write(text, to: path)
        defer { Files.removeTree(path) }
        return await KubeadmCall("\(command) --config \(path)")
    }

    private static let cluster = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
    private static let initial = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
    private static let join = """
        apiVersion: kubeadm.k8s.io/v1beta4
        kind: JoinConfiguration
        discovery: {bootstrapToken: {apiServerEndpoint: "a:6443", token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}}

        """
    private static let preflight = "user is not running as root"

    @Test("a document says of what kind it is, and is there once")
    func kinds() async throws {
        let head = "error: invalid configuration for GroupVersionKind", tail = "kind and apiVersion is mandatory information"
        #expect(try await call("init", "apiVersion: v1\nkind: Pod\n").errors.hasPrefix("\(head) /v1, Kind=Pod: \(tail)"))
        #expect(try await call("init", "kind: Pod\n").errors.hasPrefix("\(head) /, Kind=Pod: \(tail)"))
        #expect(
            try await call("init", "apiVersion: kubeadm.k8s.io/v1beta4\n").errors.hasPrefix(
                "\(head) kubeadm.k8s.io/v1beta4, Kind=: \(tail)"))
        let once = "invalid configuration: kind \"ClusterConfiguration\" is specified twice in YAML file"
        #expect(try await call("config validate", Self.cluster + "---\n" + Self.cluster).errors.hasPrefix("error: \(once)\n"))
        let twice = try await call("init", [Self.cluster, Self.initial, Self.cluster, Self.initial].joined(separator: "---\n"))
        #expect(
            twice.errors.hasPrefix("error: [\(once), invalid configuration: kind \"InitConfiguration\" is specified twice in YAML file]\n"))
    }

    @Test("a file has what the command reads; what else is in it is named")
    func purposes() async throws {
        let none = "error: no InitConfiguration or ClusterConfiguration kind was found in the configuration file\n"
        #expect(try await call("init", "").errors.hasPrefix(none))
        let joining = try await call("init", Self.join)
        #expect(joining.code == 1 && joining.errors.contains("\n\(none)"))
        #expect(
            joining.errors.contains(
                "[config] WARNING: Ignored configuration document with GroupVersionKind kubeadm.k8s.io/v1beta4, Kind=JoinConfiguration"))
        #expect(
            try await call("config images list", "").errors.contains("could not convert cfg to an internal cfg: no InitConfiguration or"))
        #expect(
            try await call("join", Self.cluster).errors.contains("error: no JoinConfiguration found in config file \"/tmp/minik-kubeadm-"))
        #expect(try await call("config validate", "").out == "ok")
        let both = try await call("join", Self.join + "---\n" + Self.initial)
        #expect(both.errors.contains("Ignored configuration document with GroupVersionKind kubeadm.k8s.io/v1beta4, Kind=InitConfiguration"))
        #expect(both.errors.contains(Self.preflight))
    }

    @Test(
        "what has no effect is named by its field; what has, and what is so anyway, is not",
        arguments: [
            ("nodeRegistration: {kubeletExtraArgs: [{name: node-labels, value: a=b}]}", "", nil),
            (
                "nodeRegistration: {kubeletExtraArgs: [{name: node-ip, value: 192.0.2.1}]}", "",
                "InitConfiguration.nodeRegistration.kubeletExtraArgs: --node-ip=192.0.2.1"
            ),
            ("nodeRegistration: {imagePullPolicy: IfNotPresent, taints: []}", "", nil),
            ("nodeRegistration: {imagePullPolicy: Always}", "", "InitConfiguration.nodeRegistration.imagePullPolicy"),
            ("bootstrapTokens: [{ttl: 1h0m0s, expires: 2030-01-01T00:00:00Z}]", "", "InitConfiguration.bootstrapTokens.expires"),
            ("timeouts: {discovery: 5m0s, etcdAPICall: 2m0s}", "", nil),
            ("patches: {directory: /root/patches}", "", "InitConfiguration.patches.directory"),
            ("", "controllerManager: {extraArgs: [{name: node-cidr-mask-size, value: '26'}, {name: controllers, value: '*'}]}", nil),
            (
                "", "controllerManager: {extraArgs: [{name: bind-address, value: 0.0.0.0}]}",
                "ClusterConfiguration.controllerManager.extraArgs: --bind-address=0.0.0.0"
            ),
            ("", "apiServer: {extraArgs: [{name: authorization-mode, value: 'Node,RBAC'}]}", nil),
            (
                "", "apiServer: {extraArgs: [{name: audit-log-path, value: /x}]}",
                "ClusterConfiguration.apiServer.extraArgs: --audit-log-path=/x"
            ),
            ("", "apiServer: {extraVolumes: [{name: a, hostPath: /a, mountPath: /a}], certSANs: [a.example]}", nil),
            (
                "", "etcd: {local: {dataDir: /data, extraArgs: [{name: quota-backend-bytes, value: '1'}]}}",
                "ClusterConfiguration.etcd.local.extraArgs: --quota-backend-bytes=1"
            ),
            ("", "dns: {imageTag: v1, disabled: true}", nil), ("", "featureGates: {A: true}", "ClusterConfiguration.featureGates.A"),
            ("", "encryptionAlgorithm: ECDSA-P256", "ClusterConfiguration.encryptionAlgorithm"),
        ] as [(String, String, String?)])
    func effects(initial: String, cluster: String, field: String?) async throws {
        let call = try await call("init", Self.initial + initial + "\n---\n" + Self.cluster + cluster + "\n")
        let warnings = call.errors.split(separator: "\n").filter { $0.contains("] [config] WARNING: ") }
        #expect(
            warnings.map { $0.split(separator: "WARNING: ").last.map(String.init) }
                == (field.map { ["\($0) has no effect on minik's clusters"] } ?? []))
        #expect(call.errors.contains(Self.preflight), "\(call)")
    }

    @Test("the documents of kubelets and of kube-proxy are read")
    func components() async throws {
        let kubelet = "---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 20\ncgroupDriver: systemd\n"
        #expect(!(try await call("init", Self.cluster + kubelet)).errors.contains("WARNING: K"))
        let limits = try await call("init", Self.cluster + kubelet + "podPidsLimit: 10\n")
        #expect(limits.errors.contains("WARNING: KubeletConfiguration.podPidsLimit has no effect"))
        let proxy = "---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n"
        #expect(try await call("init", Self.cluster + proxy).errors.contains("WARNING: KubeProxyConfiguration.mode has no effect"))
    }

    @Test("a machine keeps its own name, and a label that a node may not give itself is refused at once")
    func nodes() async throws {
        let here = KubeadmCall.machine.hostname, known = "minik's machines are known by their own names, and this one is \(here)"
        let flags = "a:6443 --token abcdef.0123456789abcdef --discovery-token-unsafe-skip-ca-verification"
        for line in ["init --node-name other", "join \(flags) --node-name other"] {
            #expect(
                await KubeadmCall(line).errors.contains("error: nodeRegistration.name: Invalid value: \"other\": \(known)\n"), "\(line)")
        }
        #expect(await KubeadmCall("join \(flags) --node-name \(here)").errors.contains(Self.preflight))
        let named = Self.join + "nodeRegistration: {name: other}\n"
        #expect(try await call("join", named).errors.contains("error: nodeRegistration.name: Invalid value: \"other\": "))
        let labels = Self.join + "nodeRegistration: {kubeletExtraArgs: [{name: node-labels, value: node-role.kubernetes.io/worker=}]}\n"
        #expect(
            try await call("join", labels).errors.contains(
                "nodeRegistration.kubeletExtraArgs: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/worker]"
            ))
    }

    @Test("a file's own phases and checks hold; flags go before them")
    func beside() async throws {
        #expect(try await call("init", Self.initial + "skipPhases: [nosuch]\n").errors.contains("error: invalid phase name: nosuch"))
        #expect(try await call("init --skip-phases certs", Self.initial + "skipPhases: [nosuch]\n").errors.contains(Self.preflight))
        let ignoring = Self.join + "nodeRegistration: {ignorePreflightErrors: [all, Swap]}\n"
        #expect(try await call("join", ignoring).errors.contains("don't specify individual checks if 'all' is used"))
        #expect(try await call("join", Self.join + "controlPlane: {}\n").errors.contains("minik's clusters have one control plane"))
        #expect(
            try await call("init", Self.cluster + "etcd: {external: {endpoints: [a]}}\n").errors.contains("error: etcd.external: Forbidden")
        )
        #expect(
            try await call("init", Self.cluster + "networking: {dnsDomain: Foo_}\n").errors.contains(
                "networking.dnsDomain: Invalid value: \"Foo_\""))
    }

    @Test("what a file says is written again whole, in the release's form")
    func migrated() async throws {
        let older = """
            apiVersion: kubeadm.k8s.io/v1beta3
            kind: InitConfiguration
            bootstrapTokens: [{token: abcdef.0123456789abcdef, ttl: 2h0m0s, usages: [authentication]}, {token: 123456.0123456789abcdef}]
            nodeRegistration: {kubeletExtraArgs: {node-labels: a=b}, taints: []}
            ---
            apiVersion: kubeadm.k8s.io/v1beta3
            kind: ClusterConfiguration
            apiServer: {timeoutForControlPlane: 2m0s, extraVolumes: [{name: a, hostPath: /a, mountPath: /a}]}
            controllerManager: {extraArgs: {node-cidr-mask-size: "26"}}

            """
        let path = "/tmp/minik-kubeadm-\(UID.random()).yaml"
        try Files.write(older, to: path)
        defer { Files.removeTree(path) }
        let documents = try YAMLReader.documents(await KubeadmCall("config migrate --old-config \(path)").out, file: "", keepsLines: false)
            .map(\.json)
        let (initial, cluster) = (documents[0], documents[1])
        #expect(initial["bootstrapTokens"].items.map { $0["token"] } == ["abcdef.0123456789abcdef", "123456.0123456789abcdef"])
        #expect(initial["bootstrapTokens"].items.map { $0["ttl"] } == ["2h0m0s", "24h0m0s"])
        #expect(initial["bootstrapTokens"][0]["usages"] == ["authentication"])
        #expect(initial["nodeRegistration"]["kubeletExtraArgs"] == [["name": "node-labels", "value": "a=b"]])
        #expect(initial["nodeRegistration"]["taints"] == [])
        #expect(initial["timeouts"]["controlPlaneComponentHealthCheck"] == "2m0s" && initial["timeouts"]["discovery"] == "5m0s")
        #expect(cluster["apiServer"] == ["extraVolumes": [["name": "a", "hostPath": "/a", "mountPath": "/a"]]])
        #expect(cluster["controllerManager"]["extraArgs"] == [["name": "node-cidr-mask-size", "value": "26"]])
    }
}

import API
import Model

/// The configuration of a node's kubelet.
struct KubeletFiles {
    static let folder = "/var/lib/kubelet"
    static let configuration = "\(folder)/config.yaml", environment = "\(folder)/kubeadm-flags.env"
    static let instance = "\(folder)/instance-config.yaml"
    static let kubeconfig = "/etc/kubernetes/kubelet.conf", bootstrapKubeconfig = "/etc/kubernetes/bootstrap-kubelet.conf"

    let settings: ClusterSettings
    /// The machine's own name.
    let hostname: String
    /// A worker is told its taints here; a control plane's are put on it once it is there.
    var registersTaints = false

    private var containerd: String {
        settings.criSocket.contains("dockershim") ? "/run/containerd/containerd.sock" : settings.criSocket.replacing("unix://", with: "")
    }

    /// One line. What is wanted besides stands among the release's own in older ones, behind them in newer.
    var flags: String {
        var own: [String: String] = [:]
        if settings.release.isOld { (own["container-runtime"], own["container-runtime-endpoint"]) = ("remote", containerd) }
        if settings.nodeName != hostname { own["hostname-override"] = settings.nodeName }
        let taints = settings.node.taints ?? []
        if registersTaints, !taints.isEmpty { own["register-with-taints"] = taints.map(KubeletOptions.word).joined(separator: ",") }
        let words = StaticPodManifests.words(own, and: settings.node.kubeletArguments, settings.release)
        return "KUBELET_KUBEADM_ARGS=\"\(words.joined(separator: " "))\"\n"
    }

    var instanceText: String { "containerRuntimeEndpoint: \"\(settings.criSocket)\"\n" }

    /// What all kubelets of the cluster are told: a file on each node, and a ConfigMap.
    var document: JSON { Self.merged(standard, settings.kubelet) }

    /// With what somebody says in the place of what kubeadm would.
    static func merged(_ own: JSON, _ other: JSON) -> JSON {
        guard let fields = other.object, own.object != nil else { return other.isNull ? own : other }
        var merged = own
        for (name, value) in fields { merged[name] = Self.merged(own[name], value) }
        return merged
    }

    private var standard: JSON {
        [
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": [
                "anonymous": ["enabled": false], "webhook": ["cacheTTL": "0s", "enabled": true],
                "x509": ["clientCAFile": .string("\(settings.certificatesFolder)/ca.crt")],
            ],
            "authorization": ["mode": "Webhook", "webhook": ["cacheAuthorizedTTL": "0s", "cacheUnauthorizedTTL": "0s"]],
            "cgroupDriver": settings.release.isOld ? .null : "systemd", "clusterDNS": [.string(settings.dnsAddress)],
            "clusterDomain": .string(settings.domain), "containerRuntimeEndpoint": settings.release.isOld ? .null : "",
            "healthzBindAddress": "127.0.0.1", "healthzPort": 10248, "rotateCertificates": true,
            "staticPodPath": .string(StaticPodManifests.folder),
        ]
    }

    var text: String { YAMLText.of(document) }
}

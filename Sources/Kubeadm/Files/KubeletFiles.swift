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

    private var containerd: String {
        settings.criSocket.contains("dockershim") ? "/run/containerd/containerd.sock" : settings.criSocket.replacing("unix://", with: "")
    }

    /// One line.
    var flags: String {
        var words = settings.release.isOld ? ["--container-runtime=remote", "--container-runtime-endpoint=\(containerd)"] : []
        if settings.nodeName != hostname { words.append("--hostname-override=\(settings.nodeName)") }
        return "KUBELET_KUBEADM_ARGS=\"\(words.joined(separator: " "))\"\n"
    }

    var instanceText: String { "containerRuntimeEndpoint: \"\(settings.criSocket)\"\n" }

    /// What all kubelets of the cluster are told: a file on each node, and a ConfigMap.
    var document: JSON {
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

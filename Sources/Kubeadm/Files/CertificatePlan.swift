import Model
import TLS

/// The certificates of a control plane: whose they are, who signs them, what they are good for.
/// (kubernetes.io/docs/setup/best-practices/certificates)
struct CertificatePlan {
    struct Entry {
        /// Below the folder, without its suffix.
        let file: String
        let commonName: String
        var organizations: [String] = []
        /// The file of the authority that signs it; nil: it is one itself.
        var authority: String?
        var use = CertificateUse(extended: ["clientAuth"])
        var names: [String] = []
        var addresses: [String] = []

        /// As its phase is called.
        var phase: String { file.replacing("/", with: "-") }
        var isServing: Bool { !addresses.isEmpty }
    }

    let settings: ClusterSettings

    private var masters: [String] { settings.release.isOld ? ["system:masters"] : [] }

    private func authority(_ file: String, _ name: String) -> Entry {
        Entry(file: file, commonName: name, names: settings.release.isOld ? [] : [name])
    }

    private func client(_ file: String, _ name: String, by authority: String, _ groups: [String] = []) -> Entry {
        Entry(file: file, commonName: name, organizations: groups, authority: authority)
    }

    private var apiNames: [String] {
        let service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.\(settings.domain)"]
        let others = settings.extraNames + (settings.endpoint.isEmpty ? [] : [endpointHost])
        return Array(Set(service + [settings.nodeName] + others.filter { IPAddress($0) == nil })).sorted()
    }

    private var endpointHost: String { String(settings.endpoint.prefix { $0 != ":" }) }

    private var apiAddresses: [String] {
        [settings.apiAddress, settings.advertiseAddress] + (IPAddress(endpointHost) == nil ? [] : [endpointHost])
            + settings.extraNames.filter { IPAddress($0) != nil }
    }

    private func etcd(_ file: String, _ others: [String]) -> Entry {
        Entry(
            file: file, commonName: settings.nodeName, authority: "etcd/ca", use: CertificateUse(extended: ["serverAuth", "clientAuth"]),
            names: ([settings.nodeName, "localhost"] + others.filter { IPAddress($0) == nil }).sorted(),
            addresses: [settings.advertiseAddress, "127.0.0.1", "::1"] + others.filter { IPAddress($0) != nil })
    }

    /// In the order in which kubeadm makes them.
    var entries: [Entry] {
        [
            authority("ca", "kubernetes"),
            Entry(
                file: "apiserver", commonName: "kube-apiserver", authority: "ca", use: CertificateUse(extended: ["serverAuth"]),
                names: apiNames, addresses: apiAddresses),
            client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", by: "ca", masters),
            authority("front-proxy-ca", "front-proxy-ca"),
            client("front-proxy-client", "front-proxy-client", by: "front-proxy-ca"),
            authority("etcd/ca", "etcd-ca"), etcd("etcd/server", settings.etcdServerNames), etcd("etcd/peer", settings.etcdPeerNames),
            client("etcd/healthcheck-client", "kube-etcd-healthcheck-client", by: "etcd/ca", masters),
            client("apiserver-etcd-client", "kube-apiserver-etcd-client", by: "etcd/ca", masters),
        ]
    }
}

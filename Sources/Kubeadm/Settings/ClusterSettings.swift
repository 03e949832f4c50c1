import Model

/// What `kubeadm init` is told of the cluster and of its node, by flags or by a file.
package struct ClusterSettings: Sendable {
    package static let port = 6443
    package static let standardServices = "10.96.0.0/12"

    package var release: Release
    package var advertiseAddress = ""
    package var bindPort = ClusterSettings.port
    package var certificatesFolder = "/etc/kubernetes/pki"
    package var endpoint = ""
    package var extraNames: [String] = []
    package var serviceSubnet = ClusterSettings.standardServices
    package var podSubnet = ""
    package var domain = "cluster.local"
    package var repository: String
    package var nodeName = ""
    package var criSocket: String
    package var clusterName = "kubernetes"
    package var etcdFolder = "/var/lib/etcd"
    /// Of the static pods: component -> flag -> value.
    package var extraArguments: [String: [String: String]] = [:]
    package var token: BootstrapToken?
    /// In seconds; 0: for ever.
    package var tokenLife = 86400
    package var taints: [JSON]?

    package init(_ release: Release) {
        self.release = release
        repository = release.registry
        criSocket = release.criSocket
    }

    /// Where the API is told to be: the endpoint of a control plane of many nodes, or this node.
    package var server: String {
        guard !endpoint.isEmpty else { return "https://\(advertised)" }
        return "https://\(endpoint.contains(":") ? endpoint : "\(endpoint):\(bindPort)")"
    }
    package var advertised: String {
        IPAddress(advertiseAddress)?.authority(port: bindPort) ?? "\(advertiseAddress):\(bindPort)"
    }
    package var localServer: String { "https://\(advertised)" }

    package var services: [IPNetwork] { serviceSubnet.split(separator: ",").compactMap { IPNetwork(loosely: $0) } }
    package var pods: [IPNetwork] { podSubnet.split(separator: ",").compactMap { IPNetwork(loosely: $0) } }
    package var dnsAddress: String { services.first.map { $0[10].description } ?? "" }
    package var apiAddress: String { services.first.map { $0[1].description } ?? "" }
}

extension IPNetwork {
    /// A range whose host bits nobody minds, as Go's net.ParseCIDR reads it.
    init?(loosely text: some StringProtocol) {
        guard let (address, length) = IPNetwork.parts(text) else { return nil }
        self.init(address, length)
    }
}

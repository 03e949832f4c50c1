import Model
import Runtime
import YAML

/// What the static pods of a control plane say of it by their flags.
struct ControlPlaneFiles: Sendable {
    static let apiServer = "kube-apiserver", etcd = "etcd", manager = "kube-controller-manager", scheduler = "kube-scheduler"

    private let flags: [String: [String: String]]
    /// The tag of the API server's image.
    let version: KubernetesVersion?

    /// nil while there is no API server, or nothing that keeps what it is told.
    init?(on root: NodeRoot) throws {
        var flags: [String: [String: String]] = [:], version: KubernetesVersion?
        for (file, text) in try root.texts(in: StaticPodSource.folder) where !file.hasPrefix(".") {
            for document in try YAMLReader.documents(text, file: file, keepsLines: false) {
                for container in document.json["spec"]["containers"].items {
                    let words = (container["command"].items + container["args"].items).compactMap(\.string)
                    guard let name = words.first?.split(separator: "/").last.map(String.init) else { continue }
                    flags[name] = Self.flags(words.dropFirst())
                    if name == Self.apiServer {
                        version = container["image"].string?.split(separator: ":").last.flatMap { KubernetesVersion(String($0)) }
                    }
                }
            }
        }
        guard flags[Self.apiServer] != nil, flags[Self.etcd] != nil else { return nil }
        (self.flags, self.version) = (flags, version)
    }

    private static func flags(_ words: some Sequence<String>) -> [String: String] {
        var flags: [String: String] = [:]
        for word in words where word.hasPrefix("--") {
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
            flags[parts[0]] = parts.count > 1 ? parts[1] : "true"
        }
        return flags
    }

    private func api(_ flag: String) -> String? { flags[Self.apiServer]?[flag] }
    private func managed(_ flag: String) -> String? { flags[Self.manager]?[flag] }

    private static let pki = "/etc/kubernetes/pki"
    var clientAuthority: String { api("client-ca-file") ?? "\(Self.pki)/ca.crt" }
    var servingCertificate: String { api("tls-cert-file") ?? "\(Self.pki)/apiserver.crt" }
    var servingKey: String { api("tls-private-key-file") ?? "\(Self.pki)/apiserver.key" }
    var accountKey: String {
        api("service-account-signing-key-file") ?? managed("service-account-private-key-file") ?? "\(Self.pki)/sa.key"
    }
    var signingCertificate: String { managed("cluster-signing-cert-file") ?? "\(Self.pki)/ca.crt" }
    var signingKey: String { managed("cluster-signing-key-file") ?? "\(Self.pki)/ca.key" }

    var port: Int { api("secure-port").flatMap { Int($0) } ?? Cluster.apiPort }
    var address: String? { api("advertise-address") }
    var services: IPNetwork? { api("service-cluster-ip-range").flatMap(Self.first) }
    var nodePorts: ClosedRange<Int>? {
        let ends = api("service-node-port-range")?.split(separator: "-").compactMap { Int($0) } ?? []
        return ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
    }
    var admitsBootstrapTokens: Bool { api("enable-bootstrap-token-auth") == "true" }
    var data: String { flags[Self.etcd]?["data-dir"] ?? "/var/lib/etcd" }
    /// The range that nodes' own are taken from, when anybody takes them.
    var pods: IPNetwork? { managed("cluster-cidr").flatMap(Self.first) }
    var allocatesNodeRanges: Bool { managed("allocate-node-cidrs") == "true" }
    /// Whether a controller runs that has to be asked for.
    func has(controller name: String) -> Bool { managed("controllers")?.split(separator: ",").contains(Substring(name)) ?? false }

    private static func first(_ text: String) -> IPNetwork? {
        text.split(separator: ",").first.flatMap { IPNetwork.parts($0) }.map { IPNetwork($0.0, $0.1) }
    }
}

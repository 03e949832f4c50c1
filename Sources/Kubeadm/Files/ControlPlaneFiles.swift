import Model
import Runtime
import YAML

/// What the static pods of a control plane say of it by their flags.
package struct ControlPlaneFiles: Sendable, Equatable {
    package static let apiServer = "kube-apiserver", etcd = "etcd", manager = "kube-controller-manager", scheduler = "kube-scheduler"

    private let flags: [String: [String: String]]
    /// The tag of the API server's image.
    package let version: KubernetesVersion?

    /// nil while there is no API server, or nothing that keeps what it is told. `texts`: the manifests, by their names.
    package init?(_ texts: [String: String]) throws {
        var flags: [String: [String: String]] = [:], version: KubernetesVersion?
        for (file, text) in texts where !file.hasPrefix(".") {
            for document in try YAMLReader.documents(text, file: file, keepsLines: false) {
                for container in document.json["spec"]["containers"].items {
                    let words = (container["command"].items + container["args"].items).compactMap(\.string)
                    guard let name = words.first?.split(separator: "/").last.map(String.init) else { continue }
                    flags[name] = ComponentFlags.read(words.dropFirst())
                    if name == Self.apiServer {
                        version = container["image"].string?.split(separator: ":").last.flatMap { KubernetesVersion(String($0)) }
                    }
                }
            }
        }
        guard flags[Self.apiServer] != nil, flags[Self.etcd] != nil else { return nil }
        (self.flags, self.version) = (flags, version)
    }

    package init?(on root: NodeRoot) throws { try self.init(try root.texts(in: StaticPodSource.folder)) }

    private func api(_ flag: String) -> String? { flags[Self.apiServer]?[flag] }
    private func managed(_ flag: String) -> String? { flags[Self.manager]?[flag] }

    private static let pki = "/etc/kubernetes/pki"
    package var clientAuthority: String { api("client-ca-file") ?? "\(Self.pki)/ca.crt" }
    package var servingCertificate: String { api("tls-cert-file") ?? "\(Self.pki)/apiserver.crt" }
    package var servingKey: String { api("tls-private-key-file") ?? "\(Self.pki)/apiserver.key" }
    package var accountKey: String {
        api("service-account-signing-key-file") ?? managed("service-account-private-key-file") ?? "\(Self.pki)/sa.key"
    }
    package var signingCertificate: String { managed("cluster-signing-cert-file") ?? "\(Self.pki)/ca.crt" }
    package var signingKey: String { managed("cluster-signing-key-file") ?? "\(Self.pki)/ca.key" }

    package var port: Int { api("secure-port").flatMap { Int($0) } ?? Cluster.apiPort }
    package var issuer: String? { api("service-account-issuer") }
    package var services: IPNetwork? { api("service-cluster-ip-range").flatMap(Self.first) }
    package var nodePorts: ClosedRange<Int>? {
        let ends = api("service-node-port-range")?.split(separator: "-").compactMap { Int($0) } ?? []
        return ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
    }
    package var admitsBootstrapTokens: Bool { api("enable-bootstrap-token-auth") == "true" }
    package var data: String { flags[Self.etcd]?["data-dir"] ?? "/var/lib/etcd" }
    /// The range that nodes' own are taken from, when anybody takes them.
    package var pods: IPNetwork? { managed("cluster-cidr").flatMap(Self.first) }
    package var allocatesNodeRanges: Bool { managed("allocate-node-cidrs") == "true" }
    package var nodeMask: Int {
        (managed("node-cidr-mask-size-ipv4") ?? managed("node-cidr-mask-size")).flatMap { Int($0) }.flatMap {
            (1...32).contains($0) ? $0 : nil
        } ?? 24
    }

    /// Whether a controller runs, by whichever of its names; `isAsked`: only if it is asked for.
    /// (k8s.io/controller-manager/app, IsControllerEnabled)
    package func runs(_ names: [String], isAsked: Bool = false) -> Bool {
        let words = (managed("controllers") ?? "*").split(separator: ",").map(String.init)
        if names.contains(where: words.contains) { return true }
        if names.contains(where: { words.contains("-\($0)") }) { return false }
        return !isAsked && words.contains("*")
    }

    private static func first(_ text: String) -> IPNetwork? {
        text.split(separator: ",").first.flatMap { IPNetwork.parts($0) }.map { IPNetwork($0.0, $0.1) }
    }
}

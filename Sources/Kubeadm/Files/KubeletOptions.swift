import Model
import Runtime
import YAML

/// What a machine's files say to its kubelet: its configuration, and the flags, which go before it.
/// (kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1; k8s.io/kubernetes/cmd/kubelet/app/options)
package struct KubeletOptions: Sendable {
    package static let configuration = KubeletFiles.configuration, environment = KubeletFiles.environment

    package private(set) var registration = NodeRegistration()
    /// What names end in, and who is asked for them; without, as the cluster has it.
    package private(set) var domain: String?
    package private(set) var nameServers: [IPAddress] = []
    /// Settings that nothing here goes by.
    package private(set) var unfollowed: [String] = []

    package struct Wrong: Error, CustomStringConvertible { package let description: String }

    /// `environment`: the file with KUBELET_KUBEADM_ARGS; nil: there is none.
    package init(configuration text: String, environment: String?) throws {
        let document = try YAMLReader.documents(text, file: KubeletFiles.configuration, keepsLines: false).first?.json ?? .null
        try self.init(configuration: document, flags: Self.flags(environment ?? ""))
    }

    init(configuration: JSON, flags: [String: String]) throws(Wrong) {
        if let most = configuration["maxPods"].int { registration.mostPods = most }
        registration.taints = configuration["registerWithTaints"].items
        domain = configuration["clusterDomain"].string
        nameServers = configuration["clusterDNS"].items.compactMap { $0.string.flatMap { IPAddress($0) } }
        if let text = flags["max-pods"] {
            guard let most = Int(text), most >= 0 else { throw Wrong(description: "--max-pods=\(text) is no number") }
            registration.mostPods = most
        }
        if let text = flags["node-labels"] { registration.labels = try Self.labels(text) }
        if let text = flags["register-with-taints"] { registration.taints = try Self.taints(text) }
        if let text = flags["cluster-domain"] { domain = text }
        if let text = flags["cluster-dns"] { nameServers = text.split(separator: ",").compactMap { IPAddress($0) } }
        unfollowed =
            UnfollowedFields.paths(of: configuration, "KubeletConfiguration") + ComponentFlags.unfollowed(flags, of: "kubelet")
    }

    /// KUBELET_KUBEADM_ARGS="--a=b --c=d"
    private static func flags(_ environment: String) -> [String: String] {
        let name = "KUBELET_KUBEADM_ARGS="
        let line = environment.split(separator: "\n").last { $0.hasPrefix(name) }?.dropFirst(name.count) ?? ""
        return ComponentFlags.read(line.filter { $0 != "\"" }.split(separator: " ").map(String.init))
    }

    /// What a node may say of itself below kubernetes.io. (cmd/kubelet/app/options, validateLabels)
    private static let own: Set<String> = [
        "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone", "kubernetes.io/arch",
        "kubernetes.io/hostname", "kubernetes.io/os", "node.kubernetes.io/instance-type", "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    ]
    private static let prefixes = ["kubelet.kubernetes.io", "node.kubernetes.io"]

    private static func labels(_ text: String) throws(Wrong) -> [String: String] {
        var labels: [String: String] = [:]
        for word in text.split(separator: ",") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            labels[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        func belongs(_ domain: String, _ parents: [String]) -> Bool { parents.contains { domain == $0 || domain.hasSuffix(".\($0)") } }
        let unknown = labels.keys.filter { name in
            let domain = name.contains("/") ? String(name.prefix { $0 != "/" }) : ""
            return belongs(domain, ["kubernetes.io", "k8s.io"]) && !belongs(domain, prefixes) && !own.contains(name)
        }.sorted()
        guard unknown.isEmpty else {
            throw Wrong(
                description:
                    "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [\(unknown.joined(separator: " "))]: "
                    + "a node may give itself \(own.sorted().joined(separator: ", ")), and what begins with \(prefixes.joined(separator: " or "))"
            )
        }
        return labels
    }

    /// KEY=VALUE:EFFECT or KEY:EFFECT, with commas between. (k8s.io/kubernetes/pkg/util/taints)
    private static func taints(_ text: String) throws(Wrong) -> [JSON] {
        var taints: [JSON] = []
        for word in text.split(separator: ",") {
            let parts = word.split(separator: ":").map(String.init)
            guard parts.count == 2, ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(parts[1]) else {
                throw Wrong(description: "invalid taint spec: \(word), as KEY=VALUE:NoSchedule")
            }
            let pair = parts[0].split(separator: "=", maxSplits: 1).map(String.init)
            taints.append(["key": .string(pair[0]), "value": pair.count > 1 ? .string(pair[1]) : .null, "effect": .string(parts[1])])
        }
        return taints
    }

    /// A taint as a flag has it.
    static func word(of taint: JSON) -> String {
        let value = taint["value"].string ?? ""
        return "\(taint["key"].string ?? "")\(value.isEmpty ? "" : "=\(value)"):\(taint["effect"].string ?? "")"
    }
}

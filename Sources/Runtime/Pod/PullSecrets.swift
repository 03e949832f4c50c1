import Model

/// The secrets that a pod names for its registries. (pkg/kubelet/kubelet_pods.go, getPullSecretsForPod)
struct PullSecrets: Sendable {
    /// Who is let in where, a place a member.
    private(set) var configurations: [JSON] = []
    /// Secrets that could not be had.
    private(set) var missing: [String] = []

    /// What secrets of either type hold.
    private static let types = [
        "kubernetes.io/dockerconfigjson": (key: ".dockerconfigjson", member: "auths"),
        "kubernetes.io/dockercfg": (key: ".dockercfg", member: nil as String?),
    ]

    init(of pod: Pod, _ client: any Client) async {
        var seen: Set<String> = []
        for name in pod.spec["imagePullSecrets"].items.compactMap({ $0["name"].string })
        where !name.isEmpty && seen.insert(name).inserted {
            do {
                if let found = Self.configuration(try await client.get(.secrets, ObjectKey(pod.namespace, name))) {
                    configurations.append(found)
                }
            } catch { missing.append(name) }
        }
    }

    /// nil for a secret that is of another type, or empty.
    static func configuration(_ secret: JSON) -> JSON? {
        guard let (key, member) = types[secret["type"].string ?? ""], let bytes = secret["data"][key].string.flatMap(Base64.decode)
        else { return nil }
        do {
            let json = try JSON(parsing: bytes)
            return member.map { json[$0] } ?? json
        } catch { return nil }  // the API takes no such secret that is no JSON
    }

    /// The kubelet's words for those that are missing.
    var complaint: String? {
        missing.isEmpty
            ? nil
            : "Unable to retrieve some image pull secrets (\(missing.joined(separator: ", "))); attempting to pull the image may not succeed."
    }
}

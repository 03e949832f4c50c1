import Model

/// A container of the CNI specification: for Kubernetes, a pod. What a plugin is told of it beside its configuration.
/// (containernetworking/cni SPEC.md, section 2)
package struct CNIAttachment: Sendable {
    /// A sandbox's name, as container runtimes have it: 64 hexadecimal digits.
    package let containerID: String
    /// The pod's network namespace, by a path of the node's; empty when it is gone.
    package let namespace: String
    /// CNI_ARGS
    package let arguments: [(key: String, value: String)]
    /// What the pod asks for, by the names of the conventions. (containernetworking/cni CONVENTIONS.md, "Dynamic Plugin specific fields")
    package let capabilities: JSON

    package static let interface = "eth0"
    /// Where a node looks for plugins: as container runtimes do, and where Debian's package puts them.
    package static let programFolders = ["/opt/cni/bin", "/usr/lib/cni"]

    /// `resolver`: the text of the pod's resolv.conf.
    package init(_ pod: Pod, namespace: String, resolver: String, asking request: CNIRequest = CNIRequest()) {
        containerID = Self.containerID(pod.uid)
        self.namespace = namespace
        arguments = [
            ("IgnoreUnknown", "1"), ("K8S_POD_NAMESPACE", pod.namespace), ("K8S_POD_NAME", pod.name),
            ("K8S_POD_INFRA_CONTAINER_ID", containerID), ("K8S_POD_UID", pod.uid),
        ]
        var capabilities = JSON.object(JSONObject())
        let ports = pod.hostPorts
        if !ports.isEmpty { capabilities["portMappings"] = .array(ports.map(Self.mapping)) }
        capabilities["bandwidth"] = Self.bandwidth(pod)
        capabilities["dns"] = Self.dns(resolver)
        for (name, value) in request.capabilities { capabilities[name] = value }
        self.capabilities = capabilities
    }

    /// namespace/name, as it was told.
    package var pod: String {
        let named = Dictionary(arguments.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        return "\(named["K8S_POD_NAMESPACE"] ?? "")/\(named["K8S_POD_NAME"] ?? "")"
    }

    /// The folder that /proc of the node has for whoever holds the network namespace; nil when that was gone already.
    package var process: String? { namespace.isEmpty ? nil : String(namespace.dropLast("/ns/net".count)) }

    package static func containerID(_ uid: String) -> String { ShortHash.hex(uid, digits: 64) }

    /// A plugin's environment. `command`: ADD, DEL, CHECK.
    package func environment(_ command: String) -> [String] {
        Self.environment(command) + [
            "CNI_CONTAINERID=\(containerID)", "CNI_NETNS=\(namespace)", "CNI_IFNAME=\(Self.interface)",
            "CNI_ARGS=\(arguments.map { "\($0.key)=\($0.value)" }.joined(separator: ";"))",
        ]
    }

    /// That of what is asked of a network as a whole: STATUS, GC.
    package static func environment(_ command: String) -> [String] {
        [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "CNI_COMMAND=\(command)",
            "CNI_PATH=\(programFolders.joined(separator: ":"))",
        ]
    }

    // MARK: As libcni keeps it

    /// One that was made earlier, by what was kept of it. Nil: the record is none of libcni's.
    package init?(record: JSON, namespace: String? = nil) {
        guard record["kind"] == "cniCacheV1", let id = record["containerId"].string else { return nil }
        containerID = id
        self.namespace = namespace ?? record["netns"].string ?? ""
        arguments = record["cniArgs"].items.compactMap { pair in
            pair.items.count == 2 ? (pair.items[0].string ?? "", pair.items[1].string ?? "") : nil
        }
        capabilities = record["capabilityArgs"]
    }

    package func record(_ network: CNINetwork, _ result: CNIResult) -> JSON {
        [
            "kind": "cniCacheV1", "containerId": .string(containerID), "config": .string(Base64.encode(Array(network.text.utf8))),
            "ifName": .string(Self.interface), "networkName": .string(network.name), "netns": .string(namespace),
            "cniArgs": .array(arguments.map { [.string($0.key), .string($0.value)] }), "capabilityArgs": capabilities,
            "result": result.json,
        ]
    }

    private static func mapping(_ port: HostPort) -> JSON {
        [
            "hostPort": .int(Int(port.port)), "containerPort": .int(Int(port.containerPort)),
            "protocol": .string(port.proto.rawValue.lowercased()), "hostIP": .string(port.address?.description ?? ""),
        ]
    }

    private static func dns(_ resolver: String) -> JSON {
        var words: [String: [JSON]] = [:]
        for line in resolver.split(separator: "\n") {
            let parts = line.split(separator: " ").map(String.init)
            if let key = parts.first { words[key, default: []] += parts.dropFirst().map(JSON.string) }
        }
        return [
            "servers": .array(words["nameserver"] ?? []), "searches": .array(words["search"] ?? []),
            "options": .array(words["options"] ?? []),
        ]
    }

    /// Bits a second, with the burst that kubelets ask for.
    /// (kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins)
    private static func bandwidth(_ pod: Pod) -> JSON {
        var result = JSON.null
        for (way, name) in [("ingress", "kubernetes.io/ingress-bandwidth"), ("egress", "kubernetes.io/egress-bandwidth")] {
            guard let text = pod.annotations[name], let rate = Quantity(text)?.nano, rate > 0 else { continue }
            result["\(way)Rate"] = .int(Int(clamping: rate / 1_000_000_000))
            result["\(way)Burst"] = .int(Int(Int32.max))
        }
        return result
    }
}

import API
import Model

/// The Node that a flanneld speaks for.
struct FlannelNode {
    let name: String
    private let client: HTTPClient
    private let prefix: String

    /// By NODE_NAME, else by the pod that POD_NAME and POD_NAMESPACE name.
    init(_ client: HTTPClient, _ call: ProgramCall, prefix: String) async throws {
        self.client = client
        self.prefix = prefix
        if let name = call.variable("NODE_NAME") {
            self.name = name
            return
        }
        guard let pod = call.variable("POD_NAME"), let namespace = call.variable("POD_NAMESPACE") else {
            throw FlannelConfiguration.Unusable("env variables POD_NAME and POD_NAMESPACE must be set")
        }
        let found: Pod
        do { found = try await client.get(Pod.self, ObjectKey(namespace, pod)) } catch {
            throw FlannelConfiguration.Unusable("error retrieving pod spec for '\(namespace)/\(pod)': \(error)")
        }
        guard let name = found.spec["nodeName"].string else {
            throw FlannelConfiguration.Unusable("node name not present in pod spec '\(namespace)/\(pod)'")
        }
        self.name = name
    }

    /// Takes the node's own ranges, and tells the others by its annotations.
    func lease(_ nodes: Reflector, _ configuration: FlannelConfiguration, _ uplink: FlannelUplink.Chosen, _ options: FlannelOptions)
        async throws -> FlannelLease
    {
        guard let node = nodes.get(ObjectKey("", name)).map({ Node($0) }) else {
            throw FlannelConfiguration.Unusable("failed to acquire lease: node \"\(name)\" not found")
        }
        let lease = try FlannelLease(node, configuration, addresses: uplink.addresses, prefix: prefix)
        var vni: Int?
        if case .vxlan(let number, _, _, _) = configuration.backend { vni = number }
        let wanted = lease.annotations(prefix: prefix, vni: vni)
        if wanted.contains(where: { node.metadata.annotations[$0.key] != $0.value }) {
            try await patch(["metadata": ["annotations": JSON(wanted)]])
        }
        return lease
    }

    /// Says in the Node that its network is there.
    func say() async throws {
        let now = JSON.string(Timestamp.now().description)
        try await patch([
            "status": [
                "conditions": [
                    [
                        "type": "NetworkUnavailable", "status": "False", "reason": "FlannelIsUp",
                        "message": "Flannel is running on this node", "lastTransitionTime": now, "lastHeartbeatTime": now,
                    ]
                ]
            ]
        ])
    }

    private func patch(_ patch: JSON) async throws {
        _ = try await client.json(
            "PATCH", Resource.nodes.path(namespace: nil, name: name) + "/status?fieldManager=\(Flanneld.name)", body: patch,
            contentType: "application/strategic-merge-patch+json")
    }
}

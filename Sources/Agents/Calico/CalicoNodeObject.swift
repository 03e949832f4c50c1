import API
import Model

/// The Node that a calico-node speaks for.
struct CalicoNodeObject {
    static let address = "projectcalico.org/IPv4Address", tunnel = "projectcalico.org/IPv4VXLANTunnelAddr"
    let name: String
    let client: HTTPClient

    func read() async throws -> Node {
        do { return try await client.get(Node.self, ObjectKey("", name)) } catch let error as StatusError where error.reason == .notFound {
            throw ProgramFailure("node \"\(name)\" not found: NODENAME is to be a Node's name")
        }
    }

    /// Tells the others where this node is.
    func annotate(_ annotations: [String: String], of node: Node) async throws {
        guard annotations.contains(where: { node.annotations[$0.key] != $0.value }) else { return }
        try await patch(["metadata": ["annotations": JSON(annotations)]])
    }

    /// Says in the Node that its network is there.
    func say() async throws {
        let now = JSON.string(Timestamp.now().description)
        try await patch([
            "status": [
                "conditions": [
                    [
                        "type": "NetworkUnavailable", "status": "False", "reason": "CalicoIsUp",
                        "message": "Calico is running on this node", "lastTransitionTime": now, "lastHeartbeatTime": now,
                    ]
                ]
            ]
        ])
    }

    private func patch(_ patch: JSON) async throws {
        _ = try await client.json(
            "PATCH", Resource.nodes.path(namespace: nil, name: name) + "/status?fieldManager=\(CalicoNode.name)", body: patch,
            contentType: "application/strategic-merge-patch+json")
    }
}

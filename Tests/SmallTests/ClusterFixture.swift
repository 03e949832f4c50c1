import API
import Model
import Store
import Testing

/// Documents and servers that several suites start from.
enum Fixture {
    /// The clock of every fixture; it stands still.
    static let time = Timestamp(seconds: 1_790_000_000)

    /// An API server in memory that holds the namespace `default`.
    static func api(history: History.Limits = .standard) async throws -> APIServer {
        let api = APIServer(store: try ObjectStore(history: history), cluster: Cluster(), now: { Fixture.time })
        _ = try await api.create(.namespaces, namespace("default"))
        return api
    }

    static func namespace(_ name: String) -> JSON {
        ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]]
    }

    static func configMap(_ name: String, _ data: [String: String] = [:]) -> JSON {
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name), "namespace": "default"], "data": JSON(data)]
    }

    static func pod(_ name: String, labels: [String: String] = [:], image: String = "httpd:2.4", node: String? = nil) -> JSON {
        [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": "default", "labels": JSON(labels)],
            "spec": ["nodeName": JSON(node), "containers": [["name": "main", "image": .string(image)]]],
        ]
    }

    static func deployment(_ name: String, replicas: Int? = nil, image: String = "httpd:2.4", labels: [String: String]? = nil) -> JSON {
        [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": .string(name), "namespace": "default"],
            "spec": [
                "replicas": JSON(replicas), "selector": ["matchLabels": ["app": .string(name)]],
                "template": [
                    "metadata": ["labels": JSON(labels ?? ["app": name])],
                    "spec": ["containers": [["name": "main", "image": .string(image)]]],
                ],
            ],
        ]
    }

    static func service(_ name: String, type: String? = nil, clusterIP: String? = nil, nodePort: Int? = nil, port: Int = 80) -> JSON {
        [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name), "namespace": "default"],
            "spec": [
                "type": JSON(type), "clusterIP": JSON(clusterIP), "selector": ["app": .string(name)],
                "ports": [["port": .int(port), "nodePort": JSON(nodePort)]],
            ],
        ]
    }

    static func networkPolicy(_ spec: JSON) -> JSON {
        [
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": ["name": "rules", "namespace": "default"],
            "spec": spec,
        ]
    }

    /// A node that is Ready.
    static func node(_ name: String, taints: JSON = .null) -> JSON {
        [
            "apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name)], "spec": ["taints": taints],
            "status": ["conditions": [["type": "Ready", "status": "True"]]],
        ]
    }

    static let controlPlaneTaint: JSON = [["key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"]]

    static func key(_ name: String) -> ObjectKey { ObjectKey("default", name) }
}

struct TookTooLong: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited too long until \(what)" }
}

/// Waits until `holds`, and no longer than `limit`, which is for what never happens: on a busy machine the suites take a minute together.
func eventually(_ what: String, within limit: Duration = .seconds(180), _ holds: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await holds() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw TookTooLong(what: what)
}

/// The next `count` elements of a stream, fewer if it ends; an error rather than a wait for ever.
func take<Element: Sendable>(_ count: Int, from stream: AsyncThrowingStream<Element, any Error>) async throws -> [Element] {
    try await withThrowingTaskGroup(of: [Element].self) { group in
        group.addTask {
            var elements: [Element] = []
            for try await element in stream {
                elements.append(element)
                if elements.count == count { break }
            }
            return elements
        }
        group.addTask {
            try await Task.sleep(for: .seconds(10))
            throw TookTooLong(what: "\(count) elements came")
        }
        let first = try await group.next()
        group.cancelAll()
        return first ?? []
    }
}

/// `value`, for a literal that is compared with a document.
func json(_ value: JSON) -> JSON { value }

extension JSON {
    var objectName: String { self["metadata"]["name"].string ?? "" }
    var objectRevision: String { self["metadata"]["resourceVersion"].string ?? "" }
}

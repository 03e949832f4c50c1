import API
import Model
import Synchronization

/// Runs probes in a cluster that only its API leads into: for a pod as a container more in that pod (`kubectl debug`), whose address and
/// policies are the pod's own, and for a node as a pod in that node's network.
struct GuestProbes {
    let client: HTTPClient
    let image: String
    let lab: String

    enum Source: Hashable {
        case pod(ObjectKey)
        case node(String)
    }

    private static let container = "minik-probe"
    /// A shell that ends at once when it is asked to.
    private static let waiting: JSON = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]
    private static let patience = Duration.seconds(90)

    /// What each source's script printed.
    func run(_ scripts: [Source: GuestScript]) async throws -> [Source: String] {
        try await withThrowingTaskGroup(of: (Source, String).self) { group in
            for (source, script) in scripts {
                group.addTask {
                    let (pod, container) = try await ready(source)
                    return (source, try await output(of: ["sh", "-c", script.text], in: pod, container))
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    // MARK: Who asks

    private func ready(_ source: Source) async throws -> (ObjectKey, String) {
        switch source {
        case .pod(let key):
            let pod = try await client.get(.pods, key)
            let used = pod["spec"]["ephemeralContainers"].items.compactMap { $0["name"].string }.filter { $0.hasPrefix(Self.container) }
            // One that has ended stays in the pod, and its name with it.
            if let name = used.last, Self.state(of: name, in: pod)["terminated"].isNull {
                try await awaitRunning(key, name)
                return (key, name)
            }
            let name = used.isEmpty ? Self.container : "\(Self.container)-\(used.count + 1)"
            try await add(name, to: key)
            try await awaitRunning(key, name)
            return (key, name)
        case .node(let name):
            let key = ObjectKey(GuestNames.namespace, "probe-\(name.prefix(50))")
            if try await client.find(.pods, key) == nil {
                do { _ = try await client.create(.pods, Self.pod(key, on: name, image)) } catch let error as StatusError
                    where error.reason == .alreadyExists
                {}
            }
            try await awaitRunning(key, Self.container)
            return (key, Self.container)
        }
    }

    private static func entry(_ name: String, _ image: String) -> JSON {
        [
            "name": .string(name), "image": .string(image), "imagePullPolicy": "IfNotPresent", "command": waiting,
            "securityContext": ["capabilities": ["add": ["NET_RAW"]], "runAsUser": 0, "runAsNonRoot": false],
        ]
    }

    private func add(_ name: String, to key: ObjectKey) async throws {
        let patch: JSON = ["spec": ["ephemeralContainers": [Self.entry(name, image)]]]
        do {
            _ = try await client.json(
                "PATCH", Resource.pods.path(namespace: key.namespace, name: key.name, subresource: "ephemeralcontainers"), body: patch,
                contentType: "application/strategic-merge-patch+json")
        } catch let error as StatusError {
            throw UserError(
                "no probe can be put into pod \(key): \(error.message)",
                hint: "it takes the right to patch pods/ephemeralcontainers, and Kubernetes 1.25 or later")
        }
    }

    private static func pod(_ key: ObjectKey, on node: String, _ image: String) -> JSON {
        [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(key.name), "namespace": .string(key.namespace)],
            "spec": [
                "nodeName": .string(node), "hostNetwork": true, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                "tolerations": [["operator": "Exists"]], "containers": [entry(container, image)],
            ],
        ]
    }

    private static func state(of container: String, in pod: JSON) -> JSON {
        let all = pod["status"]["ephemeralContainerStatuses"].items + pod["status"]["containerStatuses"].items
        return all.first { $0["name"].string == container }?["state"] ?? .null
    }

    private func awaitRunning(_ key: ObjectKey, _ container: String) async throws {
        let deadline = ContinuousClock.now + Self.patience
        var reason = "it has not begun"
        while ContinuousClock.now < deadline {
            let state = Self.state(of: container, in: try await client.get(.pods, key))
            if !state["running"].isNull { return }
            if let words = state["waiting"]["reason"].string {
                reason = [words, state["waiting"]["message"].string].compactMap(\.self).joined(separator: ": ")
            }
            if !state["terminated"].isNull { throw UserError("the probe in pod \(key) has ended: \(state["terminated"].text())") }
            if reason.hasPrefix("ErrImagePull") || reason.hasPrefix("ImagePullBackOff") || reason.hasPrefix("ErrImageNeverPull") {
                throw UserError("the probe in pod \(key) has no image: \(reason)", hint: "name one that the nodes can pull: --probe-image")
            }
            try await Task.sleep(for: .milliseconds(150))
        }
        throw UserError("the probe in pod \(key) does not run: \(reason)")
    }

    // MARK: Asking

    private func output(of command: [String], in pod: ObjectKey, _ container: String) async throws -> String {
        var query = command.map { "command=\(URL.encode($0))" }
        query += ["stdin=false", "stdout=true", "stderr=true", "tty=false", "container=\(container)"]
        let path = Resource.pods.path(namespace: pod.namespace, name: pod.name, subresource: "exec")
        let said = Mutex<[UInt8]>([]), problem = Mutex<String?>("the connection was lost")
        try await client.connect("\(path)?\(query.joined(separator: "&"))", input: StreamInputs()) { output in
            switch output {
            case .stdout(let bytes), .stderr(let bytes): said.withLock { $0 += bytes }
            case .exit: problem.withLock { $0 = nil }
            case .failure(let words): problem.withLock { $0 = words }
            }
        }
        if let words = problem.withLock({ $0 }) { throw UserError("the probe in pod \(pod) cannot be run: \(words)") }
        return String(decoding: said.withLock { $0 }, as: UTF8.self)
    }
}

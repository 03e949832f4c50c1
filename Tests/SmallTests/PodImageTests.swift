import Model
import Runtime
import Testing

@Suite("a pod's images: pulled, waited for, told of", .timeLimit(.minutes(2)))
struct PodImageTests {
    private static let app = "r.example/app:1"

    private func create(_ node: EmulatedNode, _ name: String, policy: String = "IfNotPresent", secrets: [String] = [], containers: Int = 1)
        async throws -> Pod
    {
        try await node.create(name) {
            $0["spec"]["containers"] = .array(
                (0..<containers).map { number in
                    ["name": .string("c\(number)"), "image": .string(Self.app), "imagePullPolicy": .string(policy)]
                })
            $0["spec"]["imagePullSecrets"] = .array(secrets.map { ["name": .string($0)] })
        }
    }

    private func waiting(_ node: EmulatedNode, _ name: String) async throws -> JSON {
        try await node.pod(name)?.status["containerStatuses"][0]["state"]["waiting"] ?? .null
    }

    private func messages(_ node: EmulatedNode, _ reason: String) async throws -> [String] {
        try await node.events(reason).compactMap { $0["message"].string }
    }

    @Test("an image that is not there is pulled, once; the next pod finds it; with Always its registry is asked again")
    func pulled() async throws {
        let node = try await EmulatedNode()
        node.registry.push(Self.app, size: 123)
        try await node.following {
            _ = try await create(node, "a")
            try await eventually("a runs") { try await node.isRunning("a") }
            #expect(try await messages(node, "Pulling") == ["Pulling image \"\(Self.app)\""])
            let words = "Successfully pulled image \"\(Self.app)\" in 0s (0s including waiting). Image size: 123 bytes."
            #expect(try await messages(node, "Pulled") == [words])
            #expect(try await node.pod("a")?.status["containerStatuses"][0]["imageID"].string == "r.example/app@sha256:2")
            _ = try await create(node, "b")
            try await eventually("b runs") { try await node.isRunning("b") }
            #expect(node.registry.calls.count == 1)
            #expect(
                try await messages(node, "Pulled").contains(
                    "Container image \"\(Self.app)\" already present on machine and can be accessed by the pod"))
            _ = try await create(node, "c", policy: "Always")
            try await eventually("c runs") { try await node.isRunning("c") }
            #expect(node.registry.calls.count == 2)
            try await node.passing(until: "the node tells it") {
                try await node.api.find(Node.self, ObjectKey("", "n1"))?.status["images"][0]["sizeBytes"].int == 123
            }
        }
    }

    @Test("one that cannot be had is ErrImagePull, then ImagePullBackOff, asked for after 10, 20 and 40 s, and runs when it is there")
    func backOff() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            _ = try await create(node, "a", containers: 2)
            try await eventually("it is told") { try await waiting(node, "a")["reason"].string == "ErrImagePull" }
            let reason = "failed to pull and unpack image \"\(Self.app)\": manifest unknown"
            #expect(try await waiting(node, "a")["message"].string == reason)
            #expect(try await messages(node, "Failed").contains("Failed to pull image \"\(Self.app)\": \(reason)"))
            try await node.passing(until: "it waits") { try await waiting(node, "a")["reason"].string == "ImagePullBackOff" }
            #expect(
                try await waiting(node, "a")["message"].string == "Back-off pulling image \"\(Self.app)\": ErrImagePull: \(reason)")
            #expect(try await messages(node, "BackOff").allSatisfy { $0 == "Back-off pulling image \"\(Self.app)\"" })
            #expect(Set(try await messages(node, "Failed")).isSuperset(of: ["Error: ErrImagePull", "Error: ImagePullBackOff"]))
            var pauses: [Int] = []
            for count in 2...4 {
                pauses.append(try await node.passing(until: "pull \(count)") { node.registry.calls.count == count })
            }
            #expect(zip(pauses, [10, 20, 40]).allSatisfy { (($1 - 4)...($1 + 8)).contains($0) }, "\(pauses)")
            node.registry.push(Self.app)
            try await node.passing(until: "it runs") { try await node.isRunning("a") }
            #expect(try await node.pod("a")?.status["containerStatuses"][0]["restartCount"].int == 0)
            #expect(node.registry.calls.count == 5, "two containers of one image wait together")
        }
    }

    @Test("a pod that goes while its image comes goes at once, and its pull ends; other pods do not wait")
    func cancelled() async throws {
        let node = try await EmulatedNode()
        node.registry.hold()
        try await node.following {
            let pod = try await create(node, "a")
            try await eventually("it pulls") { node.registry.running == 1 }
            #expect(try await waiting(node, "a")["reason"].string == "ContainerCreating")
            try await node.create("other")
            try await eventually("the other runs") { try await node.isRunning("other") }
            try await node.api.delete(.pods, pod.key)
            try await eventually("it is gone") { try await node.pod("a") == nil }
            try await eventually("the pull has ended") { node.registry.running == 0 && node.registry.cancelled == 1 }
        }
    }

    @Test("secrets of both types are tried; one that is missing is told; a pull that is slow counts what was waited")
    func secrets() async throws {
        let node = try await EmulatedNode()
        node.registry.push(Self.app, for: "two")
        func secret(_ name: String, _ type: String, _ key: String, _ value: JSON) -> JSON {
            [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(name), "namespace": "default"], "type": .string(type),
                "data": [key: .string(Base64.encode(value.bytes()))],
            ]
        }
        func entry(_ user: String) -> JSON { ["auth": .string(Base64.encode(Array("\(user):x".utf8)))] }
        _ = try await node.api.create(
            .secrets, secret("one", "kubernetes.io/dockerconfigjson", ".dockerconfigjson", ["auths": ["r.example": entry("one")]]))
        _ = try await node.api.create(.secrets, secret("two", "kubernetes.io/dockercfg", ".dockercfg", ["r.example": entry("two")]))
        try await node.following {
            _ = try await create(node, "a", secrets: ["none", "one", "two"])
            try await eventually("it runs") { try await node.isRunning("a") }
            #expect(node.registry.calls.map(\.user) == ["one", "two"])
            let words = "Unable to retrieve some image pull secrets (none); attempting to pull the image may not succeed."
            #expect(try await messages(node, "FailedToRetrieveImagePullSecret") == [words])
        }
    }

    @Test("a pod's new image is pulled in the place of the one that could not be had")
    func changed() async throws {
        let node = try await EmulatedNode()
        node.registry.push("r.example/app:2")
        try await node.following {
            let pod = try await create(node, "a")
            try await eventually("it is told") { try await waiting(node, "a")["reason"].string == "ErrImagePull" }
            let image: JSON = ["spec": ["containers": [["name": "c0", "image": "r.example/app:2"]]]]
            _ = try await node.api.patch(.pods, pod.key, image)
            try await eventually("it runs") { try await node.isRunning("a") }
        }
    }
}

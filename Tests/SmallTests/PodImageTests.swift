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

    private func ready(_ node: EmulatedNode, _ name: String) async throws -> Int {
        try await node.pod(name)?.status["containerStatuses"].items.count { $0["ready"].bool == true } ?? 0
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

    private func createWithVolume(_ node: EmulatedNode, _ name: String, policy: String = "IfNotPresent", mounts: Bool = true) async throws {
        _ = try await node.create(name) {
            $0["spec"]["volumes"] = [["name": "v", "image": ["reference": "r.example/data:1", "pullPolicy": .string(policy)]]]
            let mount: JSON = mounts ? [["name": "v", "mountPath": "/data", "subPath": "x"]] : .null
            $0["spec"]["containers"] = [
                ["name": "c0", "image": .string(Self.app), "imagePullPolicy": "IfNotPresent", "volumeMounts": mount],
                ["name": "c1", "image": .string(Self.app), "imagePullPolicy": "IfNotPresent"],
            ]
        }
    }

    @Test("the image of a volume is pulled before the container that mounts it is made, and shown to it where nobody writes")
    func volume() async throws {
        let node = try await EmulatedNode()
        for name in [Self.app, "r.example/data:1"] { node.registry.push(name) }
        try await node.following {
            try await createWithVolume(node, "a", policy: "Always")
            try await eventually("a runs") { try await ready(node, "a") == 2 }
            #expect(Set(node.registry.calls.map(\.image)) == ["r.example/data:1", Self.app] && node.registry.calls.count == 2)
            #expect(try await messages(node, "Pulling").contains("Pulling image \"r.example/data:1\""))
            #expect(
                try await node.events("Pulling").allSatisfy {
                    ($0["involvedObject"]["fieldPath"].string == nil) == $0["message"].string?.contains("data")
                })
            let uid = try #require(try await node.pod("a")).uid, specs = try #require(node.sandboxes.shim(uid)).specs
            let spec = try #require(specs.first { $0.name == "c0" }), other = try #require(specs.first { $0.name == "c1" })
            #expect(other.images == [] && spec.images.count == 1 && spec.images[0].lower.hasPrefix("/layer:"))
            let bind = try #require(spec.binds.first { $0.target == "/data" })
            #expect(bind.source == spec.images[0].target && bind.readOnly && bind.subPath == "x")
        }
    }

    @Test("a volume's image that cannot be had keeps the container that mounts it waiting, and no other")
    func absentVolume() async throws {
        let node = try await EmulatedNode()
        node.registry.push(Self.app)
        try await node.following {
            try await createWithVolume(node, "a")
            try await node.passing(until: "it waits") { try await waiting(node, "a")["reason"].string == "ImagePullBackOff" }
            let words = "failed to pull and unpack image \"r.example/data:1\": manifest unknown"
            #expect(try await waiting(node, "a")["message"].string == "Back-off pulling image \"r.example/data:1\": ErrImagePull: \(words)")
            #expect(try await messages(node, "Failed").contains("Failed to pull image \"r.example/data:1\": \(words)"))
            #expect(try await node.pod("a")?.status["containerStatuses"][1]["state"]["running"].isNull == false)
            node.registry.push("r.example/data:1")
            try await node.passing(until: "it runs") {
                try await ready(node, "a") == 2
            }
            try await createWithVolume(node, "b", policy: "Never", mounts: false)
            try await eventually("b runs") { try await node.isRunning("b") }
        }
    }

    @Test("a volume's image that is not to be looked for, or has no name, is said of the container that mounts it")
    func refusedVolume() async throws {
        let node = try await EmulatedNode()
        node.registry.push(Self.app)
        try await node.following {
            try await createWithVolume(node, "a", policy: "Never")
            try await eventually("it is told") { try await waiting(node, "a")["reason"].string == "ErrImageNeverPull" }
            #expect(
                try await waiting(node, "a")["message"].string
                    == "Container image \"r.example/data:1\" is not present with pull policy of Never")
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

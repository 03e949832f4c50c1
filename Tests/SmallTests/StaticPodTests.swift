import API
import Model
import Runtime
import Synchronization
import Testing

@Suite("pods that files on a node describe")
struct StaticPodTests {
    /// A node's folder that a test writes, and who follows it.
    private final class Folder: Sendable {
        let texts = Mutex<[String: String]>([:])
        let said = Mutex<[String]>([])
        let api: APIServer
        let source: StaticPodSource

        init() async throws {
            let api = try await Fixture.api()
            self.api = api
            let texts = Weak<Folder>()
            source = StaticPodSource(
                node: "n1", client: api, files: { texts.value?.texts.withLock { $0 } ?? [:] },
                read: { text, file in try Manifest.read(text, file: file).map(\.json) }, now: { Timestamp(seconds: 1_700_000_000) },
                report: { words in texts.value?.said.withLock { $0.append(words) } })
            texts.value = self
            _ = try await api.create(.nodes, ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "n1"]])
        }

        func write(_ file: String, _ text: String?) async throws {
            texts.withLock { $0[file] = text }
            try await source.look()
        }

        func pods() async throws -> [String] { try await api.list(Pod.self).map(\.name).sorted() }
    }

    private final class Weak<Value: AnyObject & Sendable>: Sendable {
        private let held = Mutex<Value?>(nil)
        var value: Value? {
            get { held.withLock { $0 } }
            set { held.withLock { $0 = newValue } }
        }
    }

    private static func web(_ image: String) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: web, labels: {app: web}}
        spec: {containers: [{name: web, image: \(image)}]}
        """
    }

    @Test("a file's pod bears its node's name, belongs to the Node, and has no token; it goes with its file")
    func life() async throws {
        let folder = try await Folder()
        try await folder.write("web.yaml", Self.web("httpd"))
        let pod = try #require(try await folder.api.find(Pod.self, ObjectKey("default", "web-n1")))
        #expect(pod.nodeName == "n1" && pod.annotations["kubernetes.io/config.source"] == "file")
        #expect(pod.annotations["kubernetes.io/config.hash"] == pod.annotations["kubernetes.io/config.mirror"])
        #expect(pod.json["metadata"]["ownerReferences"][0]["kind"].string == "Node" && pod.labels == ["app": "web"])
        #expect(pod.spec["tolerations"][0] == ["operator": "Exists", "effect": "NoExecute"])
        #expect(pod.spec["volumes"].items.isEmpty && pod.spec["serviceAccountName"].isNull)
        try await folder.source.look()
        #expect(try await folder.api.find(Pod.self, pod.key)?.uid == pod.uid, "it stays as long as the file is the same")
        try await folder.write("web.yaml", nil)
        #expect(try await folder.api.find(Pod.self, pod.key)?.isBeingDeleted ?? true)
    }

    @Test("a file that changes makes it anew once the old one is gone, and so does whoever deletes it")
    func change() async throws {
        let folder = try await Folder(), key = ObjectKey("default", "web-n1")
        try await folder.write("web.yaml", Self.web("httpd"))
        let first = try #require(try await folder.api.find(Pod.self, key))
        try await folder.write("web.yaml", Self.web("busybox"))
        #expect(try await folder.api.find(Pod.self, key)?.isBeingDeleted == true)
        try await folder.api.delete(.pods, key, gracePeriod: 0, uid: first.uid)
        try await folder.source.look()
        let second = try #require(try await folder.api.find(Pod.self, key))
        #expect(second.spec["containers"][0]["image"].string == "busybox")
        try await folder.api.delete(.pods, key, gracePeriod: 0, uid: second.uid)
        try await folder.source.look()
        #expect(try await folder.api.find(Pod.self, key).map { $0.uid != second.uid } == true)
    }

    @Test("whoever gives the mirror another image finds the file's there again")
    func otherImage() async throws {
        let folder = try await Folder(), key = ObjectKey("default", "web-n1")
        try await folder.write("web.yaml", Self.web("httpd"))
        var pod = try #require(try await folder.api.find(Pod.self, key)).json
        let first = pod["metadata"]["uid"].string
        pod["spec"]["containers"] = .array(
            pod["spec"]["containers"].items.map {
                var one = $0; one["image"] = "busybox"; return one
            })
        _ = try await folder.api.update(.pods, pod)
        try await folder.source.look()
        let marked = try #require(try await folder.api.find(Pod.self, key))
        #expect(marked.isBeingDeleted)
        try await folder.api.delete(.pods, key, gracePeriod: 0, uid: marked.uid)
        try await folder.source.look()
        let second = try #require(try await folder.api.find(Pod.self, key))
        #expect(second.uid != first && second.spec["containers"][0]["image"].string == "httpd")
        try await folder.source.look()
        #expect(try await folder.api.find(Pod.self, key)?.uid == second.uid)
    }

    @Test("what is no pod is told once, with its file; half a file changes nothing; hidden files are none")
    func broken() async throws {
        let folder = try await Folder()
        try await folder.write("web.yaml", Self.web("httpd"))
        try await folder.write("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name:")
        for _ in 0..<3 { try await folder.source.look() }
        #expect(try await folder.pods() == ["web-n1"])
        #expect(folder.said.withLock { $0.filter { $0.contains("/etc/kubernetes/manifests/web.yaml") }.count } == 1)
        try await folder.write("other.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n")
        #expect(folder.said.withLock { $0.contains { $0.contains("other.yaml must hold one v1 Pod") } })
        try await folder.write(".web.yaml.swp", Self.web("busybox"))
        #expect(try await folder.pods() == ["web-n1"])
    }

    @Test("of two files that name one pod the first has it, and the other is told")
    func twice() async throws {
        let folder = try await Folder(), key = ObjectKey("default", "web-n1")
        try await folder.write("web.yaml", Self.web("httpd"))
        let first = try #require(try await folder.api.find(Pod.self, key))
        try await folder.write("web.yaml.bak", Self.web("busybox"))
        for _ in 0..<3 { try await folder.source.look() }
        let still = try #require(try await folder.api.find(Pod.self, key))
        #expect(still.uid == first.uid && !still.isBeingDeleted)
        #expect(folder.said.withLock { $0.contains { $0.contains("web.yaml.bak is not used: web.yaml has a pod of that name") } })
    }

    @Test("another pod of that name is left alone, and so is a file's that names an account or a secret: both are said")
    func refused() async throws {
        let folder = try await Folder()
        _ = try await folder.api.create(.pods, Fixture.pod("web-n1"))
        try await folder.write("web.yaml", Self.web("httpd"))
        #expect(folder.said.withLock { $0.last?.contains("another pod of that name") } == true)
        try await folder.write(
            "two.yaml",
            Self.web("httpd").replacing("name: web,", with: "name: two,").replacing("spec: {", with: "spec: {serviceAccountName: x, "))
        #expect(folder.said.withLock { $0.contains { $0.contains("a mirror pod may not reference service accounts") } })
        #expect(try await folder.pods() == ["web-n1"])
    }
}

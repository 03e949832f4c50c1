import API
import Model
import Testing

@Suite("metrics.k8s.io: what pods and nodes use")
struct MetricsTests {
    private func ask(_ target: String) async throws -> (code: Int, body: JSON) {
        let api = try await Fixture.api()
        for name in ["n1", "n2"] { _ = try await api.create(.nodes, Fixture.node(name)) }
        _ = try await api.create(.pods, Fixture.pod("a", labels: ["app": "web"], node: "n1"))
        _ = try await api.create(.pods, Fixture.pod("b", node: "n1"))
        _ = try await api.create(.pods, Fixture.pod("c"))
        let used = NodeUsage(
            node: NodeUsage.Amount(cpu: 5_000_000, memory: 1025),
            pods: [ObjectKey("default", "a"): ["main": NodeUsage.Amount(cpu: 7, memory: 2048)]])
        let router = Router(api: api, nodes: ScriptedNodes(used: used), now: { Fixture.time })
        guard case .json(let body, let code) = await router.respond(HTTPRequest(method: "GET", target: target)) else { return (0, .null) }
        return (code, body)
    }

    private static let root = "/apis/metrics.k8s.io/v1beta1"

    @Test("nodes, whole or one of them, in kibibytes rounded up")
    func nodes() async throws {
        let list = try await ask("\(Self.root)/nodes").body
        #expect(list["kind"] == "NodeMetricsList")
        #expect(list["items"].items.map { $0["metadata"]["name"].string } == ["n1", "n2"])
        let one = try await ask("\(Self.root)/nodes/n2").body
        #expect(one["kind"] == "NodeMetrics" && one["usage"] == ["cpu": "5000000n", "memory": "2Ki"])
    }

    @Test("pods that run, container by container, as a selector chooses them")
    func pods() async throws {
        let list = try await ask("\(Self.root)/namespaces/default/pods").body
        #expect(list["items"].items.map { $0["metadata"]["name"].string } == ["a"], "of b nobody knows anything, and c is nowhere")
        #expect(list["items"][0]["containers"] == [["name": "main", "usage": ["cpu": "7n", "memory": "2Ki"]]])
        #expect(try await ask("\(Self.root)/pods?labelSelector=app=web").body["items"].items.count == 1)
        #expect(try await ask("\(Self.root)/pods?labelSelector=app=db").body["items"].items.isEmpty)
    }

    @Test("what is not there is named, and other paths are none")
    func absent() async throws {
        let missing = try await ask("\(Self.root)/namespaces/default/pods/nobody")
        #expect(missing.code == 404 && missing.body["message"] == "pods.metrics.k8s.io \"nobody\" not found")
        #expect(try await ask("\(Self.root)/services").code == 404)
    }
}

import API
import Controllers
import Model
import Testing

@Suite("What becomes of the pods of a node that is lost", .timeLimit(.minutes(2)))
struct TaintEvictionTests {
    private let api: APIServer
    private let clock = StandingClock()
    private let node = ObjectKey("", "n1")
    private let began: Timestamp

    init() async throws {
        began = clock.now
        api = try await Fixture.api()
        _ = try await api.create(.nodes, Fixture.node("n1"))
        for (name, seconds) in [("brief", 5), ("usual", 300)] as [(String, Int)] {
            var pod = Fixture.pod(name, node: "n1")
            pod["spec"]["tolerations"] = [
                ["key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": .int(seconds)]
            ]
            _ = try await api.create(.pods, pod)
        }
        var steady = Fixture.pod("steady", node: "n1")
        steady["spec"]["tolerations"] = [["operator": "Exists"]]
        _ = try await api.create(.pods, steady)
    }

    private var reconciler: TaintEviction {
        TaintEviction(now: { [clock] in clock.now })
    }

    private func taint(_ isLost: Bool) async throws {
        var node = try await api.get(.nodes, self.node)
        let taint: JSON = [
            "key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": .string(began.description),
        ]
        node["spec"]["taints"] = isLost ? [taint] : .null
        _ = try await api.update(.nodes, node)
    }

    private func leaving() async throws -> [String] { try await api.list(Pod.self).filter(\.isBeingDeleted).map(\.name).sorted() }

    @Test("each stays as long as it tolerates, and is marked and told of then; who tolerates without an end stays")
    func order() async throws {
        let reconciler = reconciler
        try await taint(true)
        try await reconciler.reconcile(node, api)
        #expect(try await leaving().isEmpty)
        #expect(try await reconciler.nextVisit(node, api) == .seconds(5))
        clock.pass(5)
        try await reconciler.reconcile(node, api)
        #expect(try await leaving() == ["brief"])
        let condition = try await api.get(Pod.self, Fixture.key("brief")).status["conditions"].items.first {
            $0["type"] == "DisruptionTarget"
        }
        #expect(condition?["reason"] == "DeletionByTaintManager" && condition?["status"] == "True")
        #expect(condition?["message"] == "Taint manager: deleting due to NoExecute taint")
        #expect(try await reconciler.nextVisit(node, api) == .seconds(295))
        clock.pass(295)
        try await reconciler.reconcile(node, api)
        #expect(try await leaving() == ["brief", "usual"])
        #expect(try await reconciler.nextVisit(node, api) == nil)
        let events = try await api.list(.events, namespace: nil, selector: nil).items.filter { $0["reason"] == "TaintManagerEviction" }
        #expect(
            Set(events.compactMap { $0["message"].string }) == [
                "Marking for deletion Pod default/brief", "Marking for deletion Pod default/usual",
            ])
    }

    @Test("a node that comes back in time keeps its pods, and that is told of those whose time ran")
    func cancelled() async throws {
        let reconciler = reconciler
        try await taint(true)
        try await reconciler.reconcile(node, api)
        try await taint(false)
        for _ in 0..<2 { try await reconciler.reconcile(node, api) }
        clock.pass(1000)
        try await reconciler.reconcile(node, api)
        #expect(try await leaving().isEmpty)
        let events = try await api.list(.events, namespace: nil, selector: nil).items.filter { $0["reason"] == "TaintManagerEviction" }
        #expect(
            Set(events.compactMap { $0["message"].string }) == [
                "Cancelling deletion of Pod default/brief", "Cancelling deletion of Pod default/usual",
            ])
        #expect(events.allSatisfy { $0["count"] == 1 })
    }

    @Test(
        "where most of a zone's nodes are lost nobody is driven out; where all of all zones are, taints go, too",
        arguments: [
            (["a": [true, false]], true, true), (["a": [true, false, false]], true, true),
            (["a": [true, true, false, false, false]], false, true), (["a": [true, true, true, false, false, false]], true, true),
            (["a": [false, false]], false, false), (["a": [false, false], "b": [true]], true, true),
            (["a": [false], "b": [false, false]], false, false),
        ])
    func disruption(_ zones: [String: [Bool]], _ begins: Bool, _ goesOn: Bool) {
        let nodes = zones.flatMap { zone, nodes in
            nodes.map { isReady in
                Node([
                    "metadata": ["labels": [Node.zoneLabel: .string(zone)]],
                    "status": ["conditions": [["type": "Ready", "status": isReady ? "True" : "Unknown"]]],
                ])
            }
        }
        let eviction = ZoneState.eviction(of: "a", among: nodes)
        #expect(eviction == ZoneState.Eviction(begins: begins, goesOn: goesOn))
    }
}

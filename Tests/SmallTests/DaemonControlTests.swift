import API
import Controllers
import Model
import Testing

/// A DaemonSet called `agent` on two nodes and its controller; the tests play the kubelet.
private struct DaemonBench {
    let api: APIServer
    let clock = StandingClock()
    private let reconciler: DaemonSetReconciler
    private let key = Fixture.key("agent")

    init(_ strategy: JSON = ["type": "RollingUpdate"]) async throws {
        api = try await Fixture.api()
        reconciler = DaemonSetReconciler(now: { [clock] in clock.now })
        for name in ["node1", "node2"] { _ = try await api.create(.nodes, Fixture.node(name)) }
        _ = try await api.create(
            .daemonSets,
            [
                "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": ["name": "agent", "namespace": "default"],
                "spec": [
                    "selector": ["matchLabels": ["app": "agent"]], "updateStrategy": strategy,
                    "template": ["metadata": ["labels": ["app": "agent"]], "spec": ["containers": [["name": "c", "image": "busybox"]]]],
                ],
            ])
        try await look()
        try await report { _ in true }
    }

    func look() async throws { try await reconciler.reconcile(key, api) }
    func pods() async throws -> [Pod] { try await api.list(Pod.self).filter { !$0.isBeingDeleted } }
    func images() async throws -> [String] { try await pods().flatMap(\.containers).map(\.image).sorted() }

    /// The pods of the images that `isReady` names become ready, and the controller looks.
    func report(_ isReady: (String) -> Bool) async throws {
        for pod in try await pods() {
            let ready = isReady(pod.containers.first?.image ?? "")
            try await api.mutateStatus(Pod.self, pod.key) { $0.status["conditions"].setCondition("Ready", ready, now: Fixture.time) }
        }
        try await look()
    }

    func update(image: String) async throws {
        _ = try await api.patch(
            .daemonSets, key, ["spec": ["template": ["spec": ["containers": [["name": "c", "image": .string(image)]]]]]])
        try await look()
    }
}

@Suite("Controllers: a DaemonSet and its pods")
struct DaemonControl {
    @Test(
        "a pod that failed or ended is replaced, and an Event tells",
        arguments: [("Failed", "FailedDaemonPod"), ("Succeeded", "SucceededDaemonPod")])
    func ended(_ phase: String, _ reason: String) async throws {
        let bench = try await DaemonBench()
        let pod = try #require(try await bench.pods().first)
        try await bench.api.mutateStatus(Pod.self, pod.key) { $0.status["phase"] = .string(phase) }
        try await bench.look()
        try await bench.look()
        let names = try await bench.pods().map(\.name)
        #expect(names.count == 2 && !names.contains(pod.name))
        let events = try await bench.api.list(.events, namespace: "default", selector: nil).items
        #expect(
            events.contains { $0["reason"].string == reason && $0["message"].string?.contains("default/\(pod.name) on node node") == true })
    }

    @Test("a node whose pods fail again and again gets them ever more slowly")
    func backoff() async throws {
        let bench = try await DaemonBench()
        func fail() async throws {
            for pod in try await bench.pods() where pod.isActive {
                try await bench.api.mutateStatus(Pod.self, pod.key) { $0.status["phase"] = "Failed" }
            }
            for _ in 0..<3 { try await bench.look() }
        }
        try await fail()
        #expect(try await bench.pods().allSatisfy(\.isActive), "the first time at once")
        for wait in [1, 2, 4] {
            try await fail()
            bench.clock.pass(wait - 1)
            for _ in 0..<3 { try await bench.look() }
            #expect(try await bench.pods().map(\.isActive) == [false, false])
            bench.clock.pass(1)
            for _ in 0..<3 { try await bench.look() }
            #expect(try await bench.pods().map(\.isActive) == [true, true])
        }
    }

    @Test("how many may be missing, and revisions, may be the largest numbers", arguments: ["maxUnavailable", "maxSurge"])
    func largest(_ field: String) async throws {
        var rolling: JSON = ["maxUnavailable": 0, "maxSurge": 0]
        rolling[field] = .int(Int(Int32.max))
        let bench = try await DaemonBench(["type": "RollingUpdate", "rollingUpdate": rolling])
        var revision = try #require(try await bench.api.list(.controllerRevisions, namespace: "default", selector: nil).items.first)
        revision["metadata"]["name"] = "largest"
        revision["metadata"]["uid"] = .null
        revision["metadata"]["resourceVersion"] = .null
        revision["data"] = ["spec": "another"]
        revision["revision"] = .int(.max)
        _ = try await bench.api.create(.controllerRevisions, revision)
        try await bench.look()
        #expect(try await bench.pods().count == 2)
        #expect(
            try await bench.api.list(.controllerRevisions, namespace: "default", selector: nil).items.compactMap { $0["revision"].int } == [
                .max, .max,
            ])
    }

    @Test("a roll-out replaces as many pods as may be missing, and goes on when they are ready")
    func rolling() async throws {
        let bench = try await DaemonBench()
        try await bench.update(image: "busybox:2")
        #expect(try await bench.images() == ["busybox"], "one is gone, the other stays")
        try await bench.look()
        try await bench.look()
        #expect(try await bench.images() == ["busybox", "busybox:2"])
        try await bench.report { _ in true }
        try await bench.look()
        #expect(try await bench.images() == ["busybox:2", "busybox:2"])
    }

    @Test("what is not ready costs a roll-out nothing")
    func broken() async throws {
        let bench = try await DaemonBench()
        try await bench.report { _ in false }
        try await bench.update(image: "busybox:2")
        try await bench.look()
        #expect(try await bench.images() == ["busybox:2", "busybox:2"])
    }

    @Test("a surge makes the new pod first, on so many nodes at a time, and the old one goes when the new is ready")
    func surging() async throws {
        let bench = try await DaemonBench(["type": "RollingUpdate", "rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0]])
        try await bench.update(image: "busybox:2")
        for _ in 0..<3 { try await bench.look() }
        #expect(try await bench.images() == ["busybox", "busybox", "busybox:2"])
        try await bench.report { _ in true }
        for _ in 0..<3 { try await bench.look() }
        #expect(try await bench.images() == ["busybox", "busybox:2", "busybox:2"])
        try await bench.report { _ in true }
        try await bench.look()
        #expect(try await bench.images() == ["busybox:2", "busybox:2"])
    }

    @Test("with OnDelete only a pod that somebody deletes is replaced by a new one")
    func onDelete() async throws {
        let bench = try await DaemonBench(["type": "OnDelete"])
        try await bench.update(image: "busybox:2")
        try await bench.look()
        #expect(try await bench.images() == ["busybox", "busybox"])
        try await bench.api.delete(.pods, try #require(try await bench.pods().first).key)
        try await bench.look()
        #expect(try await bench.images() == ["busybox", "busybox:2"])
    }
}

import API
import Controllers
import Model
import Testing

@Suite("Nodes that are silent or gone", .timeLimit(.minutes(5)))
struct NodeLifecycles {
    private let api: APIServer
    private let clock = ManualClock()

    init() async throws {
        api = try await Fixture.api()
        _ = try await api.create(.namespaces, Fixture.namespace("kube-node-lease"))
        for name in ["n1", "n2"] { _ = try await api.create(.nodes, Fixture.node(name)) }
        _ = try await api.create(.pods, Fixture.pod("a", node: "n1"))
        try await api.mutateStatus(Pod.self, Fixture.key("a")) { pod in
            pod.status["phase"] = "Running"
            pod.status["conditions"].setCondition("Ready", true, now: Fixture.time)
        }
    }

    private func controlling(_ reconciler: any Reconciler, _ body: () async throws -> Void) async throws {
        let controller = Controller(reconciler, client: api, clock: clock, report: { _ in })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            try await eventually("it waits") { clock.sleepers > 0 }
            try await body()
            group.cancelAll()
        }
    }

    /// Lets time pass, a second after the other, each with some of the machine's.
    private func pass(_ seconds: Int) async throws {
        for _ in 0..<seconds {
            clock.pass(.seconds(1))
            try await Task.sleep(for: .milliseconds(4))
        }
    }

    private func beat(_ node: String, _ time: Int) async throws {
        let lease: JSON = [
            "metadata": ["name": .string(node), "namespace": "kube-node-lease"], "spec": ["holderIdentity": .string("\(node)-\(time)")],
        ]
        if try await api.find(.leases, ObjectKey("kube-node-lease", node)) == nil {
            _ = try await api.create(.leases, lease)
        } else {
            _ = try await api.update(.leases, lease)
        }
    }

    private func node(_ name: String) async throws -> Node { try await api.get(Node.self, ObjectKey("", name)) }

    @Test("what presses on a node, and that it is cordoned, are taints for as long as they last; those that people set stay")
    func conditions() async throws {
        try await controlling(NodeLifecycle(now: { Fixture.time })) {
            let key = ObjectKey("", "n2"), own: JSON = ["key": "own", "effect": "NoSchedule"]
            _ = try await api.patch(.nodes, key, ["spec": ["unschedulable": true, "taints": [own]]])
            try await api.mutateStatus(Node.self, key) { node in
                for type in ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"] {
                    node.status["conditions"].setCondition(type, true, now: Fixture.time)
                }
            }
            let names = ["disk-pressure", "memory-pressure", "network-unavailable", "pid-pressure", "unschedulable"]
            try await eventually("it is tainted") {
                Set(try await node("n2").taints.compactMap { $0["key"].string }) == Set(names.map { "node.kubernetes.io/\($0)" } + ["own"])
            }
            #expect(try await node("n2").taints.allSatisfy { $0["effect"] == "NoSchedule" })
            _ = try await api.patch(.nodes, key, ["spec": ["unschedulable": false]])
            try await api.mutateStatus(Node.self, key) { node in
                for type in ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"] {
                    node.status["conditions"].setCondition(type, false, now: Fixture.time)
                }
            }
            try await eventually("only its own taint stays") { try await node("n2").taints == [own] }
        }
    }

    @Test(
        "a node without a sign of life for forty seconds is Unknown and tainted, its pods are not ready, and it is well again when it says so"
    )
    func silence() async throws {
        let start = clock.now
        let reconciler = NodeLifecycle(now: { Fixture.time }, elapsed: { [clock] in start.duration(to: clock.now) })
        try await controlling(reconciler) {
            for time in 0..<7 {
                try await beat("n1", time)
                try await beat("n2", time)
                try await pass(10)
            }
            #expect(try await node("n1").isReady, "who gives signs of life is well")
            for time in 7..<10 {
                try await beat("n2", time)
                try await pass(9)
            }
            #expect(try await node("n1").isReady, "37 seconds are no 40")
            try await beat("n2", 10)
            try await pass(12)
            try await eventually("it is unreachable") { try await node("n1").taints.count == 2 }
            let silent = try await node("n1")
            for type in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
                #expect(silent.status["conditions"].condition(type) == "Unknown")
            }
            let ready = silent.status["conditions"].items.first { $0["type"] == "Ready" }
            #expect(ready?["reason"] == "NodeStatusUnknown" && ready?["message"] == "Kubelet stopped posting node status.")
            #expect(silent.taints.map { $0["key"] } == ["node.kubernetes.io/unreachable", "node.kubernetes.io/unreachable"])
            #expect(silent.taints.map { $0["effect"] } == ["NoSchedule", "NoExecute"])
            try await eventually("its pod is not ready") { try await !api.get(Pod.self, Fixture.key("a")).isReady }
            #expect(try await node("n2").isReady)
            #expect(try await node("n2").taints.isEmpty)
            try await beat("n1", 11)
            try await api.mutateStatus(Node.self, ObjectKey("", "n1")) {
                $0.status["conditions"].setCondition("Ready", true, now: Fixture.time)
            }
            try await eventually("its taints are gone") { try await node("n1").taints.isEmpty }
        }
    }

    @Test("a visit reads its node once, and again only after it was given up")
    func reads() async throws {
        let client = TroubledClient(api), time = clock.now, key = ObjectKey("", "n1")
        let reconciler = NodeLifecycle(now: { Fixture.time }, elapsed: { [clock] in time.duration(to: clock.now) })
        try await reconciler.reconcile(key, client)
        #expect(try await reconciler.nextVisit(key, client) != nil)
        #expect(client.gets == 1)
        clock.pass(NodeLifecycle.grace)
        try await reconciler.reconcile(key, client)
        #expect(try await node("n1").taints.count == 2, "what it was given up for is seen at once")
        try await api.delete(.nodes, key)
        try await reconciler.reconcile(key, client)
        #expect(try await reconciler.nextVisit(key, client) == nil, "one that is gone is not visited")
    }

    @Test("the pods of a node that has been gone for forty seconds go, and those of one that came back stay")
    func missing() async throws {
        _ = try await api.create(.pods, Fixture.pod("b", node: "n2"))
        let start = clock.now
        let reconciler = PodGarbageCollector(now: { Fixture.time }, elapsed: { [clock] in start.duration(to: clock.now) })
        for name in ["n1", "n2"] { try await api.delete(.nodes, ObjectKey("", name)) }
        try await controlling(reconciler) {
            try await pass(30)
            _ = try await api.create(.nodes, Fixture.node("n2"))
            #expect(try await api.list(Pod.self).count == 2)
            try await pass(15)
            try await eventually("the pod is gone") { try await api.list(Pod.self).map(\.name) == ["b"] }
            try await pass(60)
            #expect(try await api.list(Pod.self).map(\.name) == ["b"])
        }
    }
}

import API
import Controllers
import Model
import Testing

@Suite("Preemption: a pod of higher priority finds a place", .timeLimit(.minutes(5)))
struct PreemptionTests {
    private static func pod(
        _ name: String, _ priority: Int, on node: String? = nil, cpu: String? = nil, port: Int? = nil, policy: String? = nil
    ) -> JSON {
        var pod = Fixture.pod(name, node: node)
        pod["spec"]["priorityClassName"] = .string("p\(priority)\(policy == nil ? "" : "-never")")
        pod["spec"]["terminationGracePeriodSeconds"] = 0
        if let cpu { pod["spec"]["containers"] = [["name": "main", "image": "i", "resources": ["requests": ["cpu": .string(cpu)]]]] }
        if let port {
            pod["spec"]["containers"] = [["name": "main", "image": "i", "ports": [["containerPort": 80, "hostPort": .int(port)]]]]
        }
        return pod
    }

    /// Nodes of two processors, with what is placed there already, and a scheduler.
    private func run(_ nodes: [String], placed: [JSON], _ body: (APIServer) async throws -> Void) async throws {
        let api = try await Fixture.api()
        for name in nodes {
            var node = Fixture.node(name)
            node["status"]["allocatable"] = ["cpu": "2", "memory": "1Gi", "pods": "100"]
            _ = try await api.create(.nodes, node)
        }
        for (value, policy) in [(0, nil), (10, nil), (1000, nil), (1000, "Never")] as [(Int, String?)] {
            let object: JSON = [
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": ["name": .string("p\(value)\(policy == nil ? "" : "-never")")],
                "value": .int(value), "preemptionPolicy": JSON(policy),
            ]
            _ = try await api.create(.priorityClasses, object)
        }
        for pod in placed { _ = try await api.create(.pods, pod) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Controller(Scheduler(), client: api, report: { _ in }).run() }
            defer { group.cancelAll() }
            try await body(api)
        }
    }

    private func message(_ api: APIServer, _ name: String) async throws -> String {
        try await api.get(Pod.self, Fixture.key(name)).status["conditions"].items.first { $0["type"].string == "PodScheduled" }?["message"]
            .string ?? ""
    }

    private func events(_ api: APIServer, _ reason: String) async throws -> [(about: String, message: String)] {
        try await api.list(.events, namespace: "default", selector: nil).items.filter { $0["reason"].string == reason }
            .map { ($0["involvedObject"]["name"].string ?? "", $0["message"].string ?? "") }
    }

    @Test("takes the place of as few as it can, of the lowest priority, and says so to whom it takes it from")
    func displaces() async throws {
        let placed = [
            Self.pod("low", 0, on: "a", cpu: "1"), Self.pod("small", 0, on: "a", cpu: "200m"),
            Self.pod("middle", 10, on: "b", cpu: "1500m"),
        ]
        try await run(["a", "b"], placed: placed) { api in
            _ = try await api.create(.pods, Self.pod("high", 1000, cpu: "1500m"))
            try await eventually("it has a node") { try await api.get(Pod.self, Fixture.key("high")).nodeName != nil }
            let high = try await api.get(Pod.self, Fixture.key("high"))
            #expect(high.nodeName == "a", "whom it displaces there is of lower priority")
            #expect(high.status["nominatedNodeName"].isNull)
            #expect(try await api.list(Pod.self).map(\.name).sorted() == ["high", "middle", "small"], "the small one may stay")
            let told = try await events(api, "Preempted")
            #expect(told.map(\.about) == ["low"])
            #expect(told.map(\.message) == ["Preempted by pod \(high.uid) on node a"])
            let failed = try await events(api, "FailedScheduling").map(\.message)
            #expect(failed == ["0/2 nodes are available: 2 Insufficient cpu."])
        }
    }

    @Test("displaces nobody of its own priority, nor where it would not help, nor if its class does not let it, and says why")
    func refused() async throws {
        let placed = [Self.pod("one", 1000, on: "a", port: 80), Self.pod("two", 0, on: "b", port: 80)]
        try await run(["a", "b"], placed: placed) { api in
            let ports = "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports."
            let cases: [(JSON, String)] = [
                (
                    Self.pod("never", 1000, port: 80, policy: "Never"),
                    "\(ports) no new claims to deallocate, preemption: not eligible due to "
                        + "preemptionPolicy=Never."
                ),
                (
                    Self.pod("equal", 0, port: 80),
                    "\(ports) no new claims to deallocate, preemption: 0/2 nodes are available: "
                        + "2 No preemption victims found for incoming pod."
                ),
                (
                    Self.pod("huge", 1000, cpu: "3"),
                    "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: "
                        + "0/2 nodes are available: 2 Preemption is not helpful for scheduling."
                ),
            ]
            for (pod, words) in cases {
                _ = try await api.create(.pods, pod)
                let name = Pod(pod).name
                try await eventually("\(name) is told") { try await !message(api, name).isEmpty }
                #expect(try await message(api, name) == words)
            }
            #expect(try await api.list(Pod.self).count == 5)
        }
    }

    @Test("keeps the place that it made: who comes meanwhile, and is less important, does not get it")
    func nomination() async throws {
        var slow = Self.pod("slow", 0, on: "a", cpu: "2")
        slow["spec"]["terminationGracePeriodSeconds"] = 30
        try await run(["a"], placed: [slow]) { api in
            _ = try await api.create(.pods, Self.pod("high", 1000, cpu: "2"))
            try await eventually("the old one is told to go") { try await api.get(Pod.self, Fixture.key("slow")).isBeingDeleted }
            #expect(try await api.get(Pod.self, Fixture.key("high")).status["nominatedNodeName"].string == "a")
            #expect(try await api.get(Pod.self, Fixture.key("high")).nodeName == nil, "it is not gone yet")
            _ = try await api.create(.pods, Self.pod("late", 10, cpu: "1"))
            try await eventually("the late one is told") { try await !message(api, "late").isEmpty }
            try await api.delete(.pods, Fixture.key("slow"), gracePeriod: 0, uid: nil)
            try await eventually("it has the node") { try await api.get(Pod.self, Fixture.key("high")).nodeName == "a" }
            #expect(try await api.get(Pod.self, Fixture.key("late")).nodeName == nil)
            let condition = try await api.list(Pod.self).first { $0.name == "slow" }
            #expect(condition == nil)
        }
    }

    @Test("a pod whose scheduling is gated says so, and is placed when it is let")
    func gated() async throws {
        try await run(["a"], placed: []) { api in
            var pod = Self.pod("gated", 0)
            pod["spec"]["schedulingGates"] = [["name": "example.com/wait"]]
            let made = try await api.create(.pods, pod)
            let condition = made["status"]["conditions"].items.first
            #expect(condition?["reason"].string == "SchedulingGated")
            #expect(condition?["message"].string == "Scheduling is blocked due to non-empty scheduling gates")
            _ = try await api.patch(.pods, Fixture.key("gated"), ["spec": ["schedulingGates": .array([])]])
            try await eventually("it has a node") { try await api.get(Pod.self, Fixture.key("gated")).nodeName == "a" }
        }
    }
}

import API
import Model
import Runtime
import Synchronization
import Testing

/// A pod's runner that does nothing but note what it is told, until its pod is gone.
private final class IdleRunner: PodRunner {
    private let heard = Mutex<[Pod]>([])
    private let (stream, end) = AsyncStream.makeStream(of: Void.self)

    /// The grace of the deletion it was told of last; nil: of none.
    var grace: Int? { heard.withLock { $0.last.flatMap { $0.isBeingDeleted ? $0.terminationGracePeriod : nil } } }
    func changed(_ pod: Pod) {
        heard.withLock { $0.append(pod) }
        if grace == 0 { end.finish() }
    }
    func configurationChanged(_ key: ObjectKey, isSecret: Bool) async {}
    func run() async { for await _ in stream {} }
}

@Suite("A node's agent and its pods", .timeLimit(.minutes(5)))
struct NodeAgents {
    private let api: APIServer, client: TroubledClient
    private let clock = ManualClock()

    init() async throws {
        api = try await Fixture.api()
        client = TroubledClient(api)
        _ = try await api.create(.nodes, Fixture.node("n1"))
        _ = try await api.create(.namespaces, ["metadata": ["name": "kube-node-lease"]])
    }

    @Test("a pod that was removed while the agent did not watch is wound up at once, and one that came is run")
    func gap() async throws {
        let runners = Mutex<[String: IdleRunner]>([:])
        let workers = PodWorkers(node: "n1") { pod in
            let runner = IdleRunner()
            runners.withLock { $0[pod.name] = runner }
            return runner
        }
        func runner(_ name: String) -> IdleRunner? { runners.withLock { $0[name] } }
        for name in ["kept", "removed"] { _ = try await api.create(.pods, Fixture.pod(name, node: "n1")) }
        _ = try await api.create(.pods, Fixture.pod("foreign", node: "n2"))
        let pods = Reflector(.pods, client: client, clock: clock) { _ in }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await workers.run(pods) }
            try await eventually("both pods are run") { runner("kept") != nil && runner("removed") != nil && pods.isFollowing }
            client.expireWatches(StatusError(500, .internalError, "no more"))
            try await eventually("it waits") { clock.sleepers == 1 }
            try await api.delete(.pods, Fixture.key("removed"), gracePeriod: 0, uid: nil)
            _ = try await api.create(.pods, Fixture.pod("new", node: "n1"))
            clock.pass(.seconds(1))
            try await eventually("the removed pod is told to end at once") { runner("removed")?.grace == 0 }
            try await eventually("the new pod is run") { runner("new") != nil }
            #expect(runner("kept")?.grace == nil)
            #expect(runner("foreign") == nil)
            group.cancelAll()
            // Runners end with their pods; these are left to themselves.
            for name in ["kept", "new"] {
                runner(name)?.changed(Pod(["metadata": ["deletionTimestamp": "x", "deletionGracePeriodSeconds": 0]]))
            }
        }
    }

    private static func spec() throws -> Cluster.NodeSpec {
        Cluster.NodeSpec(
            name: "n1", isControlPlane: false, address: try #require(IPAddress("192.0.2.1")),
            podCIDR: try #require(IPNetwork("198.51.100.0/24")), taints: [], labels: [:])
    }

    @Test("a node that does not hear of its pods gives no sign of life until it does, and is Ready then")
    func deafness() async throws {
        let pods = Reflector(.pods, client: client, clock: clock) { _ in }
        let reports = Mutex<[String]>([])
        let start = StandingClock()
        let heartbeat = NodeHeartbeat(
            node: try Self.spec(), client: api, clock: clock, now: { start.now }, report: { word in reports.withLock { $0.append(word) } }
        ) {
            pods.isFollowing ? nil : "it is deaf"
        }
        func renewed() async throws -> String? {
            try await api.store.get(.leases, ObjectKey("kube-node-lease", "n1"))?["spec"]["renewTime"].string
        }
        func pass(_ seconds: Int) async throws {
            for _ in 0..<seconds {
                start.pass(1)
                clock.pass(.seconds(1))
                try await Task.sleep(for: .milliseconds(2))
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pods.run() }
            group.addTask { try await heartbeat.run() }
            try await eventually("there is a lease") {
                try await pass(1)
                return try await renewed() != nil
            }
            let first = try await renewed()
            try await eventually("it is renewed") {
                try await pass(1)
                return try await renewed() != first
            }
            client.refuseLists(1_000_000)
            client.expireWatches()
            try await pass(15)
            let last = try await renewed()
            try await pass(60)
            #expect(try await renewed() == last, "a deaf node is silent")
            #expect(reports.withLock { $0 } == ["no heartbeat: it is deaf"])
            try await api.mutateStatus(Node.self, ObjectKey("", "n1")) { node in
                node.status["conditions"] = [["type": "Ready", "status": "Unknown"], ["type": "NetworkUnavailable", "status": "False"]]
            }
            client.refuseLists(0)
            try await eventually("it is renewed again") {
                try await pass(1)
                return try await renewed() != last
            }
            try await eventually("the node is Ready again") { try await api.get(Node.self, ObjectKey("", "n1")).isReady }
            #expect(try await api.get(Node.self, ObjectKey("", "n1")).status["conditions"].condition("NetworkUnavailable") == "False")
            try await api.mutateStatus(Node.self, ObjectKey("", "n1")) {
                $0.status["addresses"] = [["type": "InternalIP", "address": "192.0.2.9"]]
            }
            try await eventually("it is where it was, whatever others write") {
                try await pass(1)
                return try await api.get(Node.self, ObjectKey("", "n1")).status["addresses"][0]["address"] == "192.0.2.1"
            }
            group.cancelAll()
        }
    }
}

import API
import Controllers
import Model
import PolicyCases
import Testing

@Suite("A change that concerns one object asks after that object", .timeLimit(.minutes(5)))
struct ConcernedObjects {
    private let api: APIServer, client: CountingClient

    init() async throws {
        api = try await Fixture.api()
        client = CountingClient(api)
    }

    /// Runs what follows the API beside `body`.
    private func following(_ reconciler: some Reconciler, _ body: (Informers) async throws -> Void) async throws {
        let informers = Informers(client: client) { _ in }
        let controller = Controller(reconciler, informers: informers, report: { _ in })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            group.addTask { try await informers.run() }
            try await informers.synced(reconciler.sources.map(\.resource))
            try await body(informers)
            group.cancelAll()
        }
    }

    private func createService(_ name: String, _ selector: [String: String]) async throws {
        var service = Fixture.service(name)
        service["spec"]["selector"] = JSON(selector)
        _ = try await api.create(.services, service)
    }

    private func setPod(_ name: String, _ address: String, isReady: Bool) async throws {
        var pod = try await api.get(.pods, Fixture.key(name))
        pod["status"] = [
            "phase": "Running", "podIP": .string(address),
            "conditions": [["type": "Ready", "status": .string(isReady ? "True" : "False")]],
        ]
        _ = try await api.updateStatus(.pods, pod)
    }

    @Test("a pod's labels lead to the Services that select it, as a look at all of them does")
    func servicesOfLabels() async throws {
        var random = SplitMix64(seed: 7)
        for number in 0..<200 {
            var selector: [String: String] = [:]
            for key in ["a", "b", "c"] where Bool.random(using: &random) { selector[key] = Bool.random(using: &random) ? "x" : "y" }
            try await createService("s\(number)", selector)
        }
        try await following(EndpointsReconciler()) { informers in
            let all = informers.list(Service.self)
            #expect(all.count == 200)
            for labels in [["a": "x"], ["a": "x", "b": "y"], ["b": "x", "c": "y", "d": "z"], ["a": "y", "b": "y", "c": "y"], [:]] {
                let selecting = all.filter { $0.selector?.matches(labels) ?? false }.map(\.key).sorted()
                #expect(informers.services(in: "default", selecting: labels).map(\.key).sorted() == selecting)
                #expect(informers.services(in: "other", selecting: labels).isEmpty)
            }
        }
    }

    @Test("a pod's readiness: its own Service is read and written, no other, and nothing is listed or written twice")
    func readiness() async throws {
        for number in 0..<100 {
            try await createService("s\(number)", ["app": "a\(number)"])
            _ = try await api.create(.pods, Fixture.pod("p\(number)", labels: ["app": "a\(number)"], node: "n1"))
            try await setPod("p\(number)", "10.244.1.\(number + 2)", isReady: true)
        }
        try await following(EndpointsReconciler()) { informers in
            for kind in [Resource.endpointSlices, .endpoints] {
                try await eventually("all have \(kind), and they are known") {
                    let items = try await api.list(kind, namespace: nil, selector: nil).items
                    return items.count == 100 && items.allSatisfy { informers[kind]?.get($0.metadata.key) == $0 }
                }
            }
            // Who comes last in the queue is served when all others have been.
            try await createService("last", ["app": "none"])
            try await eventually("the queue is empty") { try await api.find(.endpoints, Fixture.key("last")) != nil }
            try await eventually("nothing is done any more") {
                client.forget()
                try await Task.sleep(for: .milliseconds(100))
                return client.calls.isEmpty
            }
            try await setPod("p7", "10.244.1.9", isReady: false)
            try await eventually("it is told") {
                try await api.get(.endpoints, Fixture.key("s7"))["subsets"][0]["notReadyAddresses"].items.count == 1
            }
            let writes = client.calls.filter { $0.verb != "get" }.map { "\($0.verb) \($0.resource)" }
            #expect(writes.sorted() == ["update endpoints", "update endpointslices.discovery.k8s.io"])
            let others = client.calls.filter { $0.name != "s7" && !$0.name.hasPrefix("s7-") && !$0.name.hasPrefix("last") }
            #expect(others.map { "\($0.verb) \($0.resource) \($0.name)" } == [])
        }
    }

    @Test("what the endpoints' controller has written itself leads to no other look")
    func ownWrites() async throws {
        _ = try await api.create(.pods, Fixture.pod("p", labels: ["app": "a"], node: "n1"))
        try await setPod("p", "10.244.1.2", isReady: true)
        try await following(EndpointsReconciler()) { _ in
            for number in 0..<50 {
                try await createService("s\(number)", ["app": "a"])
                try await eventually("it has endpoints") { try await api.find(.endpoints, Fixture.key("s\(number)")) != nil }
            }
            try await eventually("nothing is done any more") {
                let count = client.calls.count
                try await Task.sleep(for: .milliseconds(100))
                return client.calls.count == count
            }
            let looks = client.calls.count { $0.verb == "get" && $0.resource == .services }
            // Now and then the news of a write comes before its answer.
            #expect(looks >= 50 && looks < 75)
            // What somebody else writes leads to one.
            client.forget()
            var endpoints = try await api.get(.endpoints, Fixture.key("s7"))
            endpoints["subsets"] = .null
            _ = try await api.update(.endpoints, endpoints)
            try await eventually("it is mended") { try await !api.get(.endpoints, Fixture.key("s7"))["subsets"].items.isEmpty }
        }
    }
}

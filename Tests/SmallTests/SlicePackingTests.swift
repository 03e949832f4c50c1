import API
import Controllers
import Model
import Testing

/// By what upstream's reconciler_test.go is about: how many slices a change of pods writes.
@Suite("endpoints lie in slices as upstream lays them: a change touches as few as can be")
struct SlicePackingTests {
    private static let service: JSON = [
        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "web", "namespace": "default"],
        "spec": ["selector": ["app": "web"], "ports": [["port": 80, "name": "http"]]],
    ]

    private func pod(_ number: Int, label: String = "web") -> JSON {
        [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string("web-\(number)"), "namespace": "default", "labels": ["app": .string(label)]],
            "spec": ["nodeName": "n1", "containers": [["name": "c", "image": "busybox"]]],
        ]
    }

    private func start(_ numbers: Range<Int>, _ api: APIServer) async throws {
        for number in numbers {
            var pod = try await api.create(.pods, pod(number))
            let address = JSON.string("10.244.\(number / 200).\(number % 200 + 2)")
            pod["status"] = [
                "phase": "Running", "podIP": address, "podIPs": [["ip": address]], "conditions": [["type": "Ready", "status": "True"]],
            ]
            _ = try await api.updateStatus(.pods, pod)
        }
    }

    /// A pod stops being selected, as one that is gone.
    private func stop(_ numbers: some Sequence<Int>, _ api: APIServer) async throws {
        for number in numbers {
            var pod = try await api.get(.pods, Fixture.key("web-\(number)"))
            pod["metadata"]["labels"] = ["app": "other"]
            _ = try await api.update(.pods, pod)
        }
    }

    /// Reconciles, and tells how many endpoints each slice has, and which slices were not there before or are others than they were.
    private func reconciled(_ api: APIServer, after old: [EndpointSlice] = []) async throws -> (
        slices: [EndpointSlice], counts: [Int], written: Int, kept: Int
    ) {
        try await EndpointsReconciler().reconcile(Fixture.key("web"), api)
        let slices = try await api.list(EndpointSlice.self, namespace: "default")
        let versions = Dictionary(old.map { ($0.name, $0.metadata.resourceVersion) }, uniquingKeysWith: { $1 })
        let counts = slices.map(\.endpoints.count).sorted(by: >)
        return (
            slices, counts, slices.count { versions[$0.name] != $0.metadata.resourceVersion }, slices.count { versions[$0.name] != nil }
        )
    }

    @Test("what comes goes into the slice that has room for all of it; what goes leaves the others as they are")
    func fill() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.services, Self.service)
        try await start(0..<150, api)
        let first = try await reconciled(api)
        #expect(first.counts == [100, 50])
        try await start(150..<160, api)
        let second = try await reconciled(api, after: first.slices)
        #expect(second.counts == [100, 60] && second.written == 1)
        // Of the full one: nothing moves from the other to it.
        let full = try #require(second.slices.first { $0.endpoints.count == 100 })
        let gone = full.endpoints.prefix(30).compactMap { $0["targetRef"]["name"].string?.dropFirst(4) }.compactMap { Int($0) }
        try await stop(gone, api)
        let third = try await reconciled(api, after: second.slices)
        #expect(third.counts == [70, 60] && third.written == 1 && third.kept == 2)
        // One goes and others come: the slice that is written anyhow takes them.
        let left = try #require(third.slices.first { $0.endpoints.count == 60 }).endpoints.first?["targetRef"]["name"].string
        try await stop([try #require(left.flatMap { Int($0.dropFirst(4)) })], api)
        try await start(160..<180, api)
        let fourth = try await reconciled(api, after: third.slices)
        #expect(fourth.counts == [79, 70] && fourth.written == 1)
        // More than fits into any: a new one, and the others are left alone.
        try await start(180..<220, api)
        let fifth = try await reconciled(api, after: fourth.slices)
        #expect(fifth.counts == [79, 70, 40] && fifth.written == 1)
    }

    @Test("without an endpoint the last slice stays, empty; another port list takes it over; labels follow the Service's")
    func reuse() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.services, Self.service)
        try await start(0..<3, api)
        let first = try await reconciled(api)
        try await stop(0..<3, api)
        let empty = try await reconciled(api, after: first.slices)
        #expect(empty.counts == [0] && empty.kept == 1)
        #expect(try await reconciled(api, after: empty.slices).written == 0)
        try await start(3..<5, api)
        let again = try await reconciled(api, after: empty.slices)
        #expect(again.counts == [2] && again.kept == 1)
        var service = try await api.get(.services, Fixture.key("web"))
        service["spec"]["ports"] = [["port": 80, "name": "http", "targetPort": 8080]]
        service["metadata"]["labels"] = ["team": "blue"]
        _ = try await api.update(.services, service)
        let other = try await reconciled(api, after: again.slices)
        #expect(other.counts == [2] && other.kept == 1)
        #expect(other.slices[0].labels["team"] == "blue" && other.slices[0].json["ports"][0]["port"] == 8080)
    }
}

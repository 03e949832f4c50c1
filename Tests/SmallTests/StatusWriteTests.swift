import API
import Model
import Testing

/// What who reports on an object may say, and what becomes of the rest.
@Suite("statuses")
struct StatusWriteTests {
    private func refusal(_ call: () async throws -> Void) async throws -> StatusError {
        do { try await call() } catch let error as StatusError { return error }
        throw TookTooLong(what: "a refusal came")
    }

    /// The fields that are complained of when `status` is reported of `object`.
    private func complaints(_ resource: Resource, _ object: JSON, _ status: JSON) async throws -> [String] {
        let api = try await Fixture.api()
        var made = try await api.create(resource, object)
        made["status"] = status
        return try await refusal { _ = try await api.updateStatus(resource, made) }.causes.map(\.field)
    }

    @Test("no address that is none, and one of each family")
    func addresses() async throws {
        #expect(try await complaints(.pods, Fixture.pod("a"), ["podIP": "x", "podIPs": [["ip": "x"]]]) == ["status.podIPs[0]"])
        #expect(try await complaints(.pods, Fixture.pod("a"), ["podIPs": [["ip": "10.0.0.1"], ["ip": "10.0.0.2"]]]) == ["status.podIPs"])
        #expect(try await complaints(.pods, Fixture.pod("a"), ["nominatedNodeName": "Bad_"]) == ["status.nominatedNodeName"])
        let balanced = Fixture.service("a", type: "LoadBalancer")
        #expect(
            try await complaints(.services, balanced, ["loadBalancer": ["ingress": [["ip": "x"], ["hostname": "1.2.3.4"]]]])
                == ["status.loadBalancer.ingress[0].ip", "status.loadBalancer.ingress[1].hostname"])
        #expect(
            try await complaints(.services, Fixture.service("a"), ["loadBalancer": ["ingress": [["ip": "192.0.2.1"]]]]) == [
                "status.loadBalancer.ingress"
            ])
    }

    @Test("a pod's quality of service stays, and what has ended for good does not run again")
    func pods() async throws {
        #expect(try await complaints(.pods, Fixture.pod("a"), ["qosClass": "Guaranteed"]) == ["status.qosClass"])
        let api = try await Fixture.api()
        var pod = Fixture.pod("b")
        pod["spec"]["restartPolicy"] = "Never"
        pod = try await api.create(.pods, pod)
        pod["status"] = ["containerStatuses": [["name": "main", "state": ["terminated": ["exitCode": 1]]]]]
        pod = try await api.updateStatus(.pods, pod)
        #expect(pod["status"]["qosClass"] == "BestEffort")
        pod["status"]["containerStatuses"] = [["name": "main", "state": ["running": [:]]]]
        #expect(
            try await refusal { _ = try await api.updateStatus(.pods, pod) }.causes.map(\.field) == ["status.containerStatuses[0].state"])
    }

    @Test("counts are not negative, and parts are no more than the whole")
    func counts() async throws {
        #expect(
            try await complaints(.deployments, Fixture.deployment("a"), ["replicas": 1, "readyReplicas": 2, "availableReplicas": 3])
                == ["status.readyReplicas", "status.availableReplicas", "status.availableReplicas"])
        #expect(
            try await complaints(.namespaces, Fixture.namespace("n"), ["phase": "Terminating"]) == ["status.Phase"])
        #expect(
            try await complaints(
                .nodes, Fixture.node("n"),
                ["capacity": ["cpu": "-4"], "addresses": [["type": "Hostname", "address": "a"], ["type": "Hostname", "address": "a"]]])
                == ["status.capacity.cpu", "status.addresses[1]"])
    }

    @Test("the cluster's own parts make no object with a status, either")
    func creation() async throws {
        let api = try await Fixture.api()
        var pod = Fixture.pod("a")
        pod["status"] = ["podIP": "10.244.0.9", "phase": "Running"]
        let made = try await api.create(.pods, pod)
        #expect(made["status"]["podIP"].isNull && made["status"]["phase"] == "Pending")
    }

    @Test("what a write does not take from its writer is not looked at")
    func ignored() async throws {
        let api = try await Fixture.api()
        let pods = try #require(Registry.kind(of: .pods))
        var pod = try await api.create(.pods, Fixture.pod("a"))
        pod["status"]["phase"] = "Sleeping"
        pod["metadata"]["labels"]["a"] = "b"
        let written = try await api.update(pods, pod, subresource: nil, WriteOptions()).object
        #expect(written["status"]["phase"] == "Pending" && written["metadata"]["labels"]["a"] == "b")
    }
}

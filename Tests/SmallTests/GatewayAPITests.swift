import API
import Model
import Testing

@Suite("Gateways: what they may say")
struct GatewayAPITests {
    private func gateway(_ listeners: JSON) -> JSON {
        [
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": ["name": "gw", "namespace": "default"],
            "spec": ["gatewayClassName": "minik", "listeners": listeners],
        ]
    }

    private func route(_ parents: JSON, _ backends: JSON) -> JSON {
        [
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute", "metadata": ["name": "r", "namespace": "default"],
            "spec": ["parentRefs": parents, "rules": [["backendRefs": backends]]],
        ]
    }

    private func complaint(_ resource: Resource, _ object: JSON) async throws -> String {
        let api = try await Fixture.api()
        do { _ = try await api.create(resource, object) } catch let error as StatusError { return error.message }
        return "no complaint"
    }

    @Test(
        "bad listeners are told in upstream's words",
        arguments: [
            ([], "spec.listeners in body should have at least 1 items"),
            ([["name": "a", "port": 0, "protocol": "TCP"]], "spec.listeners[0].port in body should be greater than or equal to 1"),
            (
                [["name": "a", "port": 1, "protocol": "TCP", "hostname": "x.example"]],
                "hostname must not be specified for protocols ['TCP', 'UDP']"
            ),
            (
                [["name": "a", "port": 1, "protocol": "UDP", "tls": .emptyObject]],
                "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"
            ),
            (
                [["name": "a", "port": 1, "protocol": "TCP"], ["name": "b", "port": 1, "protocol": "TCP"]],
                "Combination of port, protocol and hostname must be unique for each listener"
            ),
        ] as [(JSON, String)])
    func badListeners(_ listeners: JSON, _ words: String) async throws {
        let message = try await complaint(.gateways, gateway(listeners))
        #expect(message.contains(words), "\(message)")
    }

    @Test("a route needs a port for a Service, and distinct parents")
    func badRoutes() async throws {
        let portless = try await complaint(.tcpRoutes, route([["name": "gw"]], [["name": "a"]]))
        #expect(portless.contains("Must have port for Service reference"), "\(portless)")
        let twice = try await complaint(.tcpRoutes, route([["name": "gw"], ["name": "gw"]], [["name": "a", "port": 80]]))
        #expect(twice.contains("must be specified when parentRefs includes 2 or more references to the same parent"), "\(twice)")
        let heavy = try await complaint(.tcpRoutes, route([["name": "gw"]], [["name": "a", "port": 80, "weight": 1_000_001]]))
        #expect(heavy.contains("should be less than or equal to 1000000"), "\(heavy)")
    }

    @Test("defaults are upstream's")
    func defaults() async throws {
        let api = try await Fixture.api()
        let made = try await api.create(.gateways, gateway([["name": "a", "port": 1, "protocol": "TCP"]]))
        #expect(made["spec"]["listeners"][0]["allowedRoutes"] == json(["namespaces": ["from": "Same"]]))
        #expect(made["status"]["conditions"].items.compactMap { $0["reason"].string } == ["Pending", "Pending"])
        let routed = try await api.create(.tcpRoutes, route([["name": "gw"]], [["name": "a", "port": 80]]))
        #expect(routed["spec"]["rules"][0]["backendRefs"][0]["weight"].int == 1)
        #expect(routed["spec"]["parentRefs"][0]["kind"].string == "Gateway")
    }
}

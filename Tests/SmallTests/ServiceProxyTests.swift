import API
import Model
import Proxy
import Rules
import Testing

/// Connections that a test makes up.
actor MemoryConnections: ConnectionTracking {
    private(set) var all: Set<TrackedConnection> = []
    private var refusals = 0

    func add(
        from source: String, to destination: String, _ port: UInt16, proto: TransportProtocol = .udp, answeredBy endpoint: String? = nil
    ) throws {
        let from = try #require(IPAddress(source)), to = try #require(IPAddress(destination))
        let sent = Packet(from: from, to: to, proto: proto.number, port: port)
        var packet = sent
        if let endpoint { packet.destination = try #require(IPAddress(endpoint)) }
        all.insert(
            TrackedConnection(packet: packet, sent: sent, tuple: Array("\(source) \(destination) \(port) \(proto) \(endpoint ?? "")".utf8)))
    }

    func refuse(_ count: Int) { refusals = count }
    func connections() async throws -> [TrackedConnection] {
        if refusals > 0 {
            refusals -= 1
            throw StatusError.badRequest("the table changed while it was told")
        }
        return Array(all)
    }
    func forget(_ connections: [TrackedConnection]) async throws { all.subtract(connections) }
    /// Who answers each connection that is left.
    var answering: [String] { all.map { "\($0.packet.destination)" }.sorted() }
}

/// A node's kube-proxy over a memory store.
struct ProxiedNode {
    static let view = NodeView(
        name: "n1", address: IPAddress(ipv4: 0xC0A8_C80B), clusterCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16),
        serviceCIDR: IPNetwork(IPAddress(ipv4: 0x0A01_0000), 16),
        podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0100), 24))

    let api: APIServer
    let client: TroubledClient
    let target = UnwillingTable(), clock = ManualClock(), reports = Reports(), connections = MemoryConnections()

    init() async throws {
        api = try await Fixture.api()
        client = TroubledClient(api)
    }

    func service(_ name: String, _ ip: String, proto: String = "UDP", port: Int = 53, nodePort: Int? = nil) async throws {
        _ = try await api.create(
            .services,
            [
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name), "namespace": "default"],
                "spec": [
                    "type": nodePort == nil ? "ClusterIP" : "NodePort", "clusterIP": .string(ip),
                    "ports": [["port": .int(port), "protocol": .string(proto), "nodePort": JSON(nodePort)]],
                ],
            ])
    }

    static func slice(_ service: String, _ addresses: [String], proto: String = "UDP", port: Int = 53) -> JSON {
        [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": [
                "name": .string("\(service)-1"), "namespace": "default", "labels": ["kubernetes.io/service-name": .string(service)],
            ],
            "endpoints": .array(addresses.map { ["addresses": [.string($0)], "conditions": ["ready": true], "nodeName": "n1"] }),
            "ports": [["name": "", "port": .int(port), "protocol": .string(proto)]],
        ]
    }

    /// The addresses that the kernel's table leads to.
    var endpoints: Set<String> {
        get async {
            let rules = await target.memory.rules
            let elements = (rules.elements["service-endpoints"] ?? [:]).values.compactMap { $0.data?.first?.description }
            let statements = rules.chains.values.flatMap(\.rules).flatMap(\.statements)
            return Set(elements + statements.compactMap { if case .destinationNAT(_, let address, _) = $0 { "\(address)" } else { nil } })
        }
    }

    /// Runs `body` while the node's kube-proxy follows, once it is in step.
    func following(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let proxy = ServiceProxy(
            node: Self.view, client: client, target: target, connections: connections, clock: clock,
            report: { [reports] in reports.add($0) })
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run { isReady.finish() } }
            for await _ in ready {}
            try await body()
            group.cancelAll()
        }
    }
}

@Suite("kube-proxy's loop")
struct ServiceProxyTests {
    @Test("Services and slices that come, change and go reach the kernel")
    func follows() async throws {
        let node = try await ProxiedNode()
        try await node.service("a", "10.1.0.20")
        _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.2"]))
        try await node.following {
            #expect(await node.endpoints == ["10.244.1.2"])
            _ = try await node.api.update(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.3", "10.244.1.4"]))
            try await eventually("the endpoints are others") { await node.endpoints == ["10.244.1.3", "10.244.1.4"] }
            try await node.api.delete(.services, Fixture.key("a"))
            try await eventually("the Service is gone") { await node.endpoints.isEmpty }
        }
        #expect(node.reports.all == [])
    }

    @Test("a watch that expires is begun again once, and what went meanwhile is gone")
    func expired() async throws {
        let node = try await ProxiedNode()
        for number in 2...3 {
            try await node.service("s\(number)", "10.1.0.\(number)")
            _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("s\(number)", ["10.244.1.\(number)"]))
        }
        try await node.following {
            try await eventually("it watches") { node.client.watches == 3 }
            node.client.expireWatches()
            try await eventually("it waits") { node.clock.sleepers == 3 }
            try await node.api.delete(.services, Fixture.key("s2"))
            try await node.api.delete(.endpointSlices, Fixture.key("s2-1"))
            #expect(await node.endpoints == ["10.244.1.2", "10.244.1.3"])
            node.clock.pass(.seconds(1))
            try await eventually("the gap's deletion is made up for") { await node.endpoints == ["10.244.1.3"] }
            try await eventually("it watches again") { node.client.watches == 3 }
            // Each kind was listed twice: nothing runs hot.
            #expect(node.client.lists == 6)
            _ = try await node.api.update(.endpointSlices, ProxiedNode.slice("s3", ["10.244.1.9"]))
            try await eventually("it follows as before") { await node.endpoints == ["10.244.1.9"] }
            #expect(node.client.lists == 6)
        }
    }

    @Test("lists that fail at the start leave the table as it was, and are asked for again")
    func listFails() async throws {
        let node = try await ProxiedNode()
        try await node.service("a", "10.1.0.20")
        _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.2"]))
        // What an earlier daemon left.
        try await node.following {}
        let before = await node.target.applied.count
        node.client.refuseLists(4)
        async let following: Void = node.following { #expect(await node.endpoints == ["10.244.1.2"]) }
        for _ in 0..<2 {
            try await eventually("it waits") { node.clock.sleepers > 0 }
            #expect(await node.target.applied.count == before)
            node.clock.pass(.seconds(1))
        }
        try await eventually("it waits, or is done") { node.clock.sleepers > 0 || node.client.lists >= 9 }
        node.clock.pass(.seconds(1))
        try await following
        #expect(await node.target.applied.count == before)
        #expect(node.reports.all.contains { $0.contains("following services: try again later") })
    }

    @Test("a kernel that refuses is asked again by the clock")
    func refused() async throws {
        let node = try await ProxiedNode()
        try await node.following {
            await node.target.refuse(3)
            try await node.service("a", "10.1.0.20")
            _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.2"]))
            for _ in 0..<2 {
                try await eventually("it waits, or is done") {
                    if await node.endpoints == ["10.244.1.2"] { return true }
                    return node.clock.sleepers == 1
                }
                node.clock.pass(.seconds(2))
            }
            try await eventually("the endpoint is there") { await node.endpoints == ["10.244.1.2"] }
        }
    }
}

@Suite("UDP connections to Services")
struct StaleConnectionTests {
    @Test("end with their endpoint, with the Service, and when the Service comes; others are left alone")
    func stale() async throws {
        let node = try await ProxiedNode()
        let service = "10.1.0.20", nodeAddress = "192.168.200.11"
        try await node.service("a", service, nodePort: 30053)
        _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.2", "10.244.1.3"]))
        let connections = node.connections
        for endpoint in ["10.244.1.2", "10.244.1.3"] {
            try await connections.add(from: "10.244.1.9", to: service, 53, answeredBy: endpoint)
            try await connections.add(from: "192.168.200.99", to: nodeAddress, 30053, answeredBy: endpoint)
        }
        let others = ["192.168.200.12", "192.168.200.11", "10.244.1.9", service]
        try await connections.add(from: "10.244.1.9", to: others[0], 30053)  // another node's port
        try await connections.add(from: "10.244.1.9", to: others[1], 5353)  // the node's own
        try await connections.add(from: "10.244.1.8", to: others[2], 53)  // a pod's own
        try await connections.add(from: "10.244.1.9", to: others[3], 80, proto: .tcp)
        try await node.following {
            await connections.refuse(1)
            _ = try await node.api.update(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.3"]))
            try await eventually("the list that failed is asked for again") { node.clock.sleepers == 1 }
            node.clock.pass(.seconds(1))
            let left = others + ["10.244.1.3", "10.244.1.3"]
            try await eventually("the endpoint's connections are gone") { await connections.answering == left.sorted() }
            _ = try await node.api.update(.endpointSlices, ProxiedNode.slice("a", []))
            try await eventually("none is left without endpoints") { await connections.answering == others.sorted() }
            // From a time before the Service: sent to nobody, and to an address that was the Service's before.
            try await connections.add(from: "10.244.1.9", to: "10.1.0.21", 53)
            try await connections.add(from: "10.244.1.9", to: nodeAddress, 30054)
            try await node.service("b", "10.1.0.21", nodePort: 30054)
            _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("b", ["10.244.1.2"]))
            try await eventually("those of before are gone") { await connections.answering == others.sorted() }
            try await connections.add(from: "10.244.1.9", to: "10.1.0.21", 53, answeredBy: "10.244.1.2")
            try await connections.add(from: "10.244.1.9", to: nodeAddress, 30054, answeredBy: "10.244.1.2")
            try await node.api.delete(.services, Fixture.key("b"))
            try await eventually("nothing after the deletion") { await connections.answering == others.sorted() }
        }
    }

    @Test("end with an endpoint that ended slowly, though no rule changes when it has gone")
    func endingEndpoint() async throws {
        let node = try await ProxiedNode()
        try await node.service("a", "10.1.0.20")
        _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.2", "10.244.1.3"]))
        try await node.connections.add(from: "10.244.1.9", to: "10.1.0.20", 53, answeredBy: "10.244.1.2")
        try await node.following {
            var slice = ProxiedNode.slice("a", ["10.244.1.3"])
            let ending: JSON = [
                "addresses": ["10.244.1.2"], "conditions": ["ready": false, "serving": true, "terminating": true], "nodeName": "n1",
            ]
            slice["endpoints"] = .array(slice["endpoints"].items + [ending])
            _ = try await node.api.update(.endpointSlices, slice)
            try await eventually("it is in no rule") { await node.endpoints == ["10.244.1.3"] }
            #expect(await node.connections.answering == ["10.244.1.2"], "and goes on serving those it has")
            _ = try await node.api.update(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.3"]))
            try await eventually("they are gone with it") { await node.connections.all.isEmpty }
        }
    }

    @Test("a daemon that comes back ends what went stale meanwhile")
    func atStart() async throws {
        let node = try await ProxiedNode()
        try await node.service("a", "10.1.0.20")
        _ = try await node.api.create(.endpointSlices, ProxiedNode.slice("a", ["10.244.1.3"]))
        try await node.connections.add(from: "10.244.1.9", to: "10.1.0.20", 53, answeredBy: "10.244.1.2")
        try await node.connections.add(from: "10.244.1.9", to: "10.1.0.99", 53, answeredBy: "10.244.1.2")
        try await node.following { try await eventually("they are gone") { await node.connections.all.isEmpty } }
    }
}

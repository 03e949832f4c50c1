import API
import Controllers
import Model
import Testing

@Suite("hints for zones that topology-mode: Auto asks for")
struct ZoneHintsTests {
    private func node(_ name: String, _ zone: String?, cpu: String = "2") -> JSON {
        var node = Fixture.node(name)
        if let zone { node["metadata"]["labels"] = [Node.zoneLabel: .string(zone)] }
        node["status"]["allocatable"] = ["cpu": .string(cpu)]
        return node
    }

    private func shares(_ zones: [(String, String)]) -> ZoneShares {
        ZoneShares(zones.enumerated().map { Node(node("n\($0)", $1.0, cpu: $1.1)) })
    }

    private func endpoints(_ zones: String?..., ready: Bool = true) -> [JSON] {
        zones.map { ["addresses": ["10.244.1.2"], "conditions": ["ready": .bool(ready)], "zone": JSON($0)] }
    }

    private func hints(_ slices: [ZoneHints.Slice]) -> [String] {
        slices.flatMap(\.endpoints).map { $0["hints"]["forZones"].items.compactMap { $0["name"].string }.joined(separator: "+") }
    }

    @Test("zones that have the same share keep their own endpoints")
    func even() throws {
        let slices = try ZoneHints.assign([.init(endpoints("a", "b", "a", "b"))], shares([("a", "2"), ("b", "2")]))
        #expect(hints(slices) == ["a", "b", "a", "b"])
    }

    @Test("a zone with more of the processors borrows endpoints of the others, as many as make up its part; who is not ready has no hint")
    func uneven() throws {
        let slices = try ZoneHints.assign(
            [.init(endpoints("a", "b", "a", "b") + endpoints("a", ready: false))], shares([("a", "1"), ("b", "3")]))
        #expect(hints(slices) == ["b", "b", "a", "b", ""])
        let third = try ZoneHints.assign([.init(endpoints("a", "a", "a"))], shares([("a", "2"), ("b", "2"), ("c", "2")]))
        #expect(hints(third).sorted() == ["a", "b", "c"])
    }

    @Test("a slice that stands keeps its hints while no zone gets too many by them")
    func standing() throws {
        let equal = shares([("a", "2"), ("b", "2")])
        let plain = endpoints("a", "b", "a", "b", "a", "b", "a", "b", "a", "b")
        let first = try ZoneHints.assign([.init(plain)], equal)
        // Of ten, five each are wanted and six at the most allowed.
        let slightly = shares([("a", "9"), ("b", "11")])
        #expect(try ZoneHints.assign([.init(plain, current: first[0].endpoints)], slightly)[0].endpoints == first[0].endpoints)
        let much = try ZoneHints.assign([.init(plain, current: first[0].endpoints)], shares([("a", "1"), ("b", "3")]))
        #expect(hints(much).count { $0 == "a" } == 3)
    }

    @Test(
        "where hints would overload somebody, or too little is known, there are none, and upstream's words for it",
        arguments: [
            (1, ["a", "b"], "Insufficient number of endpoints (1 endpoints, 2 zones)"),
            (
                4, ["a", "b", "c"],
                "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (4 endpoints, 3 zones)"
            ),
            (4, ["a"], "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"),
            (4, ["a", "b", ""], "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"),
        ])
    func refusals(_ count: Int, _ zones: [String], _ words: String) {
        let slice = ZoneHints.Slice((0..<count).flatMap { _ in endpoints("a") })
        #expect(throws: ZoneHints.Refusal(message: words)) { try ZoneHints.assign([slice], shares(zones.map { ($0, "2") })) }
    }

    @Test("an endpoint without a zone leaves all without hints; control planes and nodes that are not ready do not count")
    func unknown() throws {
        let equal = shares([("a", "2"), ("b", "2")])
        #expect(throws: ZoneHints.Refusal(message: "One or more endpoints do not have a zone specified")) {
            try ZoneHints.assign([.init(endpoints("a", nil))], equal)
        }
        var control = node("control", nil), ill = node("ill", "c", cpu: "8")
        control["metadata"]["labels"] = ["node-role.kubernetes.io/control-plane": ""]
        ill["status"]["conditions"] = [["type": "Ready", "status": "Unknown"]]
        let nodes = [node("n0", "a"), node("n1", "b"), control, ill].map { Node($0) }
        #expect(ZoneShares(nodes) == equal)
    }

    @Test("the annotation gives a Service's slices hints and an event, a node that leaves a zone alone or its removal takes them away")
    func service() async throws {
        let api = try await Fixture.api(), reconciler = EndpointsReconciler()
        for (name, zone) in [("n1", "a"), ("n2", "b")] { _ = try await api.create(.nodes, node(name, zone)) }
        var service = Fixture.service("web", port: 80)
        service["metadata"]["annotations"] = ["service.kubernetes.io/topology-mode": "Auto"]
        service["spec"]["trafficDistribution"] = "PreferSameNode"
        _ = try await api.create(.services, service)
        for (name, node) in [("a", "n1"), ("b", "n2")] {
            _ = try await api.create(.pods, Fixture.pod(name, labels: ["app": "web"], node: node))
            try await api.mutateStatus(Pod.self, Fixture.key(name)) { pod in
                pod.status["phase"] = "Running"
                pod.status["podIP"] = .string("10.244.\(node.dropFirst()).2")
                pod.status["conditions"].setCondition("Ready", true, now: Fixture.time)
            }
        }
        func look() async throws -> (hints: [String], events: [String]) {
            try await reconciler.reconcile(Fixture.key("web"), api)
            let endpoints = try await api.list(EndpointSlice.self).flatMap(\.endpoints)
            let events = try await api.list(.events, namespace: "default", selector: nil).items
            #expect(endpoints.allSatisfy { $0["hints"]["forNodes"].isNull })
            return (
                endpoints.map { $0["hints"]["forZones"][0]["name"].string ?? "" },
                events.map { "\($0["type"].string ?? "") \($0["reason"].string ?? ""): \($0["message"].string ?? "")" }.sorted()
            )
        }
        let enabled = "Normal TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4"
        for _ in 0..<2 {
            let now = try await look()
            #expect(now.hints == ["a", "b"] && now.events == [enabled])
        }
        try await api.mutateStatus(Node.self, ObjectKey("", "n2")) { $0.status["conditions"] = [["type": "Ready", "status": "False"]] }
        let alone = try await look()
        #expect(alone.hints == ["", ""] && alone.events.count == 2 && alone.events.last?.contains("Insufficient Node information") == true)
        try await api.mutateStatus(Node.self, ObjectKey("", "n2")) { $0.status["conditions"] = [["type": "Ready", "status": "True"]] }
        #expect(try await look().hints == ["a", "b"])
        var plain = try await api.get(.services, Fixture.key("web"))
        plain["metadata"]["annotations"] = .null
        plain["spec"]["trafficDistribution"] = .null
        _ = try await api.update(.services, plain)
        let removed = try await look()
        #expect(removed.hints == ["", ""])
        #expect(
            removed.events.contains("Warning TopologyAwareHintsDisabled: Topology Aware Hints has been disabled, addressType: IPv4"))
    }
}

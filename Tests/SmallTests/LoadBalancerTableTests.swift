import Model
import Proxy
import Rules
import Testing

/// Services that are reached from outside, in the tables of two nodes: each endpoint is its address, its node, and its hints.
private enum Outside {
    static let balancer = "192.168.200.240"

    static func node(_ number: Int) -> NodeView {
        NodeView(
            name: "n\(number)", address: IPAddress(ipv4: 0xC0A8_C880 + UInt32(number)),
            clusterCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16),
            serviceCIDR: IPNetwork(IPAddress(ipv4: 0x0A01_0000), 16),
            podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(number) << 8), 24))
    }

    static func service(_ name: String = "web", ip: String = "10.1.0.7", fields: JSON = .emptyObject, ingress: [JSON]? = nil) -> Service {
        var spec: JSON = [
            "type": "LoadBalancer", "clusterIP": .string(ip), "ports": [["port": 80, "protocol": "TCP", "targetPort": 8080]],
        ]
        for (field, value) in fields.object ?? JSONObject() { spec[field] = value }
        return Service([
            "metadata": ["name": .string(name), "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"], "spec": spec,
            "status": ["loadBalancer": ["ingress": .array(ingress ?? [["ip": .string(balancer), "ipMode": "VIP"]])]],
        ])
    }

    static let ready: JSON = ["ready": true, "serving": true, "terminating": false]
    static let ending: JSON = ["ready": false, "serving": true, "terminating": true]

    static func slice(_ endpoints: [(address: String, node: String)], conditions: JSON = ready, hints: [JSON] = [], of name: String = "web")
        -> EndpointSlice
    {
        EndpointSlice([
            "metadata": ["name": .string("\(name)-1"), "namespace": "default", "labels": ["kubernetes.io/service-name": .string(name)]],
            "addressType": "IPv4", "ports": [["name": "", "protocol": "TCP", "port": 8080]],
            "endpoints": .array(
                endpoints.enumerated().map { index, endpoint in
                    [
                        "addresses": [.string(endpoint.address)], "nodeName": .string(endpoint.node), "conditions": conditions,
                        "hints": index < hints.count ? hints[index] : .null,
                    ]
                }),
        ])
    }

    static func trace(
        _ table: Ruleset, from source: String, to destination: String = balancer, port: UInt16 = 80, _ points: [Hook.Point] = [.prerouting]
    ) throws -> [Trace] {
        let packet = Packet(from: try #require(IPAddress(source)), to: try #require(IPAddress(destination)), proto: 6, port: port)
        let tracer = Tracer(tables: [ServiceTable.id(.ipv4): table])
        guard let first = points.first else { return [] }
        return points.dropFirst().reduce(tracer.traverse(packet, first)) { traces, point in
            traces.flatMap { $0.outcome == .accept ? tracer.traverse($0.packet, point) : [$0] }
        }
    }

    static func led(_ traces: [Trace]) -> Set<String> { Set(traces.map { "\($0.packet.destination):\($0.packet.destinationPort)" }) }
}

private let two = [("10.244.1.5", "n1"), ("10.244.2.6", "n2")]

@Suite("A load balancer's address in the table")
struct LoadBalancerTableTests {
    @Test("is elements like a ClusterIP's, and one that says how it comes in")
    func golden() throws {
        let part = ServiceCompiler(node: Outside.node(1)).compile(Outside.service(), [Outside.slice(two)])
        let text = Ruleset.diff(Ruleset(), part, declared: ServiceTable.sets(.ipv4).merging(["service-ips-2": NamedSet(key: [])]) { $1 })
            .map { $0.text(table: ServiceTable.id(.ipv4)) }.joined(separator: "\n")
        let who = #"comment "default/web""#
        #expect(
            text == """
                add element ip kube-proxy cluster-ips { 10.1.0.7 \(who) }
                add element ip kube-proxy external-ips { 192.168.200.240 . tcp . 80 \(who) }
                add element ip kube-proxy service-endpoints { 10.1.0.7 . tcp . 80 . 0 \(who) : 10.244.1.5 . 8080 }
                add element ip kube-proxy service-endpoints { 10.1.0.7 . tcp . 80 . 1 \(who) : 10.244.2.6 . 8080 }
                add element ip kube-proxy service-endpoints { 192.168.200.240 . tcp . 80 . 0 \(who) : 10.244.1.5 . 8080 }
                add element ip kube-proxy service-endpoints { 192.168.200.240 . tcp . 80 . 1 \(who) : 10.244.2.6 . 8080 }
                add element ip kube-proxy service-ips-2 { 10.1.0.7 . tcp . 80 \(who) }
                add element ip kube-proxy service-ips-2 { 192.168.200.240 . tcp . 80 \(who) }
                """)
    }

    @Test("leads pods, nodes and clients outside to all endpoints, masqueraded, with affinity too", arguments: ["None", "ClientIP"])
    func cluster(_ affinity: String) throws {
        let service = Outside.service(fields: ["sessionAffinity": .string(affinity)])
        let table = ServiceCompiler(node: Outside.node(1)).table([(service, [Outside.slice(two)])])
        for (source, point) in [("192.168.200.1", Hook.Point.prerouting), ("10.244.1.9", .prerouting), ("192.168.200.129", .output)] {
            let traces = try Outside.trace(table, from: source, [point])
            #expect(Outside.led(traces) == ["10.244.1.5:8080", "10.244.2.6:8080"], "\(source)")
            #expect(traces.allSatisfy { $0.packet.mark == ServiceTable.masqueradeMark }, "\(source)")
        }
        #expect(try Outside.led(Outside.trace(table, from: "192.168.200.1", port: 81)) == ["192.168.200.240:81"])
    }

    @Test(
        "with externalTrafficPolicy Local keeps the client's address and the node; pods and the node itself go anywhere",
        arguments: ["None", "ClientIP"])
    func local(_ affinity: String) throws {
        let service = Outside.service(fields: ["externalTrafficPolicy": "Local", "sessionAffinity": .string(affinity)])
        let table = ServiceCompiler(node: Outside.node(1)).table([(service, [Outside.slice(two)])])
        let outside = try Outside.trace(table, from: "192.168.200.1", [.prerouting, .postrouting])
        #expect(Outside.led(outside) == ["10.244.1.5:8080"] && outside.allSatisfy { "\($0.packet.source)" == "192.168.200.1" })
        let all: Set = ["10.244.1.5:8080", "10.244.2.6:8080"]
        #expect(try Outside.led(Outside.trace(table, from: "10.244.1.9")) == all)
        // What it sends to an address of its own comes from there.
        for own in ["192.168.200.129", Outside.balancer] {
            let traces = try Outside.trace(table, from: own, [.output])
            #expect(Outside.led(traces) == all && traces.allSatisfy { $0.packet.mark == ServiceTable.masqueradeMark }, "\(own)")
        }
    }

    @Test("without an endpoint refuses; where the policy Local finds them elsewhere it is silent to clients, and not to its own pods")
    func idle() throws {
        let compiler = ServiceCompiler(node: Outside.node(1)), points: [Hook.Point] = [.prerouting, .input]
        let nobody = compiler.table([(Outside.service(), [])])
        #expect(try Outside.trace(nobody, from: "192.168.200.1", points).map(\.outcome) == [.reject])
        let policy: JSON = ["externalTrafficPolicy": "Local"]
        let elsewhere = compiler.table([(Outside.service(fields: policy), [Outside.slice([("10.244.2.6", "n2")])])])
        #expect(try Outside.trace(elsewhere, from: "192.168.200.1", points).map(\.outcome) == [.drop])
        #expect(try Outside.led(Outside.trace(elsewhere, from: "10.244.1.9", [.prerouting, .forward])) == ["10.244.2.6:8080"])
        #expect(try Outside.led(Outside.trace(elsewhere, from: "192.168.200.129", [.output])) == ["10.244.2.6:8080"])
    }

    @Test("the policy Local takes the node's own endpoint that ends when no other of the node's is ready, whatever others have")
    func endingHere() throws {
        let service = Outside.service(fields: ["externalTrafficPolicy": "Local"])
        let slices = [Outside.slice([("10.244.2.6", "n2")]), Outside.slice([("10.244.1.5", "n1")], conditions: Outside.ending)]
        let table = ServiceCompiler(node: Outside.node(1)).table([(service, slices)])
        #expect(try Outside.led(Outside.trace(table, from: "192.168.200.1")) == ["10.244.1.5:8080"])
        #expect(try Outside.led(Outside.trace(table, from: "10.244.1.9")) == ["10.244.2.6:8080"])
    }

    @Test("of a proxy that stands before the cluster is not the nodes' to answer")
    func proxied() {
        let service = Outside.service(ingress: [["ip": .string(Outside.balancer), "ipMode": "Proxy"]])
        #expect(ServiceCompiler(node: Outside.node(1)).compile(service, [Outside.slice(two)]).elements["external-ips"] == nil)
    }

    @Test("takes connections of its source ranges alone, and the node's own where the node is in one")
    func sourceRanges() throws {
        let service = Outside.service(fields: ["loadBalancerSourceRanges": ["192.168.200.0/25", "192.168.200.1/32", " 203.0.113.0/24 "]])
        let table = ServiceCompiler(node: Outside.node(1)).table([(service, [Outside.slice(two)])])
        #expect(table.elements["firewall-sources"]?.count == 2, "one range holds another")
        for (source, outcome) in [
            ("192.168.200.1", Trace.Outcome.accept), ("203.0.113.9", .accept), ("192.168.200.200", .drop), ("10.244.1.9", .drop),
        ] {
            #expect(try Set(Outside.trace(table, from: source).map(\.outcome)) == [outcome], "\(source)")
        }
        // Cluster addresses and node ports are nobody's load balancer's.
        #expect(try Outside.led(Outside.trace(table, from: "203.0.114.9", to: "10.1.0.7")) == ["10.244.1.5:8080", "10.244.2.6:8080"])
        #expect(try Set(Outside.trace(table, from: Outside.balancer, [.output]).map(\.outcome)) == [.drop])
        let wide = Outside.service(fields: ["loadBalancerSourceRanges": ["192.168.200.128/28"]])
        let own = ServiceCompiler(node: Outside.node(1)).table([(wide, [Outside.slice(two)])])
        #expect(try Set(Outside.trace(own, from: Outside.balancer, [.output]).map(\.outcome)) == [.accept])
    }

    @Test("an external address two Services want is the older one's, until that goes; one of the Services' own network is nobody's")
    func claimed() throws {
        let claim: JSON = ["type": "ClusterIP", "externalIPs": ["203.0.113.5", "10.1.0.99"]]
        var older = Outside.service("older", ip: "10.1.0.8", fields: claim, ingress: [])
        older.json["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
        let newer = Outside.service(fields: claim, ingress: [])
        let slices = [Outside.slice([("10.244.1.8", "n1")], of: "older"), Outside.slice(two)]
        let compiler = ServiceCompiler(node: Outside.node(1))
        let both = compiler.table([(newer, [slices[1]]), (older, [slices[0]])])
        #expect(try Outside.led(Outside.trace(both, from: "10.244.1.9", to: "203.0.113.5")) == ["10.244.1.8:8080"])
        #expect(try Outside.led(Outside.trace(both, from: "10.244.1.9", to: "10.1.0.99")) == ["10.1.0.99:80"])
        let alone = compiler.table([(newer, [slices[1]])])
        #expect(try Outside.led(Outside.trace(alone, from: "10.244.1.9", to: "203.0.113.5")) == ["10.244.1.5:8080", "10.244.2.6:8080"])
    }

    @Test("addresses from outside are led by the table of their own family, where the Service has an address of it")
    func families() throws {
        let six = NodeView(
            name: "n1", address: try #require(IPAddress("fd00:192:168:200::81")), clusterCIDR: try #require(IPNetwork("fd00:10:244::/56")),
            serviceCIDR: try #require(IPNetwork("fd00:10:1::/112")), podCIDR: try #require(IPNetwork("fd00:10:244:1::/64")))
        func external(_ node: NodeView, _ addresses: JSON) -> Set<String> {
            let service = Outside.service(fields: ["clusterIPs": addresses, "externalIPs": ["203.0.113.5", "2001:db8::5"]])
            let slice = EndpointSlice([
                "metadata": ["name": "web-1", "namespace": "default", "labels": ["kubernetes.io/service-name": "web"]],
                "ports": [["name": "", "protocol": "TCP", "port": 8080]],
                "endpoints": [["addresses": ["10.244.1.5"]], ["addresses": ["fd00:10:244:1::5"]]],
            ])
            let keys = ServiceCompiler(node: node).compile(service, [slice]).elements["external-ips"] ?? [:]
            return Set(keys.keys.compactMap { $0.first?.description })
        }
        #expect(external(Outside.node(1), ["10.1.0.7", "fd00:10:1::7"]) == ["203.0.113.5", Outside.balancer])
        #expect(external(six, ["10.1.0.7", "fd00:10:1::7"]) == ["2001:db8::5"])
        #expect(external(six, ["10.1.0.7"]).isEmpty)
    }

    @Test(
        "hints lead to the node's own endpoints, or its zone's, when every endpoint has one and some are meant for it",
        arguments: [
            ([["forNodes": [["name": "n1"]]], ["forNodes": [["name": "n2"]]]], ["10.244.1.5:8080"]),
            ([["forNodes": [["name": "n3"]]], ["forNodes": [["name": "n2"]]]], ["10.244.1.5:8080", "10.244.2.6:8080"]),
            ([["forZones": [["name": "b"]]], ["forZones": [["name": "a"]]]], ["10.244.2.6:8080"]),
            ([["forZones": [["name": "a"]]]], ["10.244.1.5:8080", "10.244.2.6:8080"]),
            (
                [
                    ["forNodes": [["name": "n3"]], "forZones": [["name": "a"]]],
                    ["forNodes": [["name": "n2"]], "forZones": [["name": "b"]]],
                ], ["10.244.1.5:8080"]
            ),
        ] as [([JSON], Set<String>)])
    func hints(_ hints: [JSON], _ expected: Set<String>) throws {
        let table = ServiceCompiler(node: Outside.node(1), zone: "a").table([(Outside.service(), [Outside.slice(two, hints: hints)])])
        #expect(try Outside.led(Outside.trace(table, from: "10.244.1.9", to: "10.1.0.7")) == expected)
    }

    @Test("slices that claim numbers share them among their endpoints, and what one without endpoints claims is refused")
    func weights() throws {
        func slice(_ name: String, _ endpoints: [(String, String)], _ slots: Int) -> EndpointSlice {
            var slice = Outside.slice(endpoints)
            slice.json["metadata"]["name"] = .string(name)
            slice.json["metadata"]["annotations"] = [EndpointSlice.slotsAnnotation: .string("\(slots)")]
            return slice
        }
        func ends(_ table: Ruleset) -> [String: Int] {
            (table.elements["service-endpoints"] ?? [:]).filter { $0.key[0].description == Outside.balancer }
                .reduce(into: [:]) { $0[$1.value.data?[0].description ?? "", default: 0] += 1 }
        }
        let compiler = ServiceCompiler(node: Outside.node(1)), service = Outside.service()
        let slices = [
            slice("a", [("10.244.1.5", "n1"), ("10.244.1.6", "n1")], 6), slice("b", [("10.244.2.6", "n2")], 1), slice("c", [], 3),
        ]
        let part = compiler.compile(service, slices), table = compiler.table([(service, slices)])
        #expect(ends(part) == ["10.244.1.5": 3, "10.244.1.6": 3, "10.244.2.6": 1])
        #expect(part.elements.keys.contains("service-ips-10"))
        // Of ten numbers three are nobody's: who threw one is refused on the node that he asked, a stranger and a pod alike.
        for source in ["192.168.200.1", "10.244.1.9"] {
            let traces = try Outside.trace(table, from: source, [.prerouting, .forward])
            #expect(Outside.led(traces.filter { $0.outcome == .accept }) == ["10.244.1.5:8080", "10.244.1.6:8080", "10.244.2.6:8080"])
            #expect(traces.filter { $0.outcome == .reject }.count == 1 && traces.count == 4)
        }
        #expect(try Outside.trace(table, from: "192.168.200.1", [.prerouting, .input]).contains { $0.outcome == .reject })
        // Who has numbers keeps them: a share less changes those of its own.
        let without = compiler.compile(service, [slices[0], slice("b", [], 1), slices[2]], after: part)
        let map = "service-endpoints", before = part.elements[map] ?? [:], after = without.elements[map] ?? [:]
        #expect(after.allSatisfy { before[$0.key] == $0.value } && before.count - after.count == 2)
    }
}

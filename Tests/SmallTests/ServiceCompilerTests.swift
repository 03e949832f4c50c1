import Model
import Proxy
import Rules
import Testing

private func compiler() throws -> ServiceCompiler {
    ServiceCompiler(
        node: NodeView(
            name: "k8s-node1", address: try #require(IPAddress("192.168.200.11")), clusterCIDR: try #require(IPNetwork("10.244.0.0/16")),
            serviceCIDR: try #require(IPNetwork("10.1.0.0/16")), podCIDR: IPNetwork("10.244.1.0/24") ?? .all(.ipv4)))
}

/// The tutorial's httpd-svc, or one like it; `fields` go into its spec.
private func nodePortService(_ name: String = "httpd-svc", ip: String = "10.1.216.8", nodePort: Int = 33000, fields: String = "") throws
    -> Service
{
    Service(
        try JSON(
            parsing: """
                {"metadata": {"namespace": "default", "name": "\(name)"},
                 "spec": {"type": "NodePort", "clusterIP": "\(ip)", \(fields)
                          "ports": [{"protocol": "TCP", "port": 8080, "targetPort": 80, "nodePort": \(nodePort)}]}}
                """))
}

/// A slice with port 80; each endpoint is its address, its node and its conditions.
private func slice(_ endpoints: [(String, String, String)]) throws -> EndpointSlice {
    let list = endpoints.map { #"{"addresses": ["\#($0.0)"], "nodeName": "\#($0.1)", "conditions": {\#($0.2)}}"# }
    return EndpointSlice(
        try JSON(parsing: #"{"ports": [{"name": "", "protocol": "TCP", "port": 80}], "endpoints": [\#(list.joined(separator: ","))]}"#))
}

private let ready = #""ready": true, "serving": true, "terminating": false"#
private let ending = #""ready": false, "serving": true, "terminating": true"#
private let starting = #""ready": false, "serving": false, "terminating": false"#

/// The tutorial's three pods: two on the first node, one on the second.
private func tutorialSlice(third: String = "10.244.2.10") throws -> EndpointSlice {
    try slice([("10.244.1.158", "k8s-node1", ready), (third, "k8s-node2", ready), ("10.244.1.157", "k8s-node1", ready)])
}

/// The sets of the table, with those of numbers of endpoints.
private let declared = ServiceTable.sets(.ipv4).merging(
    (1...3).flatMap { count -> [(String, NamedSet)] in
        [
            ("service-ips-\(count)", NamedSet(key: [.address(.ipv4), .transportProtocol, .port])),
            ("service-nodeports-\(count)", NamedSet(key: [.transportProtocol, .port])),
        ]
    }, uniquingKeysWith: { $1 })

private func texts(_ old: Ruleset, _ new: Ruleset) -> String {
    Ruleset.diff(old, new, declared: declared).map { $0.text(table: ServiceTable.id(.ipv4)) }.joined(separator: "\n")
}

/// Who serves a table's Services at their ClusterIPs, or what another map leads to.
private func served(_ rules: Ruleset, _ map: String = "service-endpoints") -> [String] {
    elements(rules, map).map { ($0.data ?? []).map(\.description).joined(separator: ":") }.sorted()
}

private func elements(_ rules: Ruleset, _ set: String) -> [ElementData] { Array((rules.elements[set] ?? [:]).values) }

private let remembering = #""sessionAffinity": "ClientIP","#

@Suite("A NodePort Service with endpoints")
struct NodePortServices {
    @Test("chains are named as kube-proxy names them")
    func names() {
        #expect(ServiceTable.chainName("service", "ns1/svc1/tcp/p80") == "service-ULMVA6XW-ns1/svc1/tcp/p80")
        #expect(
            ServiceTable.chainName("endpoint", "ns2/svc2/tcp/p80__10.180.0.2/80") == "endpoint-SGOXE6O3-ns2/svc2/tcp/p80__10.180.0.2/80")
    }

    @Test("a long name is cut to what the kernel takes and keeps its hash")
    func longNames() {
        let a = String(repeating: "a", count: 300), b = a + "b"
        #expect(ServiceTable.chainName("service", a).utf8.count <= 127)
        #expect(ServiceTable.chainName("service", a) != ServiceTable.chainName("service", b))
    }

    @Test("the tutorial's Service is elements: who it is, how many serve it, and who")
    func golden() throws {
        let who = #"comment "default/httpd-svc""#
        let expected = """
            add element ip kube-proxy cluster-ips { 10.1.216.8 \(who) }
            add element ip kube-proxy cluster-nodeports { tcp . 33000 \(who) }
            add element ip kube-proxy nodeport-endpoints { tcp . 33000 . 0 \(who) : 10.244.1.157 . 80 }
            add element ip kube-proxy nodeport-endpoints { tcp . 33000 . 1 \(who) : 10.244.1.158 . 80 }
            add element ip kube-proxy nodeport-endpoints { tcp . 33000 . 2 \(who) : 10.244.2.10 . 80 }
            add element ip kube-proxy service-endpoints { 10.1.216.8 . tcp . 8080 . 0 \(who) : 10.244.1.157 . 80 }
            add element ip kube-proxy service-endpoints { 10.1.216.8 . tcp . 8080 . 1 \(who) : 10.244.1.158 . 80 }
            add element ip kube-proxy service-endpoints { 10.1.216.8 . tcp . 8080 . 2 \(who) : 10.244.2.10 . 80 }
            add element ip kube-proxy service-ips-3 { 10.1.216.8 . tcp . 8080 \(who) }
            add element ip kube-proxy service-nodeports-3 { tcp . 33000 \(who) }
            """
        let part = try compiler().compile(nodePortService(), [tutorialSlice()])
        #expect(texts(Ruleset(), part) == expected)
        #expect(part.chains.isEmpty && part.sets.isEmpty)
    }

    @Test("a rule throws dice for each number of endpoints that occurs, however many Services have it")
    func frame() throws {
        let one = try slice([("10.244.1.5", "k8s-node1", ready)])
        let services = try (0..<40).map { ("s\($0)", "10.1.7.\($0)", 30000 + $0) }.map { name, ip, port in
            (try nodePortService(name, ip: ip, nodePort: port), [port % 2 == 0 ? one : try tutorialSlice()])
        }
        let table = try compiler().table(services)
        let fields = "ip daddr . meta l4proto . th dport"
        #expect(
            table.chains["choose-service-endpoint"]?.rules.map(\.text) == [
                "\(fields) @service-ips-1 dnat ip to \(fields) . numgen random mod 1 map @service-endpoints",
                "\(fields) @service-ips-3 dnat ip to \(fields) . numgen random mod 3 map @service-endpoints",
            ])
        #expect(table.chains["choose-local-nodeport-endpoint"]?.rules.isEmpty == true)
        #expect(table.elements["service-ips-1"]?.count == 20 && table.elements["service-ips-3"]?.count == 20)
        // Those of this node may come back to themselves.
        #expect(
            Set(try #require(table.elements["hairpin-connections"]).keys.map { "\($0[0]) \($0[1])" }) == [
                "10.244.1.5 10.244.1.5", "10.244.1.157 10.244.1.157", "10.244.1.158 10.244.1.158",
            ])
    }

    @Test("the frame's rules are as they were when the last Service of a kind has gone, and new when the first comes")
    func counted() throws {
        var frame = ServiceFrame(node: try compiler().node)
        let empty = frame.rules, first = try compiler().compile(nodePortService(), [tutorialSlice()])
        let share = ServiceShare(first, local: [])
        #expect(frame.count(share, by: 1) && frame.rules != empty)
        let with = frame.rules
        #expect(!frame.count(share, by: 1) && !frame.count(share, by: -1) && frame.rules == with)
        #expect(frame.count(share, by: -1) && frame.rules == empty)
    }

    @Test("every name a part uses stands in the base or in the part")
    func closed() throws {
        let local = #""externalTrafficPolicy": "Local","#
        let whole = try compiler().table([
            (nodePortService(fields: remembering), [tutorialSlice()]), (nodePortService("idle", ip: "10.1.0.9", nodePort: 33001), []),
            (nodePortService("many", ip: "10.1.0.10", nodePort: 33002), [tutorialSlice()]),
            (nodePortService("local", ip: "10.1.0.11", nodePort: 33003, fields: local), [tutorialSlice()]),
        ])
        let known = Set(whole.chains.keys).union(whole.sets.keys)
        let used = whole.chains.values.flatMap(\.rules).flatMap(\.statements).flatMap(\.references)
        let targets = whole.elements.values.flatMap(\.values).compactMap { $0.verdict?.target }
        #expect(used.contains("service-endpoint-0-for-10800s"))
        #expect(Set(used + targets + Array(whole.elements.keys)).subtracting(known) == [])
    }

    @Test("the endpoints' order in the slices does not matter")
    func order() throws {
        let apart = try ["10.244.2.10", "10.244.1.157", "10.244.1.158"].map {
            try slice([($0, $0 == "10.244.2.10" ? "k8s-node2" : "k8s-node1", ready)])
        }
        #expect(try compiler().compile(nodePortService(), apart) == compiler().compile(nodePortService(), [tutorialSlice()]))
    }

    @Test("headless and ExternalName Services have no rules")
    func noAddress() throws {
        let headless = Service(try JSON(parsing: #"{"metadata": {"name": "a"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}"#))
        let external = Service(
            try JSON(parsing: #"{"metadata": {"name": "a"}, "spec": {"type": "ExternalName", "externalName": "example.org"}}"#))
        #expect(try compiler().compile(headless, [tutorialSlice()]).isEmpty)
        #expect(try compiler().compile(external, [tutorialSlice()]).isEmpty)
    }
}

@Suite("Which endpoints serve")
struct ServingEndpoints {
    private func serving(_ endpoints: [(String, String, String)]) throws -> [String] {
        served(try compiler().compile(nodePortService(), [slice(endpoints)]))
    }

    @Test("only ready ones while there are any")
    func readyOnly() throws {
        let used = try serving([
            ("10.244.1.1", "k8s-node1", ready), ("10.244.1.2", "k8s-node1", ending), ("10.244.1.3", "k8s-node1", starting),
        ])
        #expect(used == ["10.244.1.1:80"])
    }

    @Test("those that end but still serve when none is ready")
    func terminating() throws {
        let used = try serving([("10.244.1.2", "k8s-node1", ending), ("10.244.1.3", "k8s-node1", starting)])
        #expect(used == ["10.244.1.2:80"])
    }

    @Test("an endpoint without conditions counts as ready")
    func unknown() throws {
        #expect(try serving([("10.244.1.4", "k8s-node1", "")]) == ["10.244.1.4:80"])
    }

    @Test("a port takes the slice ports of its own name and protocol")
    func namedPorts() throws {
        let service = Service(
            try JSON(
                parsing: """
                    {"metadata": {"namespace": "kube-system", "name": "dns"}, "spec": {"clusterIP": "10.1.0.10", "ports": [
                      {"name": "dns", "protocol": "UDP", "port": 53}, {"name": "dns-tcp", "protocol": "TCP", "port": 53}]}}
                    """))
        let endpoints = EndpointSlice(
            try JSON(
                parsing: """
                    {"ports": [{"name": "dns", "protocol": "UDP", "port": 5353}, {"name": "dns-tcp", "protocol": "TCP", "port": 5354}],
                     "endpoints": [{"addresses": ["10.244.1.9"], "conditions": {"ready": true}}]}
                    """))
        let map = try #require(try compiler().compile(service, [endpoints]).elements["service-endpoints"])
        #expect(
            Set(map.map { "\($0[1]) \(($1.data ?? []).map(\.description).joined(separator: ":"))" }) == [
                "tcp 10.244.1.9:5354", "udp 10.244.1.9:5353",
            ])
    }
}

@Suite("A Service without endpoints")
struct IdleServices {
    @Test("is rejected at its ClusterIP and at its NodePort", arguments: [false, true])
    func rejected(hasUnready: Bool) throws {
        let endpoints = hasUnready ? [("10.244.1.3", "k8s-node1", starting)] : []
        let expected = """
            add element ip kube-proxy cluster-ips { 10.1.216.8 comment "default/httpd-svc" }
            add element ip kube-proxy no-endpoint-nodeports { tcp . 33000 comment "default/httpd-svc" }
            add element ip kube-proxy no-endpoint-services { 10.1.216.8 . tcp . 8080 comment "default/httpd-svc" }
            """
        #expect(try texts(Ruleset(), compiler().compile(nodePortService(), [slice(endpoints)])) == expected)
    }

    @Test("refused at the ClusterIP and at the NodePort: new connections that come in, pass through or go out")
    func base() throws {
        let table = try compiler().table([(nodePortService(), [])]), tracer = Tracer(tables: [ServiceTable.id(.ipv4): table])
        for (address, port, points) in [
            ("10.1.216.8", UInt16(8080), [Hook.Point.input, .forward, .output]), ("192.168.200.11", 33000, [.input]),
        ] {
            let packet = Packet(
                from: try #require(IPAddress("10.244.1.9")), to: try #require(IPAddress(address)), proto: 6, port: port)
            for point in points {
                let traces = tracer.traverse(packet, point)
                #expect(traces.map(\.outcome) == [.reject] && traces[0].steps.last?.element == "default/httpd-svc", "\(address) \(point)")
            }
        }
    }
}

@Suite("Session affinity")
struct SessionAffinity {
    private static let fields = "ip daddr . meta l4proto . th dport", client = "ip saddr . ip daddr . meta l4proto . th dport"

    @Test(
        "a client goes where it is remembered, a new one where the dice say, and is remembered there for as long as the Service says",
        arguments: [("", 10800), (#""sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},"#, 60)])
    func affinity(_ config: String, _ seconds: Int) throws {
        let service = try nodePortService(fields: #""sessionAffinity": "ClientIP", \#(config)"#)
        let part = try compiler().compile(service, [tutorialSlice()])
        #expect(part.chains.isEmpty && part.sets.isEmpty, "a Service is elements, whatever it remembers")
        let table = try compiler().table([(service, [tutorialSlice()])])
        let clients = (0..<3).map { "service-clients-\(seconds)s-slot-\($0)" }
        for (slot, set) in clients.enumerated() {
            #expect(table.sets[set]?.timeout == seconds)
            #expect(
                table.chains["service-endpoint-\(slot)-for-\(seconds)s"]?.rules.map(\.text) == [
                    "update @\(set) { \(Self.client) } dnat ip to \(Self.fields) map @service-endpoints-slot-\(slot)",
                    "delete @\(set) { \(Self.client) } comment \"nobody is in this slot\"",
                ])
        }
        let chain = "choose-service-endpoint-of-3-for-\(seconds)s"
        #expect(
            table.chains["choose-service-endpoint"]?.rules.map(\.text) == ["\(Self.fields) @service-ips-3-for-\(seconds)s goto \(chain)"])
        let body = try #require(table.chains[chain]).rules.map(\.text)
        #expect(
            body.prefix(3)
                == clients.indices.map { "\(Self.client) @\(clients[$0]) jump service-endpoint-\($0)-for-\(seconds)s" }.prefix(3))
        #expect(body[3].hasPrefix("numgen random mod 3 vmap { 0 : jump service-endpoint-0-for-\(seconds)s,"))
    }

    /// Who is in the slots at the ClusterIP.
    private func slots(_ part: Ruleset) -> [Int: String] {
        Dictionary(
            uniqueKeysWithValues: (0..<200).compactMap { slot in
                part.elements["service-endpoints-slot-\(slot)"]?.values.first?.data.map { (slot, "\($0[0])") }
            })
    }

    private func after(_ previous: Ruleset, _ endpoints: [String]) throws -> Ruleset {
        try compiler().compile(
            nodePortService(fields: remembering), [slice(endpoints.map { ($0, "k8s-node2", ready) })], after: previous)
    }

    @Test("who serves keeps its slot, whoever else comes and goes; who comes takes the first that is empty")
    func stableSlots() throws {
        let three = try after(Ruleset(), ["10.244.2.1", "10.244.2.2", "10.244.2.3"])
        #expect(slots(three) == [0: "10.244.2.1", 1: "10.244.2.2", 2: "10.244.2.3"])
        let two = try after(three, ["10.244.2.2", "10.244.2.3"])
        #expect(slots(two) == [1: "10.244.2.2", 2: "10.244.2.3"])
        #expect(two.elements["service-ips-3-for-10800s"]?.count == 1, "the empty one is counted")
        let again = try after(two, ["10.244.2.0", "10.244.2.2", "10.244.2.3", "10.244.2.9"])
        #expect(slots(again) == [0: "10.244.2.0", 1: "10.244.2.2", 2: "10.244.2.3", 3: "10.244.2.9"])
        // One of very many that is left goes to the front: dice would find it badly.
        let many = try after(Ruleset(), (1...60).map { "10.244.2.\($0)" })
        #expect(try slots(after(many, ["10.244.2.60"])) == [0: "10.244.2.60"])
    }

    @Test("every endpoint is reached, and nobody in an empty slot")
    func reached() throws {
        let two = try after(try after(Ruleset(), ["10.244.2.1", "10.244.2.2", "10.244.2.3"]), ["10.244.2.1", "10.244.2.3"])
        var table = ServiceTable.base(try compiler().node), frame = ServiceFrame(node: try compiler().node)
        frame.count(ServiceShare(two, local: []), by: 1)
        table.merge(two)
        table.merge(frame.rules)
        for (to, port) in [("10.1.216.8", 8080), ("192.168.200.11", 33000)] as [(String, UInt16)] {
            let packet = Packet(from: IPAddress(ipv4: 0xC0A8_C863), to: try #require(IPAddress(to)), proto: 6, port: port)
            let ends = Tracer(tables: [ServiceTable.id(.ipv4): table]).traverse(packet, .prerouting)
            #expect(ends.map { "\($0.packet.destination)" }.sorted() == ["10.244.2.1", "10.244.2.3"], "\(to)")
        }
    }

    @Test("another timeout is another set, for a set keeps its timeout for life")
    func timeout() throws {
        func sets(_ seconds: Int) throws -> Set<String> {
            let fields = #""sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": \#(seconds)}},"#
            let table = try compiler().table([(nodePortService(fields: fields), [tutorialSlice()])])
            return Set(table.sets.filter { $0.value.timeout != nil }.keys)
        }
        let one = try sets(60), other = try sets(61)
        #expect(one.count == 6, "three slots at the ClusterIP and three at the node port")
        #expect(one.isDisjoint(with: other))
    }
}

@Suite("Traffic policies")
struct TrafficPolicies {
    private let local = #""externalTrafficPolicy": "Local","#

    @Test("Local sends the NodePort to this node's endpoints and keeps the client's address")
    func externalLocal() throws {
        let both = try slice([("10.244.1.5", "k8s-node1", ready), ("10.244.2.5", "k8s-node2", ready)])
        let rules = try compiler().compile(nodePortService(fields: local), [both])
        #expect(served(rules, "local-nodeport-endpoints") == ["10.244.1.5:80"])
        #expect(served(rules, "nodeport-endpoints") == ["10.244.1.5:80", "10.244.2.5:80"])
        #expect(elements(rules, "local-nodeports").count == 1 && elements(rules, "cluster-nodeports").isEmpty)
        #expect(try marks(from: "192.168.200.99", fields: local) == [0] && marks(from: "192.168.200.99", fields: "") == [0x4000])
    }

    private func marks(from source: String, fields: String) throws -> Set<UInt32> {
        let table = try compiler().table([(nodePortService(fields: fields), [slice([("10.244.1.5", "k8s-node1", ready)])])])
        let packet = Packet(from: try #require(IPAddress(source)), to: try compiler().node.address, proto: 6, port: 33000)
        return Set(Tracer(tables: [ServiceTable.id(.ipv4): table]).traverse(packet, .prerouting).map(\.packet.mark))
    }

    @Test("with Local a node without endpoints is silent at the NodePort and serves the ClusterIP")
    func noLocalEndpoint() throws {
        let rules = try compiler().compile(nodePortService(fields: local), [slice([("10.244.2.5", "k8s-node2", ready)])])
        #expect(elements(rules, "no-local-endpoint-nodeports").count == 1 && elements(rules, "no-endpoint-nodeports").isEmpty)
        #expect(elements(rules, "no-endpoint-services").isEmpty && elements(rules, "no-local-endpoint-services").isEmpty)
        #expect(served(rules) == ["10.244.2.5:80"])
    }

    @Test("with Local a Service without any endpoint is rejected all the same")
    func noEndpoint() throws {
        let rules = try compiler().compile(nodePortService(fields: local), [])
        #expect(elements(rules, "no-endpoint-nodeports").count == 1 && elements(rules, "no-endpoint-services").count == 1)
        #expect(elements(rules, "no-local-endpoint-nodeports").isEmpty)
    }

    @Test("an internal policy of Local holds for the ClusterIP alone")
    func internalLocal() throws {
        let both = try slice([("10.244.1.5", "k8s-node1", ready), ("10.244.2.5", "k8s-node2", ready)])
        let rules = try compiler().compile(nodePortService(fields: #""internalTrafficPolicy": "Local","#), [both])
        #expect(served(rules) == ["10.244.1.5:80"] && served(rules, "nodeport-endpoints") == ["10.244.1.5:80", "10.244.2.5:80"])
    }

    /// Where a packet to the NodePort ends on this node: the endpoints' addresses, the node's own when it goes on untranslated.
    private func ends(from source: String, at point: Hook.Point, endpoints: [String], fields: String) throws -> Set<String> {
        let node = try compiler().node
        let list = try slice(endpoints.map { ($0, $0.hasPrefix("10.244.1.") ? "k8s-node1" : "k8s-node2", ready) })
        let table = try compiler().table([(nodePortService(fields: fields), [list])])
        let packet = Packet(from: try #require(IPAddress(source)), to: node.address, proto: 6, port: 33000)
        return Set(Tracer(tables: [ServiceTable.id(.ipv4): table]).traverse(packet, point).map { "\($0.packet.destination)" })
    }

    @Test(
        "with Local pods and the node itself are led to all endpoints, who asks from outside to this node's alone",
        arguments: ["", #""internalTrafficPolicy": "Local","#, remembering])
    func insideIsExempt(_ fields: String) throws {
        let here = "10.244.1.5", there = "10.244.2.5", node = "192.168.200.11"
        for (source, point) in [("10.244.1.9", Hook.Point.prerouting), (node, .output)] {
            #expect(try ends(from: source, at: point, endpoints: [here, there], fields: local + fields) == [here, there])
            #expect(try ends(from: source, at: point, endpoints: [there], fields: local + fields) == [there])
        }
        #expect(try ends(from: "192.168.200.99", at: .prerouting, endpoints: [here, there], fields: local + fields) == [here])
        #expect(try ends(from: "192.168.200.99", at: .prerouting, endpoints: [there], fields: local + fields) == [node])
    }

    @Test("what conntrack finds invalid is dropped where it would come in or pass through")
    func invalid() throws {
        let tracer = Tracer(tables: [ServiceTable.id(.ipv4): ServiceTable.base(try compiler().node)])
        var packet = Packet(
            from: try #require(IPAddress("10.244.2.5")), to: try #require(IPAddress("10.244.1.5")), proto: 6, port: 1025)
        packet.state = .invalid
        for point in [Hook.Point.input, .forward] { #expect(tracer.traverse(packet, point).map(\.outcome) == [.drop]) }
        packet.state = .established
        for point in [Hook.Point.input, .forward] { #expect(tracer.traverse(packet, point).map(\.outcome) == [.accept]) }
    }

    /// kube-proxy: "traffic to an `internalTrafficPolicy: Local` service on a node with no endpoints is dropped rather than
    /// being rejected".
    @Test("with an internal policy of Local a node without endpoints drops")
    func internalLocalDrops() throws {
        let fields = #""internalTrafficPolicy": "Local","#
        let rules = try compiler().compile(nodePortService(fields: fields), [slice([("10.244.2.5", "k8s-node2", ready)])])
        #expect(elements(rules, "no-local-endpoint-services").count == 1 && elements(rules, "no-endpoint-services").isEmpty)
        let packet = Packet(
            from: try #require(IPAddress("10.244.1.9")), to: try #require(IPAddress("10.1.216.8")), proto: 6, port: 8080)
        let table = try compiler().table([(nodePortService(fields: fields), [slice([("10.244.2.5", "k8s-node2", ready)])])])
        #expect(Tracer(tables: [ServiceTable.id(.ipv4): table]).traverse(packet, .forward).map(\.outcome) == [.drop])
    }

    @Test("who comes from outside the pod network to a ClusterIP, and a pod that comes back to itself, are masqueraded; others are not")
    func masquerade() throws {
        let table = try compiler().table([(nodePortService(), [slice([("10.244.1.5", "k8s-node1", ready)])])])
        let tracer = Tracer(tables: [ServiceTable.id(.ipv4): table]), node = try compiler().node
        for (source, isMasqueraded) in [("192.168.200.99", true), ("10.244.1.9", false), ("10.244.1.5", true)] {
            let packet = Packet(
                from: try #require(IPAddress(source)), to: try #require(IPAddress("10.1.216.8")), proto: 6, port: 8080)
            let led = try #require(tracer.traverse(packet, .prerouting).first).packet
            #expect("\(led.destination):\(led.destinationPort)" == "10.244.1.5:80")
            let left = try #require(tracer.traverse(led, .postrouting).first).packet
            #expect(left.source == (isMasqueraded ? node.address : packet.source), "\(source)")
        }
    }
}

@Suite("The cost of a change of a Service")
struct ServiceChanges {
    @Test("another endpoint in the place of one is two elements in the place of two, whatever else the table holds")
    func oneEndpoint() throws {
        let old = try compiler().compile(nodePortService(), [tutorialSlice()])
        let new = try compiler().compile(nodePortService(), [tutorialSlice(third: "10.244.2.11")])
        let who = #"comment "default/httpd-svc""#
        let expected = """
            delete element ip kube-proxy nodeport-endpoints { tcp . 33000 . 2 : 10.244.2.10 . 80 }
            delete element ip kube-proxy service-endpoints { 10.1.216.8 . tcp . 8080 . 2 : 10.244.2.10 . 80 }
            add element ip kube-proxy nodeport-endpoints { tcp . 33000 . 2 \(who) : 10.244.2.11 . 80 }
            add element ip kube-proxy service-endpoints { 10.1.216.8 . tcp . 8080 . 2 \(who) : 10.244.2.11 . 80 }
            """
        #expect(texts(old, new) == expected)
    }

    @Test("endpoints keep their numbers as others come and go, however many there are")
    func numbers() throws {
        func all(_ hosts: some Sequence<Int>) throws -> [EndpointSlice] {
            [try slice(hosts.map { ("10.244.\($0 / 200 + 1).\($0 % 200 + 1)", "k8s-node2", ready) })]
        }
        func changes(_ old: Ruleset, _ new: Ruleset) -> [String] {
            let (before, after) = (old.elements["service-endpoints"] ?? [:], new.elements["service-endpoints"] ?? [:])
            return Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.map { "\($0[3])" }.sorted()
        }
        let service = try nodePortService()
        let whole = try compiler().compile(service, all(0..<300))
        // The one that goes has the last one come into its place; one that comes goes last.
        let fewer = try compiler().compile(service, all((0..<300).filter { $0 != 7 }), after: whole)
        #expect(changes(whole, fewer) == ["299", "7"])
        let again = try compiler().compile(service, all(0..<300), after: fewer)
        #expect(changes(fewer, again) == ["299"])
        #expect(served(again) == served(whole))
        let other = try compiler().compile(service, all(300..<310), after: whole)
        #expect(try served(other) == served(compiler().compile(service, all(300..<310))))
    }

    @Test("the last endpoint's end moves the Service to the maps of the idle")
    func lastEndpoint() throws {
        let old = try compiler().compile(nodePortService(), [slice([("10.244.1.5", "k8s-node1", ready)])])
        let new = try compiler().compile(nodePortService(), [])
        let maps = Ruleset.diff(old, new, declared: declared).compactMap { change -> String? in
            switch change {
            case .addElement(let set, _, _, _): "+\(set)"
            case .deleteElement(let set, _, _, _): "-\(set)"
            default: nil
            }
        }
        #expect(
            maps == [
                "-cluster-nodeports", "-nodeport-endpoints", "-service-endpoints", "-service-ips-1", "-service-nodeports-1",
                "+no-endpoint-nodeports", "+no-endpoint-services",
            ])
        #expect(new.chains.isEmpty)
    }
}

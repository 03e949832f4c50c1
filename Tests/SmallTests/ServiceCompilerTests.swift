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

private func texts(_ old: Ruleset, _ new: Ruleset) -> String {
    Ruleset.diff(old, new, declared: ServiceTable.sets(.ipv4)).map { $0.text(table: ServiceTable.id(.ipv4)) }.joined(separator: "\n")
}

private func elements(_ rules: Ruleset, _ set: String) -> [ElementData] { Array((rules.elements[set] ?? [:]).values) }

private let serviceChain = "service-P26LWKKU-default/httpd-svc/tcp/"
private let localChain = "local-P26LWKKU-default/httpd-svc/tcp/"
private let externalChain = "external-P26LWKKU-default/httpd-svc/tcp/"
private let markRule = """
    ip daddr 10.1.216.8 ip saddr != 10.244.0.0/16 jump mark-for-masquerade comment "default/httpd-svc: from outside the pod network"
    """

private func endpointChain(_ address: String) -> String {
    ServiceTable.chainName("endpoint", "default/httpd-svc/tcp/__\(address)/80")
}

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

    @Test("the tutorial's Service is balanced over its three pods")
    func golden() throws {
        let first = "endpoint-QONNZ2NR-default/httpd-svc/tcp/__10.244.1.157/80"
        let second = "endpoint-OCFJYY2L-default/httpd-svc/tcp/__10.244.1.158/80"
        let third = "endpoint-76ZJMVNN-default/httpd-svc/tcp/__10.244.2.10/80"
        let hairpin = #"jump mark-for-masquerade comment "hairpin: the pod reaches itself""#
        let expected = """
            add chain ip kube-proxy \(third)
            add chain ip kube-proxy \(second)
            add chain ip kube-proxy \(first)
            add chain ip kube-proxy \(externalChain)
            add chain ip kube-proxy \(serviceChain)
            add rule ip kube-proxy \(third) ip saddr 10.244.2.10 \(hairpin)
            add rule ip kube-proxy \(third) meta l4proto tcp dnat to 10.244.2.10:80
            add rule ip kube-proxy \(second) ip saddr 10.244.1.158 \(hairpin)
            add rule ip kube-proxy \(second) meta l4proto tcp dnat to 10.244.1.158:80
            add rule ip kube-proxy \(first) ip saddr 10.244.1.157 \(hairpin)
            add rule ip kube-proxy \(first) meta l4proto tcp dnat to 10.244.1.157:80
            add rule ip kube-proxy \(externalChain) jump mark-for-masquerade comment "default/httpd-svc"
            add rule ip kube-proxy \(externalChain) goto \(serviceChain)
            add rule ip kube-proxy \(serviceChain) \(markRule)
            add rule ip kube-proxy \(serviceChain) numgen random mod 3 vmap { 0 : goto \(first), 1 : goto \(second), 2 : goto \(third) }
            add element ip kube-proxy cluster-ips { 10.1.216.8 comment "default/httpd-svc" }
            add element ip kube-proxy service-ips { 10.1.216.8 . tcp . 8080 comment "default/httpd-svc" : goto \(serviceChain) }
            add element ip kube-proxy service-nodeports { tcp . 33000 comment "default/httpd-svc" : goto \(externalChain) }
            """
        #expect(try texts(Ruleset(), compiler().compile(nodePortService(), [tutorialSlice()])) == expected)
    }

    @Test("every name a part uses stands in the base or in the part")
    func closed() throws {
        var whole = ServiceTable.base(try compiler().node)
        whole.merge(try compiler().compile(nodePortService(fields: #""sessionAffinity": "ClientIP","#), [tutorialSlice()]))
        whole.merge(try compiler().compile(nodePortService("idle", ip: "10.1.0.9", nodePort: 33001), []))
        let known = Set(whole.chains.keys).union(whole.sets.keys)
        let used = whole.chains.values.flatMap(\.rules).flatMap(\.statements).flatMap(\.references)
        let targets = whole.elements.values.flatMap(\.values).compactMap { $0.verdict?.target }
        #expect(used.contains(serviceChain))
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
    private func chains(_ endpoints: [(String, String, String)]) throws -> Set<String> {
        Set(try compiler().compile(nodePortService(), [slice(endpoints)]).chains.keys.filter { $0.hasPrefix("endpoint-") })
    }

    @Test("only ready ones while there are any")
    func readyOnly() throws {
        let used = try chains([
            ("10.244.1.1", "k8s-node1", ready), ("10.244.1.2", "k8s-node1", ending), ("10.244.1.3", "k8s-node1", starting),
        ])
        #expect(used == [endpointChain("10.244.1.1")])
    }

    @Test("those that end but still serve when none is ready")
    func terminating() throws {
        let used = try chains([("10.244.1.2", "k8s-node1", ending), ("10.244.1.3", "k8s-node1", starting)])
        #expect(used == [endpointChain("10.244.1.2")])
    }

    @Test("an endpoint without conditions counts as ready")
    func unknown() throws {
        #expect(try chains([("10.244.1.4", "k8s-node1", "")]) == [endpointChain("10.244.1.4")])
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
        let rules = try compiler().compile(service, [endpoints]).chains.values.flatMap(\.rules).map(\.text)
        #expect(
            rules.filter { $0.contains("dnat") }.sorted() == [
                "meta l4proto tcp dnat to 10.244.1.9:5354", "meta l4proto udp dnat to 10.244.1.9:5353",
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
            add element ip kube-proxy no-endpoint-nodeports { tcp . 33000 comment "default/httpd-svc" : goto reject-chain }
            add element ip kube-proxy no-endpoint-services { 10.1.216.8 . tcp . 8080 comment "default/httpd-svc" : goto reject-chain }
            """
        #expect(try texts(Ruleset(), compiler().compile(nodePortService(), [slice(endpoints)])) == expected)
    }

    @Test("the reject chain rejects, and both maps are looked up for new connections")
    func base() throws {
        let base = ServiceTable.base(try compiler().node)
        #expect(base.chains["reject-chain"]?.rules == [Rule(.reject)])
        let lookups = base.chains.values.flatMap(\.rules).flatMap(\.statements).flatMap(\.references)
        #expect(Set(lookups).isSuperset(of: ["no-endpoint-services", "no-endpoint-nodeports"]))
    }
}

@Suite("Session affinity")
struct SessionAffinity {
    @Test(
        "a client that an endpoint remembers goes there again",
        arguments: [("", 10800), (#""sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},"#, 60)])
    func affinity(_ config: String, _ seconds: Int) throws {
        let service = try nodePortService(fields: #""sessionAffinity": "ClientIP", \#(config)"#)
        let rules = try compiler().compile(service, [tutorialSlice()])
        #expect(rules.sets.count == 3)
        #expect(Set(rules.sets.values) == [NamedSet(key: [.address(.ipv4)], timeout: seconds)])
        let body = try #require(rules.chains[serviceChain]).rules.map(\.text)
        for address in ["10.244.1.157", "10.244.1.158", "10.244.2.10"] {
            let chain = endpointChain(address)
            let steps = try #require(rules.chains[chain]).rules.map(\.text)
            let set = try #require(rules.sets.keys.first { $0.contains("__\(address)/80") })
            #expect(steps.suffix(2) == ["update @\(set) { ip saddr }", "meta l4proto tcp dnat to \(address):80"])
            #expect(body.dropFirst().dropLast().contains("ip saddr @\(set) goto \(chain) comment \"default/httpd-svc\""))
        }
        #expect(body.count == 5)
        #expect(body.last?.hasPrefix("numgen random mod 3 ") == true)
    }

    @Test("another timeout is another set, for a set keeps its timeout for life")
    func timeout() throws {
        func sets(_ seconds: Int) throws -> Set<String> {
            let fields = #""sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": \#(seconds)}},"#
            return Set(try compiler().compile(nodePortService(fields: fields), [tutorialSlice()]).sets.keys)
        }
        let one = try sets(60), other = try sets(61)
        #expect(one.count == 3)
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
        let external = try #require(rules.chains[externalChain]).rules
        #expect(external.last == Rule(.verdict(.goto(localChain))))
        #expect(!external.contains { $0.statements.first == .verdict(.jump("mark-for-masquerade")) })
        #expect(rules.chains[localChain]?.rules == [Rule(.verdict(.goto(endpointChain("10.244.1.5"))))])
        #expect(rules.chains[serviceChain]?.rules.last == Rule(.randomGoto([endpointChain("10.244.1.5"), endpointChain("10.244.2.5")])))
    }

    /// kube-proxy: "Treat all locally-originated pod -> external destination traffic as a special-case. It is subject to
    /// neither form of traffic policy."
    @Test("with Local the cluster's pods may use every endpoint")
    func podsAreExempt() throws {
        let both = try slice([("10.244.1.5", "k8s-node1", ready), ("10.244.2.5", "k8s-node2", ready)])
        let rules = try compiler().compile(nodePortService(fields: local), [both])
        let external = try #require(rules.chains[externalChain]).rules
        #expect(external.contains { $0.text.hasPrefix("ip saddr 10.244.0.0/16 goto \(serviceChain)") })
    }

    @Test("with Local a node without endpoints is silent at the NodePort and serves the ClusterIP")
    func noLocalEndpoint() throws {
        let rules = try compiler().compile(nodePortService(fields: local), [slice([("10.244.2.5", "k8s-node2", ready)])])
        #expect(elements(rules, "no-endpoint-nodeports").map(\.verdict) == [.drop])
        #expect(elements(rules, "no-endpoint-services").isEmpty)
        #expect(elements(rules, "service-ips").map(\.verdict) == [.goto(serviceChain)])
    }

    @Test("with Local a Service without any endpoint is rejected all the same")
    func noEndpoint() throws {
        let rules = try compiler().compile(nodePortService(fields: local), [])
        #expect(elements(rules, "no-endpoint-nodeports").map(\.verdict) == [.goto("reject-chain")])
        #expect(elements(rules, "no-endpoint-services").map(\.verdict) == [.goto("reject-chain")])
    }

    @Test("an internal policy of Local holds for the ClusterIP alone")
    func internalLocal() throws {
        let both = try slice([("10.244.1.5", "k8s-node1", ready), ("10.244.2.5", "k8s-node2", ready)])
        let rules = try compiler().compile(nodePortService(fields: #""internalTrafficPolicy": "Local","#), [both])
        #expect(elements(rules, "service-ips").map(\.verdict) == [.goto(localChain)])
        #expect(rules.chains[localChain]?.rules.last == Rule(.verdict(.goto(endpointChain("10.244.1.5")))))
        #expect(rules.chains[externalChain]?.rules.last == Rule(.verdict(.goto(serviceChain))))
        #expect(rules.chains[serviceChain]?.rules.last == Rule(.randomGoto([endpointChain("10.244.1.5"), endpointChain("10.244.2.5")])))
    }

    /// Where a packet to the NodePort ends on this node: the endpoints' addresses, the node's own when it goes on untranslated.
    private func ends(from source: String, at point: Hook.Point, endpoints: [String], fields: String) throws -> Set<String> {
        let node = try compiler().node
        var table = ServiceTable.base(node)
        let list = try slice(endpoints.map { ($0, $0.hasPrefix("10.244.1.") ? "k8s-node1" : "k8s-node2", ready) })
        table.merge(try compiler().compile(nodePortService(fields: fields), [list]))
        let packet = Packet(from: try #require(IPAddress(source)), to: node.address, proto: 6, port: 33000)
        return Set(Tracer(tables: [ServiceTable.id(.ipv4): table]).traverse(packet, point).map { "\($0.packet.destination)" })
    }

    @Test(
        "with Local pods and the node itself are led to all endpoints, who asks from outside to this node's alone",
        arguments: ["", #""internalTrafficPolicy": "Local","#])
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
        #expect(elements(rules, "no-endpoint-services").map(\.verdict) == [.drop])
    }
}

@Suite("The cost of a change of a Service")
struct ServiceChanges {
    @Test("another endpoint touches its own chain and its Service's")
    func oneEndpoint() throws {
        var others = ServiceTable.base(try compiler().node)
        for number in 0..<40 {
            others.merge(
                try compiler().compile(
                    nodePortService("other-\(number)", ip: "10.1.7.\(number)", nodePort: 30000 + number), [tutorialSlice()]))
        }
        var old = others, new = others
        old.merge(try compiler().compile(nodePortService(), [tutorialSlice()]))
        new.merge(try compiler().compile(nodePortService(), [tutorialSlice(third: "10.244.2.11")]))
        let first = endpointChain("10.244.1.157"), second = endpointChain("10.244.1.158")
        let gone = endpointChain("10.244.2.10"), come = endpointChain("10.244.2.11")
        let expected = """
            add chain ip kube-proxy \(come)
            flush chain ip kube-proxy \(gone)
            add rule ip kube-proxy \(come) ip saddr 10.244.2.11 jump mark-for-masquerade comment "hairpin: the pod reaches itself"
            add rule ip kube-proxy \(come) meta l4proto tcp dnat to 10.244.2.11:80
            flush chain ip kube-proxy \(serviceChain)
            add rule ip kube-proxy \(serviceChain) \(markRule)
            add rule ip kube-proxy \(serviceChain) numgen random mod 3 vmap { 0 : goto \(first), 1 : goto \(second), 2 : goto \(come) }
            delete chain ip kube-proxy \(gone)
            """
        #expect(texts(old, new) == expected)
    }

    @Test("the last endpoint's end moves the Service to the maps of the idle")
    func lastEndpoint() throws {
        let old = try compiler().compile(nodePortService(), [slice([("10.244.1.5", "k8s-node1", ready)])])
        let new = try compiler().compile(nodePortService(), [])
        let maps = Ruleset.diff(old, new, declared: ServiceTable.sets(.ipv4)).compactMap { change -> String? in
            switch change {
            case .addElement(let set, _, _, _): "+\(set)"
            case .deleteElement(let set, _, _, _): "-\(set)"
            default: nil
            }
        }
        #expect(maps == ["-service-ips", "-service-nodeports", "+no-endpoint-nodeports", "+no-endpoint-services"])
        #expect(new.chains.isEmpty)
    }
}

import Model
import PolicyCases
import Proxy
import Rules
import Testing

/// The first packet of a connection that a node forwards.
private struct PolicyPacket {
    var from: IPAddress
    var to: IPAddress
    var proto: UInt8
    var port: UInt16
}

/// Walks a compiled table as the kernel would.
private struct RulesetWalker {
    let rules: Ruleset

    /// Whether the hook `forward` lets the packet pass.
    func passes(_ packet: PolicyPacket) throws -> Bool {
        let traces = Tracer(tables: [PolicyCompiler.id(.ipv4): rules]).traverse(
            Packet(from: packet.from, to: packet.to, proto: packet.proto, port: packet.port), .forward)
        return try #require(traces.first, "no way through").outcome == .accept && traces.count == 1
    }
}

private let icmp: UInt8 = 1, tcp: UInt8 = 6, udp: UInt8 = 17, sctp: UInt8 = 132

private func compiler() throws -> PolicyCompiler {
    PolicyCompiler(
        node: NodeView(
            name: "n1", address: try #require(IPAddress("192.168.200.11")), clusterCIDR: try #require(IPNetwork("10.244.0.0/16")),
            serviceCIDR: try #require(IPNetwork("10.1.0.0/16")), podCIDR: IPNetwork("10.244.1.0/24") ?? .all(.ipv4)))
}

private func pod(_ namespace: String, _ name: String, _ address: String, labels: [String: String] = [:], ports: String = "") throws
    -> PolicyPod
{
    var json = try JSON(
        parsing: """
            {"metadata": {"namespace": "\(namespace)", "name": "\(name)"}, "status": {"phase": "Running", "podIP": "\(address)"},
             "spec": {"nodeName": "\(address.hasPrefix("10.244.1.") ? "n1" : "n2")", "containers": [{"name": "c", "ports": [\(ports)]}]}}
            """)
    json["metadata"]["labels"] = JSON(labels)
    return try #require(PolicyPod(Pod(json), .ipv4, node: "n1"))
}

private func snapshot(_ pods: [PolicyPod], _ policies: [(key: String, spec: String)], namespaces: [String: [String: String]] = [:]) throws
    -> PolicySnapshot
{
    var snapshot = PolicySnapshot()
    for pod in pods { snapshot.pods[pod.key] = pod }
    for (key, spec) in policies {
        let parts = key.split(separator: "/").map(String.init)
        let policy = NetworkPolicy(
            try JSON(parsing: #"{"metadata": {"namespace": "\#(parts[0])", "name": "\#(parts[1])"}, "spec": \#(spec)}"#))
        snapshot.policies[policy.key] = policy
    }
    snapshot.namespaces = namespaces
    return snapshot
}

/// A compiled snapshot, asked with addresses as text.
private struct Lab {
    let rules: Ruleset

    init(_ pods: [PolicyPod], _ policies: [(key: String, spec: String)], namespaces: [String: [String: String]] = [:]) throws {
        rules = try compiler().compile(snapshot(pods, policies, namespaces: namespaces))
    }

    func passes(_ from: String, _ to: String, _ proto: UInt8 = tcp, _ port: UInt16 = 80) throws -> Bool {
        let from = try #require(IPAddress(from)), to = try #require(IPAddress(to))
        return try RulesetWalker(rules: rules).passes(PolicyPacket(from: from, to: to, proto: proto, port: port))
    }
}

@Suite("The tutorial's policies")
struct TutorialPolicies {
    private let httpd = "10.244.1.157", friend = "10.244.2.9", stranger = "10.244.2.10"
    private let narrow = """
        {"podSelector": {"matchLabels": {"name": "networkpolicy-demo"}}, "ingress": [
          {"from": [{"podSelector": {"matchLabels": {"access": "true"}}}], "ports": [{"protocol": "TCP", "port": 80}]}]}
        """
    private let wide = """
        {"podSelector": {"matchLabels": {"name": "networkpolicy-demo"}}, "ingress": [
          {"from": [{"podSelector": {"matchLabels": {"access": "true"}}}, {"ipBlock": {"cidr": "192.168.200.0/24"}}],
           "ports": [{"protocol": "TCP", "port": 80}]}]}
        """

    private func pods() throws -> [PolicyPod] {
        [
            try pod("default", "httpd-1", httpd, labels: ["name": "networkpolicy-demo"]),
            try pod("default", "friend", friend, labels: ["access": "true"]), try pod("default", "stranger", stranger),
        ]
    }

    @Test("T11 is a class and its elements: who is in it, who may, and who says so")
    func golden() throws {
        let rules = try Lab(pods(), [("default/access-httpd", narrow)]).rules
        let expected = """
            add element ip kube-netpol ingress-isolation { 0x5941aee1 comment "isolated for ingress by default/access-httpd" }
            add element ip kube-netpol ingress-ports { 0x5941aee1 . 10.244.2.9 . tcp . 80 comment "default/access-httpd ingress[0]" }
            add element ip kube-netpol isolated-ingress { 10.244.1.157 comment "default/httpd-1" : 0x5941aee1 }
            add element ip kube-netpol itself { 10.244.1.157 . 10.244.1.157 comment "default/httpd-1" }
            """
        #expect(
            Ruleset.diff(PolicyCompiler.base(.ipv4), rules).map { $0.text(table: PolicyCompiler.id(.ipv4)) }.joined(separator: "\n")
                == expected)
    }

    @Test("T12 and T13: the label opens port 80 and nothing else does, not even for a ping")
    func narrowPolicy() throws {
        let lab = try Lab(pods(), [("default/access-httpd", narrow)])
        #expect(try lab.passes(friend, httpd))
        #expect(try !lab.passes(stranger, httpd))
        #expect(try !lab.passes(friend, httpd, tcp, 81))
        #expect(try !lab.passes(friend, httpd, udp, 80))
        #expect(try !lab.passes(friend, httpd, icmp, 0))
        #expect(try !lab.passes("192.168.200.1", httpd))
    }

    @Test("T14: the wider policy lets the node network in, at TCP 80 only")
    func widePolicy() throws {
        let lab = try Lab(pods(), [("default/access-httpd", wide)])
        for address in ["192.168.200.0", "192.168.200.1", "192.168.200.12", "192.168.200.255", friend] {
            #expect(try lab.passes(address, httpd), "\(address)")
            #expect(try !lab.passes(address, httpd, tcp, 79), "\(address)")
            #expect(try !lab.passes(address, httpd, tcp, 81), "\(address)")
            #expect(try !lab.passes(address, httpd, icmp, 0), "\(address)")
        }
        for address in ["192.168.199.255", "192.168.201.0", stranger] { #expect(try !lab.passes(address, httpd), "\(address)") }
    }

    @Test("T15: a pod that no policy selects answers everyone")
    func unselected() throws {
        let lab = try Lab(pods() + [pod("default", "busybox", "10.244.1.150")], [("default/access-httpd", wide)])
        #expect(try lab.passes(stranger, "10.244.1.150", icmp, 0))
        #expect(try lab.passes(httpd, stranger, tcp, 9999))
    }

    @Test("without a policy nothing is isolated")
    func none() throws { #expect(try Lab(pods(), []).rules == PolicyCompiler.base(.ipv4)) }
}

@Suite("What a policy's rules mean")
struct PolicyRules {
    private let web = "10.244.1.1", peer = "10.244.1.2", far = "10.244.2.3"
    private let webPorts = #"{"name": "http", "containerPort": 8080}, {"name": "dns", "protocol": "UDP", "containerPort": 53}"#

    private func lab(_ specs: String...) throws -> Lab {
        let pods = [
            try pod("red", "web", web, labels: ["app": "web"], ports: webPorts), try pod("red", "peer", peer, labels: ["app": "peer"]),
            try pod("blue", "far", far, labels: ["app": "peer"], ports: #"{"name": "http", "containerPort": 9090}"#),
        ]
        let policies = specs.enumerated().map { (key: "red/policy-\($0.offset)", spec: $0.element) }
        return try Lab(pods, policies, namespaces: ["red": ["color": "red"], "blue": ["color": "blue"]])
    }

    @Test("a policy without rules drops everything")
    func denyAll() throws {
        let lab = try lab(#"{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}"#)
        for proto in [icmp, tcp, udp, sctp] {
            #expect(try !lab.passes(far, web, proto))
            #expect(try !lab.passes(web, far, proto))
            #expect(try !lab.passes("8.8.8.8", web, proto))
            #expect(try !lab.passes(web, "8.8.8.8", proto))
        }
    }

    @Test("an empty rule allows everything")
    func allowAll() throws {
        let lab = try lab(#"{"podSelector": {}}"#, #"{"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{}]}"#)
        #expect(try lab.passes("8.8.8.8", web, icmp, 0))
        #expect(try lab.passes(far, web, sctp, 1))
        #expect(try !lab.passes(far, peer))
    }

    @Test("isolation is per direction")
    func directions() throws {
        let ingress = try lab(#"{"podSelector": {}, "policyTypes": ["Ingress"]}"#)
        #expect(try !ingress.passes(far, web))
        #expect(try ingress.passes(web, far))
        let egress = try lab(#"{"podSelector": {}, "policyTypes": ["Egress"]}"#)
        #expect(try egress.passes(far, web))
        #expect(try !egress.passes(web, far))
    }

    @Test("without policyTypes egress rules isolate for egress, and their absence does not")
    func defaultTypes() throws {
        let both = try lab(#"{"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "8.8.8.8/32"}}]}]}"#)
        #expect(try both.passes(web, "8.8.8.8"))
        #expect(try !both.passes(web, far))
        #expect(try !both.passes(far, web))
        #expect(try lab(#"{"podSelector": {}, "ingress": []}"#).passes(web, far))
    }

    /// pkg/apis/networking/v1/defaults.go adds Egress if `len(obj.Spec.Egress) != 0`.
    @Test("an empty list of egress rules does not isolate for egress unless policyTypes says so")
    func emptyEgress() throws {
        #expect(try lab(#"{"podSelector": {}, "egress": []}"#).passes(web, far))
        #expect(try !lab(#"{"podSelector": {}, "egress": [], "policyTypes": ["Egress"]}"#).passes(web, far))
    }

    @Test("both ends have to allow a connection")
    func bothEnds() throws {
        let out = #"{"podSelector": {"matchLabels": {"app": "peer"}}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 80}]}]}"#
        let `in` = #"{"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": 80}, {"port": 81}]}]}"#
        let lab = try lab(out, `in`)
        #expect(try lab.passes(peer, web, tcp, 80))
        #expect(try !lab.passes(peer, web, tcp, 81))
        #expect(try lab.passes(far, web, tcp, 81))
        #expect(try !lab.passes(far, web, tcp, 82))
    }

    @Test("policies add up")
    func union() throws {
        let lab = try lab(
            #"{"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}"#,
            #"{"podSelector": {}, "ingress": [{"ports": [{"port": 443}]}]}"#)
        #expect(try lab.passes(far, web, tcp, 80))
        #expect(try lab.passes(far, web, tcp, 443))
        #expect(try !lab.passes(far, web, tcp, 81))
    }

    @Test("a pod selector means the policy's namespace, with a namespace selector the chosen ones")
    func selectors() throws {
        func policy(_ peers: String) -> String { #"{"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": [\#(peers)]}]}"# }
        let own = try lab(policy(#"{"podSelector": {"matchLabels": {"app": "peer"}}}"#))
        #expect(try own.passes(peer, web))
        #expect(try !own.passes(far, web))
        let blue = try lab(policy(#"{"namespaceSelector": {"matchLabels": {"color": "blue"}}}"#))
        #expect(try !blue.passes(peer, web))
        #expect(try blue.passes(far, web))
        let and = try lab(
            policy(#"{"namespaceSelector": {"matchLabels": {"color": "blue"}}, "podSelector": {"matchLabels": {"app": "web"}}}"#))
        #expect(try !and.passes(far, web))
        let or = try lab(policy(#"{"namespaceSelector": {"matchLabels": {"color": "blue"}}}, {"podSelector": {}}"#))
        #expect(try or.passes(far, web))
        #expect(try or.passes(peer, web, icmp, 0))
        let all = try lab(policy(#"{"namespaceSelector": {}}"#))
        #expect(try all.passes(far, web))
        #expect(try all.passes(peer, web))
        #expect(try !all.passes("8.8.8.8", web))
    }

    @Test("an ipBlock holds its addresses but those of its exceptions")
    func except() throws {
        let lab = try lab(
            """
            {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "172.16.0.0/16",
              "except": ["172.16.4.0/24", "172.16.0.0/32", "172.16.4.128/25", "172.16.255.0/24"]}}]}]}
            """)
        for inside in ["172.16.0.1", "172.16.3.255", "172.16.5.0", "172.16.254.255"] {
            #expect(try lab.passes(inside, web), "\(inside)")
            #expect(try lab.passes(inside, web, icmp, 0), "\(inside)")
        }
        for outside in ["172.15.255.255", "172.16.0.0", "172.16.4.0", "172.16.4.255", "172.16.255.0", "172.16.255.255", "172.17.0.0"] {
            #expect(try !lab.passes(outside, web), "\(outside)")
        }
    }

    @Test("an exception in one block does not take from another")
    func exceptIsLocal() throws {
        let lab = try lab(
            """
            {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}, {"ipBlock": {"cidr": "10.9.0.0/16"}}]}]}
            """)
        #expect(try lab.passes("10.9.1.1", web))
        #expect(try !lab.passes("10.8.1.1", web))
        #expect(try lab.passes("255.255.255.255", web))
    }

    @Test("a port range holds both ends, a port without a number every port of its protocol")
    func endPort() throws {
        let lab = try lab(#"{"podSelector": {}, "ingress": [{"ports": [{"port": 8000, "endPort": 8010}, {"protocol": "UDP"}]}]}"#)
        #expect(try lab.passes(far, web, tcp, 8000))
        #expect(try lab.passes(far, web, tcp, 8010))
        #expect(try !lab.passes(far, web, tcp, 7999))
        #expect(try !lab.passes(far, web, tcp, 8011))
        #expect(try lab.passes(far, web, udp, 0))
        #expect(try lab.passes(far, web, udp, 65535))
        #expect(try !lab.passes(far, web, sctp, 8000))
        #expect(try !lab.passes(far, web, icmp, 0))
    }

    @Test("a named port is the receiving pod's, in its protocol")
    func namedPorts() throws {
        let ingress = try lab(#"{"podSelector": {}, "ingress": [{"ports": [{"port": "http"}, {"protocol": "TCP", "port": "dns"}]}]}"#)
        #expect(try ingress.passes(far, web, tcp, 8080))
        #expect(try !ingress.passes(far, web, udp, 53))
        #expect(try !ingress.passes(far, web, tcp, 53))
        #expect(try !ingress.passes(far, peer, tcp, 8080))
        let egress = try lab(
            #"{"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}]}"#
        )
        #expect(try egress.passes(peer, far, tcp, 9090))
        #expect(try !egress.passes(peer, far, tcp, 8080))
        #expect(try egress.passes(peer, web, tcp, 8080))
        #expect(try !egress.passes(peer, web, tcp, 9090))
        let block = try lab(
            #"{"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["\#(web)/32"]}}], "ports": [{"port": "http"}]}]}"#
        )
        #expect(try block.passes(peer, far, tcp, 9090), "the name is the destination pod's, however it was chosen")
        #expect(try !block.passes(peer, far, tcp, 8080))
        #expect(try !block.passes(peer, web, tcp, 8080), "an exception is no peer")
    }

    @Test("a name that two containers give to two ports is both")
    func twoNumbersOfOneName() throws {
        let twice = try pod(
            "red", "twice", "10.244.1.9", ports: #"{"name": "http", "containerPort": 80}, {"name": "http", "containerPort": 81}"#)
        let (from, to) = ("10.244.1.1", "10.244.1.9")
        for spec in [
            #"{"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]}"#,
            #"{"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}], "ports": [{"port": "http"}]}]}"#,
        ] {
            let lab = try Lab([twice, pod("red", "near", "10.244.1.1")], [("red/named", spec)])
            for (port, isAllowed) in [(80, true), (81, true), (82, false)] as [(UInt16, Bool)] {
                #expect(try lab.passes(from, to, tcp, port) == isAllowed, "\(spec) \(port)")
            }
        }
    }

    @Test("only this node's pods are in its table")
    func localOnly() throws {
        let rules = try Lab([pod("red", "near", "10.244.1.1"), pod("red", "away", "10.244.2.1")], [("red/deny", #"{"podSelector": {}}"#)])
            .rules
        let isolated = try #require(rules.elements["isolated-ingress"])
        #expect(Set(isolated.keys) == [[.address(IPAddress(ipv4: 0x0AF4_0101))]])
    }

    @Test("pods that are finished, without an address or of the host's network are no pods to a policy")
    func unreachable() {
        func entry(_ spec: JSON, _ status: JSON) -> PolicyPod? {
            PolicyPod(Pod(["metadata": ["name": "p"], "spec": spec, "status": status]), .ipv4, node: "n1")
        }
        #expect(entry([:], ["podIP": "10.244.1.1", "phase": "Running"]) != nil)
        #expect(entry([:], ["podIP": "10.244.1.1", "phase": "Succeeded"]) == nil)
        #expect(entry([:], ["podIP": "10.244.1.1", "phase": "Failed"]) == nil)
        #expect(entry([:], ["phase": "Pending"]) == nil)
        #expect(entry(["hostNetwork": true], ["podIP": "192.168.200.11", "phase": "Running"]) == nil)
    }
}

@Suite("Sets the kernel takes")
struct PolicySets {
    @Test("overlapping blocks and port ranges become disjoint elements with the same union")
    func disjoint() throws {
        let spec = """
            {"podSelector": {}, "ingress": [
              {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80, "endPort": 90}]},
              {"from": [{"ipBlock": {"cidr": "10.5.0.0/16"}}], "ports": [{"port": 85, "endPort": 100}, {"protocol": "UDP", "port": 85}]},
              {"from": [{"ipBlock": {"cidr": "10.5.5.0/24"}}]},
              {"from": [{"ipBlock": {"cidr": "10.5.5.5/32"}}, {"podSelector": {}}], "ports": [{"port": 70, "endPort": 200}]}]}
            """
        let lab = try Lab([pod("red", "web", "10.244.1.1"), pod("red", "peer", "10.244.1.2")], [("red/blocks", spec)])
        let intervals = lab.rules.sets.filter { $0.value.isInterval && lab.rules.elements[$0.key]?.isEmpty == false }.keys
        #expect(intervals.count == 1)
        for set in intervals {
            let boxes = try #require(lab.rules.elements[set]).keys.map { $0.map(\.bounds) }
            #expect(boxes.count >= 4)
            for (index, a) in boxes.enumerated() {
                for b in boxes[(index + 1)...] {
                    let overlap = zip(a, b).allSatisfy {
                        !$0.last.lexicographicallyPrecedes($1.first) && !$1.last.lexicographicallyPrecedes($0.first)
                    }
                    #expect(!overlap, "\(a) and \(b)")
                }
            }
        }
        #expect(try lab.passes("10.1.0.0", "10.244.1.1", tcp, 90))
        #expect(try !lab.passes("10.1.0.0", "10.244.1.1", tcp, 91))
        #expect(try lab.passes("10.5.0.0", "10.244.1.1", tcp, 80))
        #expect(try lab.passes("10.5.255.255", "10.244.1.1", tcp, 100))
        #expect(try lab.passes("10.5.6.0", "10.244.1.1", udp, 85))
        #expect(try !lab.passes("10.6.0.0", "10.244.1.1", udp, 85))
        #expect(try lab.passes("10.5.5.9", "10.244.1.1", icmp, 0))
        #expect(try !lab.passes("10.5.6.0", "10.244.1.1", icmp, 0))
        #expect(try lab.passes("10.244.1.2", "10.244.1.1", tcp, 200))
        #expect(try !lab.passes("10.244.1.2", "10.244.1.1", tcp, 201))
    }

    @Test("pods that the same policies isolate are of one class, and no policy adds a rule")
    func shared() throws {
        let pods = try (1...20).map { try pod("red", "p\($0)", "10.244.1.\($0)", labels: ["app": $0 <= 10 ? "a" : "b"]) }
        let rules = try Lab(pods, [("red/all", #"{"podSelector": {}}"#), ("red/a", #"{"podSelector": {"matchLabels": {"app": "a"}}}"#)])
            .rules
        let isolated = try #require(rules.elements["isolated-ingress"])
        #expect(isolated.count == 20)
        #expect(Set(isolated.values.compactMap(\.data)).count == 2 && rules.elements["ingress-isolation"]?.count == 2)
        #expect(rules.chains == PolicyCompiler.base(.ipv4).chains && rules.sets == PolicyCompiler.base(.ipv4).sets)
    }

    @Test("two classes never share a number, whatever their names, and none has kube-proxy's bit or is nothing")
    func numbers() {
        var taken: Set<UInt32> = []
        for _ in 0..<20_000 {
            let number = PolicyCompiler.number("ingress default/name=web", isTaken: taken.contains)
            #expect(number != 0 && number & ServiceTable.masqueradeMark == 0)
            guard taken.insert(number).inserted else {
                Issue.record("\(number) was given twice")
                return
            }
        }
    }

    @Test("a packet whose class goes while it is on its way is dropped, not let in")
    func goneClass() throws {
        let web = try pod("red", "web", "10.244.1.1")
        var rules = try compiler().compile(snapshot([web], [("red/p", #"{"podSelector": {}}"#)]))
        rules.elements["ingress-isolation"] = nil
        let packet = Packet(from: IPAddress(ipv4: 0x0808_0808), to: web.address, proto: tcp, port: 80)
        let trace = try #require(Tracer(tables: [PolicyCompiler.id(.ipv4): rules]).traverse(packet, .forward).first)
        #expect(trace.outcome == .drop && trace.steps.last?.comment?.contains("of no class") == true)
    }

    @Test("a packet that is to be masqueraded is judged as any other, and stays marked for it")
    func masqueraded() throws {
        let web = try pod("red", "web", "10.244.1.1", labels: ["app": "web"]), far = try pod("red", "far", "10.244.2.1")
        let rules = try compiler().compile(
            snapshot([web, far], [("red/p", #"{"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": 80}]}]}"#)]))
        let tracer = Tracer(tables: [PolicyCompiler.id(.ipv4): rules])
        for (to, port, passes) in [(web, 80, true), (web, 81, false), (far, 81, true)] as [(PolicyPod, UInt16, Bool)] {
            for mark in [0, ServiceTable.masqueradeMark] {
                var packet = Packet(from: IPAddress(ipv4: 0x0808_0808), to: to.address, proto: tcp, port: port)
                packet.mark = mark
                let trace = try #require(tracer.traverse(packet, .forward).first)
                #expect((trace.outcome == .accept) == passes, "\(to.key) \(port)")
                #expect(!passes || trace.packet.mark & ServiceTable.masqueradeMark == mark, "\(to.key) \(port)")
            }
        }
    }
}

@Suite("Compiled tables and the API's words")
struct PolicyAgreement {
    private static let namespaces = ["red": ["color": "red", "env": "test"], "blue": ["color": "blue"]]

    @Test("agree on any policies and any packet", arguments: [11, 12, 13, 14, 15] as [UInt64])
    func agree(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var allowed = 0, denied = 0
        for round in 0..<100 {
            let hosts = Self.hosts(&random)
            var policies: [OraclePolicy] = []
            for number in 0..<random.number(1..<5) { policies.append(Self.policy(&random, number)) }
            let oracle = PolicyOracle(policies: policies, namespaces: Self.namespaces)
            let lab = try Lab(
                hosts.filter { !$0.name.isEmpty }.map(Self.pod), policies.map { (key: "\($0.namespace)/\($0.name)", spec: $0.spec) },
                namespaces: Self.namespaces)
            let walker = RulesetWalker(rules: lab.rules), snapshot = try Self.snapshot(hosts, policies)
            for _ in 0..<80 {
                let from = random.pick(hosts), to = random.pick(hosts)
                if from.address == to.address { continue }
                let (proto, number) = random.pick([("ICMP", icmp), ("TCP", tcp), ("TCP", tcp), ("UDP", udp), ("SCTP", sctp)])
                let port = proto == "ICMP" ? 0 : random.pick([52, 53, 54, 80, 81, 8080, 8085, 8090, 8091, 65535])
                let expected = oracle.allows(from, to, proto, port)
                let packet = PolicyPacket(
                    from: IPAddress(ipv4: from.address), to: IPAddress(ipv4: to.address), proto: number, port: UInt16(port))
                let passes = try walker.passes(packet)
                if expected { allowed += 1 } else { denied += 1 }
                // Reading the policies anew for each packet takes its time.
                let words = (allowed + denied) % 5 == 0 ? Self.words(snapshot, from, to, number, UInt16(port)) : nil
                if let words, words.allSatisfy(\.isAllowed) != expected {
                    Issue.record(
                        "seed \(seed), round \(round): \(packet) \(proto) \(port) should be \(expected), and is said to be \(words)")
                    return
                }
                guard passes != expected else { continue }
                Issue.record(
                    """
                    seed \(seed), round \(round): \(from.namespace)/\(from.name) \(packet.from) -> \(to.namespace)/\(to.name) \(packet.to) \(proto) \(port): \
                    the API \(expected ? "allows" : "denies"); \(policies.map { "\($0.namespace)/\($0.name) \($0.spec)" })
                    """)
                return
            }
        }
        // Neither answer is so rare that agreeing on it says nothing.
        #expect(allowed > 500)
        #expect(denied > 500)
    }

    /// Eight pods, five of them on this node, and four addresses outside.
    private static func hosts(_ random: inout SplitMix64) -> [OracleHost] {
        var hosts = [0xC0A8_C801, 0xC0A8_C8FF, 0xAC10_0509, 0x0808_0808].map { OracleHost(address: $0) }
        for number in 0..<8 {
            var host = OracleHost(address: (number < 5 ? 0x0AF4_0100 : 0x0AF4_0200) + UInt32(10 + number))
            host.namespace = number % 2 == 0 ? "red" : "blue"
            host.name = "pod-\(number)"
            host.isLocal = number < 5
            if random.chance(80) { host.labels["app"] = random.pick(["web", "db"]) }
            if random.chance(50) { host.labels["tier"] = random.pick(["front", "back"]) }
            if random.chance(60) { host.ports.append(("TCP", "http", random.pick([80, 8080]))) }
            if random.chance(30) { host.ports.append(("UDP", "dns", 53)) }
            // Another container's, which may bear the same name.
            if random.chance(20) { host.ports.append(("TCP", "http", 65535)) }
            hosts.append(host)
        }
        return hosts
    }

    /// The same cluster as objects, each port in a container of its own.
    private static func snapshot(_ hosts: [OracleHost], _ policies: [OraclePolicy]) throws -> ClusterSnapshot {
        var snapshot = ClusterSnapshot(cluster: Cluster())
        snapshot.namespaces = namespaces.map { Namespace(["metadata": ["name": .string($0.key), "labels": JSON($0.value)]]) }
        snapshot.policies = try policies.map {
            NetworkPolicy(["metadata": ["name": .string($0.name), "namespace": .string($0.namespace)], "spec": try JSON(parsing: $0.spec)])
        }
        snapshot.pods = hosts.filter { !$0.name.isEmpty }.map { host in
            let containers = host.ports.enumerated().map { index, port -> JSON in
                [
                    "name": .string("c\(index)"),
                    "ports": [["protocol": .string(port.0), "name": .string(port.1), "containerPort": .int(port.2)]],
                ]
            }
            return Pod([
                "metadata": ["name": .string(host.name), "namespace": .string(host.namespace), "labels": JSON(host.labels)],
                "spec": ["nodeName": "n", "containers": .array(containers)],
                "status": ["phase": "Running", "podIP": .string("\(IPAddress(ipv4: host.address))")],
            ])
        }
        return snapshot
    }

    /// What is said of a packet where this node decides.
    private static func words(_ snapshot: ClusterSnapshot, _ from: OracleHost, _ to: OracleHost, _ proto: UInt8, _ port: UInt16)
        -> [PolicyExplanation]
    {
        let packet = Packet(from: IPAddress(ipv4: from.address), to: IPAddress(ipv4: to.address), proto: proto, port: port)
        let ends: [(OracleHost, NetworkPolicy.Direction)] = [(from, .egress), (to, .ingress)]
        return ends.compactMap { host, direction in
            guard host.isLocal, let pod = snapshot.pods.first(where: { $0.name == host.name }) else { return nil }
            return snapshot.explain(packet, of: pod, direction)
        }
    }

    private static func pod(_ host: OracleHost) throws -> PolicyPod {
        let ports = host.ports.map { #"{"protocol": "\#($0.0)", "name": "\#($0.1)", "containerPort": \#($0.2)}"# }
        return try SmallTests.pod(
            host.namespace, host.name, "\(IPAddress(ipv4: host.address))", labels: host.labels, ports: ports.joined(separator: ","))
    }

    private static func policy(_ random: inout SplitMix64, _ number: Int) -> OraclePolicy {
        var policy = OraclePolicy(
            namespace: random.pick(["red", "blue"]), name: "policy-\(number)",
            selector: selector(&random, ["app": ["web", "db"], "tier": ["front"]]),
            types: random.pick([nil, nil, ["Ingress"], ["Egress"], ["Ingress", "Egress"]]), ingress: [], egress: [])
        for _ in 0..<random.number(0..<4) { policy.ingress.append(rule(&random)) }
        for _ in 0..<random.number(0..<3) { policy.egress.append(rule(&random)) }
        return policy
    }

    private static func rule(_ random: inout SplitMix64) -> OracleRule {
        var rule = OracleRule(peers: [], ports: [])
        for _ in 0..<random.pick([0, 1, 1, 2, 3]) { rule.peers.append(peer(&random)) }
        for _ in 0..<random.pick([0, 1, 2, 2, 3]) {
            let proto = random.pick([nil, "TCP", "UDP", "SCTP"])
            switch random.number(0..<4) {
            case 0: rule.ports.append(OraclePort(proto: proto))
            case 1: rule.ports.append(OraclePort(proto: proto, number: random.pick([53, 80, 8080, 65535])))
            case 2:
                let first = random.pick([53, 80, 8080])
                rule.ports.append(OraclePort(proto: proto, number: first, end: first + random.pick([0, 1, 10, 8010])))
            default: rule.ports.append(OraclePort(proto: proto, name: random.pick(["http", "dns", "none"])))
            }
        }
        return rule
    }

    private static func peer(_ random: inout SplitMix64) -> OraclePeer {
        let pods = selector(&random, ["app": ["web", "db"], "tier": ["front", "back"]])
        let chosen = selector(&random, ["color": ["red", "blue"], "env": ["test"]])
        switch random.number(0..<5) {
        case 0: return .pods(pods)
        case 1: return .namespaces(chosen)
        case 2: return .podsOfNamespaces(pods, chosen)
        default:
            let address = random.pick([0xC0A8_C801, 0xC0A8_C8FF, 0xAC10_0509, 0x0808_0808, 0x0AF4_010A, 0x0AF4_020D] as [UInt32])
            let block = OracleBlock(address, random.pick([0, 8, 16, 24, 30, 32]))
            var except: [OracleBlock] = []
            for _ in 0..<random.number(0..<3) {
                let inside = random.pick([address, address ^ 1, address ^ 0x0100, address ^ 0x1_0000])
                if block.length < 32, block.contains(inside) { except.append(OracleBlock(inside, random.number((block.length + 1)..<33))) }
            }
            return .block(block, except: except)
        }
    }

    private static func selector(_ random: inout SplitMix64, _ values: [String: [String]]) -> OracleSelector {
        var selector = OracleSelector(requirements: [])
        for label in values.keys.sorted() where random.chance(40) {
            let op = random.pick(["In", "In", "NotIn", "Exists", "DoesNotExist"])
            let isList = op == "In" || op == "NotIn"
            selector.requirements.append((label, op, isList ? [random.pick(values[label] ?? [])] : []))
        }
        return selector
    }
}

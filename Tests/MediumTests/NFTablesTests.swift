import Model
import Netlink
import Proxy
import Rules
import Testing

/// Our encoding against nft's own: the same changes, once through our batch and once as text through nft, must list the
/// same.
@Suite("what we tell nf_tables is what nft would have told it")
struct NFTablesTests {
    static let node = NodeView(
        name: "k8s-node1", address: IPAddress("192.168.200.129") ?? .unspecified(.ipv4),
        clusterCIDR: IPNetwork("10.244.0.0/16") ?? .all(.ipv4),
        serviceCIDR: IPNetwork("10.1.0.0/16") ?? .all(.ipv4), podCIDR: IPNetwork("10.244.1.0/24") ?? .all(.ipv4))

    static func service(_ endpoints: [String], affinity: Bool = false) throws -> Ruleset {
        let service = Service(
            try JSON(
                parsing: """
                    {"metadata": {"name": "httpd-svc", "namespace": "default"}, "spec": {"type": "NodePort", "clusterIP": "10.1.216.8",
                     "sessionAffinity": "\(affinity ? "ClientIP" : "None")", "ports": [{"port": 8080, "protocol": "TCP", "targetPort": 80, "nodePort": 33000}]}}
                    """))
        let list = endpoints.map { "{\"addresses\": [\"\($0)\"], \"conditions\": {\"ready\": true}, \"nodeName\": \"k8s-node2\"}" }
        let slice = EndpointSlice(
            try JSON(
                parsing: """
                    {"metadata": {"name": "s", "namespace": "default", "labels": {"kubernetes.io/service-name": "httpd-svc"}},
                     "endpoints": [\(list.joined(separator: ","))], "ports": [{"name": "", "port": 80, "protocol": "TCP"}]}
                    """))
        return ServiceCompiler(node: node).compile(service, [slice])
    }

    static func policies() throws -> Ruleset {
        var snapshot = PolicySnapshot()
        let policy = NetworkPolicy(
            try JSON(
                parsing: """
                    {"metadata": {"name": "access", "namespace": "default"}, "spec": {"podSelector": {"matchLabels": {"app": "web"}},
                     "policyTypes": ["Ingress", "Egress"],
                     "ingress": [{"from": [{"podSelector": {"matchLabels": {"access": "true"}}},
                       {"ipBlock": {"cidr": "192.168.200.0/24", "except": ["192.168.200.64/26"]}}], "ports": [{"port": 80}, {"port": 1000, "endPort": 2000, "protocol": "UDP"}]},
                       {"from": [{"podSelector": {"matchLabels": {"any": "port"}}}]}],
                     "egress": [{}]}}
                    """))
        snapshot.policies[policy.key] = policy
        snapshot.namespaces["default"] = [:]
        for (index, labels) in [["app": "web"], ["access": "true"], ["any": "port"]].enumerated() {
            let key = ObjectKey("default", "pod\(index)")
            snapshot.pods[key] = PolicyPod(key: key, address: IPAddress(ipv4: 0x0AF4_0102 + UInt32(index)), labels: labels, isLocal: true)
        }
        return PolicyCompiler(node: node).compile(snapshot)
    }

    static func whole(_ part: Ruleset) -> Ruleset {
        var all = ServiceTable.base(node), frame = ServiceFrame(node: node)
        all.merge(part)
        frame.count(ServiceShare(part, local: [IPAddress(ipv4: 0x0AF4_0102)]), by: 1)
        all.merge(frame.rules)
        return all
    }

    /// A listing with the lines in order: the kernel keeps elements in whatever order its hashes fall.
    private static func ordered(_ listing: String) -> String {
        listing.split(separator: "\n").map { line in
            line.replacing("elements = { ", with: "").trimmingPrefix { $0.isWhitespace }.split(separator: " ").filter { $0 != "}" }.joined(
                separator: " ")
        }.map { $0.hasSuffix(",") ? String($0.dropLast()) : $0 }.sorted().joined(separator: "\n")
    }

    /// Lists what `changes` make, by our way and by nft's.
    func both(_ changes: [Change], _ family: TableFamily = .ip) async throws -> (ours: String, theirs: String) {
        let ours = try TestNamespace(), theirs = try TestNamespace()
        try await KernelRulesets(namespace: ours.path).apply(changes, table: TableID(family, "t"))
        _ = try theirs.nft(changes.map { $0.text(table: TableID(family, "t")) }.joined(separator: "\n") + "\n")
        return (Self.ordered(try ours.output("nft list ruleset")), Self.ordered(try theirs.output("nft list ruleset")))
    }

    @Test("services: maps, balancing, NodePort, masquerade")
    func services() async throws {
        let rules = Self.whole(try Self.service(["10.244.1.2", "10.244.1.3", "10.244.2.2"]))
        let lists = try await both([.addTable] + Ruleset.diff(Ruleset(), rules))
        #expect(lists.ours.contains("numgen random mod 3 map @service-endpoints"))
        #expect(lists.ours.contains("10.1.216.8 . tcp . 8080 . 2 comment \"default/httpd-svc\" : 10.244.2.2 . 80"))
        #expect(lists.ours == lists.theirs)
    }

    @Test("services without endpoints are rejected")
    func noEndpoints() async throws {
        let lists = try await both([.addTable] + Ruleset.diff(Ruleset(), Self.whole(try Self.service([]))))
        #expect(lists.ours.contains("10.1.216.8 . tcp . 8080 comment \"default/httpd-svc\""))
        #expect(lists.ours == lists.theirs)
    }

    @Test("session affinity: dynamic sets with a timeout")
    func affinity() async throws {
        let lists = try await both(
            [.addTable] + Ruleset.diff(Ruleset(), Self.whole(try Self.service(["10.244.1.2", "10.244.1.3"], affinity: true))))
        #expect(lists.ours.contains("timeout 3h") && lists.ours.contains("update @"))
        #expect(lists.ours == lists.theirs)
    }

    @Test("host ports: on every address of the node, and on one")
    func hostPorts() async throws {
        let ports: JSON = [
            ["containerPort": 80, "hostPort": 8080], ["containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "127.0.0.1"],
        ]
        let pod = Pod(["metadata": ["namespace": "default", "name": "web"], "spec": ["containers": [["name": "main", "ports": ports]]]])
        var rules = HostPortTable.base(Self.node)
        rules.merge(HostPortTable.compile(pod, IPAddress("10.244.1.2") ?? .unspecified(.ipv4)))
        let lists = try await both([.addTable] + Ruleset.diff(Ruleset(), rules))
        #expect(lists.ours.contains("dnat to 10.244.1.2:80") && lists.ours.contains("127.0.0.1 . udp . 53"))
        #expect(lists.ours == lists.theirs)
    }

    @Test("policies: single peers, ranges with holes, ranges of ports")
    func policyTables() async throws {
        let lists = try await both([.addTable] + Ruleset.diff(Ruleset(), try Self.policies()))
        #expect(lists.ours.contains("192.168.200.0/26 . tcp . 80") && lists.ours.contains("1000-2000"))
        #expect(lists.ours == lists.theirs)
    }

    @Test("a diff leaves the kernel where the whole would have put it")
    func incremental() async throws {
        let steps = [
            try Self.service([]), try Self.service(["10.244.1.2"]), try Self.service(["10.244.1.2", "10.244.2.9"]),
            try Self.service(["10.244.2.9"]), try Self.service(["10.244.2.9"], affinity: true), Ruleset(),
        ]
        let changed = try TestNamespace()
        let kernel = try KernelRulesets(namespace: changed.path)
        var now = Self.whole(Ruleset())
        try await kernel.apply([.addTable] + Ruleset.diff(Ruleset(), now), table: TableID(.ip, "t"))
        for step in steps {
            let next = Self.whole(step)
            try await kernel.apply(Ruleset.diff(now, next), table: TableID(.ip, "t"))
            now = next
            let fresh = try TestNamespace()
            try await KernelRulesets(namespace: fresh.path).apply([.addTable] + Ruleset.diff(Ruleset(), next), table: TableID(.ip, "t"))
            #expect(Self.ordered(try changed.output("nft list ruleset")) == Self.ordered(try fresh.output("nft list ruleset")))
        }
    }

    @Test("what was written is read back as it was: rules, maps, intervals, comments, chains without names")
    func readBack() async throws {
        let namespace = try TestNamespace()
        let kernel = try KernelRulesets(namespace: namespace.path)
        #expect(try await kernel.read(TableID(.ip, "t")) == nil)
        for rules in [
            Self.whole(try Self.service(["10.244.1.2", "10.244.1.3", "10.244.2.2"])),
            Self.whole(try Self.service(["10.244.1.2"], affinity: true)),
            Self.whole(try Self.service([])), try Self.policies(), FlannelMasquerade.compile(Self.node),
            HostPortTable.base(Self.node), Self.odd,
        ] {
            try await kernel.apply([.addTable, .deleteTable, .addTable] + Ruleset.diff(Ruleset(), rules), table: TableID(.ip, "t"))
            let found = try #require(try await kernel.read(TableID(.ip, "t")))
            #expect(found.chains == rules.asKept.chains)
            #expect(found.sets == rules.asKept.sets)
            #expect(found.elements.filter { !$0.value.isEmpty } == rules.asKept.elements.filter { !$0.value.isEmpty })
            #expect(Ruleset.diff(found, rules.asKept).isEmpty)
        }
    }

    /// What no compiler of ours writes today: intervals of one field that touch each other and the ends of the space.
    private static var odd: Ruleset {
        var rules = Ruleset()
        rules.sets["blocks"] = NamedSet(key: [.address(.ipv4)], isInterval: true, comment: "networks")
        for block in ["0.0.0.0/8", "10.0.0.0/24", "10.0.1.0/25", "255.255.255.0/24"] {
            rules.add([.network(IPNetwork(block) ?? .all(.ipv4))], to: "blocks")
        }
        rules.sets["ports"] = NamedSet(key: [.port], isInterval: true)
        for range in [1...1, 80...90, 65000...65535] as [ClosedRange<UInt16>] { rules.add([.ports(range)], to: "ports") }
        rules.chains["c"] = Chain([
            Rule(
                .inSet([.sourceAddress(.ipv4)], "blocks"), .inSet([.destinationPort], "ports"), .counter, .verdict(.accept),
                comment: String(repeating: "é", count: 90)),
            Rule(
                .match(.inputInterface, .interface("cni0")), .match(.outputInterface, .interface("eth0"), negated: true),
                .verdict(.return)),
            Rule(.match(.destinationPort, .port(53)), .match(.transportProtocol, .transportProtocol(17)), .verdict(.drop)),
        ])
        return rules
    }

    @Test("a sync that finds the table right changes nothing in it; what strangers changed is mended, the rest left alone")
    func adoption() async throws {
        let namespace = try TestNamespace()
        let kernel = try KernelRulesets(namespace: namespace.path)
        let rules = Self.whole(try Self.service(["10.244.1.2", "10.244.1.3"], affinity: true))
        let first = TableSync(table: TableID(.ip, "t"), target: kernel)
        try await first.apply(rules)
        let affinity = try #require(rules.sets.keys.first { $0.hasPrefix("service-clients-") })
        _ = try namespace.nft("add element ip t \(affinity) { 10.9.9.9 . 10.1.216.8 . tcp . 8080 }\n")
        // Rule handles tell a rule that stayed from one that was written anew.
        let before = try namespace.output("nft -a list table ip t")

        let second = TableSync(table: TableID(.ip, "t"), target: kernel)
        try await second.apply(rules)
        #expect(
            Self.withoutAges(try namespace.output("nft -a list table ip t")) == Self.withoutAges(before),
            "no handle and no remembered client is new")

        _ = try namespace.nft(
            """
            add rule ip t services counter drop
            delete element ip t cluster-ips { 10.1.216.8 }
            add element ip t no-endpoint-services { 10.1.0.99 . tcp . 1 }
            add chain ip t intruder
            """)
        let third = TableSync(table: TableID(.ip, "t"), target: kernel)
        try await third.apply(rules)
        let after = try namespace.output("nft -a list table ip t")
        #expect(!after.contains("10.1.0.99") && !after.contains("intruder") && after.contains("10.1.216.8 comment"))
        func handles(_ listing: String, _ word: String) -> [Substring] {
            listing.split(separator: "\n").filter { $0.contains(word) && $0.contains("# handle") }
        }
        #expect(handles(after, "masquerade-mark") == handles(before, "masquerade-mark"))
        #expect(
            handles(after, "dnat ip to") == handles(before, "dnat ip to") && !handles(after, "dnat ip to").isEmpty,
            "what was right was not touched")
        #expect(
            handles(after, "goto choose-service-endpoint") != handles(before, "goto choose-service-endpoint"),
            "the chain that was changed was written again")
    }

    @Test("an owned table goes with the socket that made it, and nobody else can change it meanwhile")
    func owned() async throws {
        let namespace = try TestNamespace(), table = TableID(.ip, "t")
        do {
            let kernel = try KernelRulesets(namespace: namespace.path)
            var rules = Ruleset()
            rules.chains["prerouting"] = Chain(hook: Hook(.filter, .prerouting, -350), [Rule([.trace])])
            try await kernel.apply([.addOwnedTable] + Ruleset.diff(Ruleset(), rules), table: table)
            #expect(try namespace.output("nft list ruleset").contains("meta nftrace set 1"))
            let stranger = try KernelRulesets(namespace: namespace.path)
            await #expect(throws: NetlinkError.self) { try await stranger.apply([.deleteTable], table: table) }
            withExtendedLifetime(kernel) {}
        }
        #expect(try namespace.output("nft list tables") == "")
    }

    @Test(
        "a chain whose policy is another, and a table that sleeps, are made again",
        arguments: ["chain ip t filter-forward { policy drop; }", "add table ip t { flags dormant; }"])
    func silenced(_ damage: String) async throws {
        let rules = Self.whole(try Self.service(["10.244.1.2"]))
        let namespace = try TestNamespace()
        let kernel = try KernelRulesets(namespace: namespace.path)
        try await TableSync(table: TableID(.ip, "t"), target: kernel).apply(rules)
        let before = Self.ordered(try namespace.output("nft list table ip t"))
        _ = try namespace.nft("\(damage)\n")
        #expect(Self.ordered(try namespace.output("nft list table ip t")) != before)
        #expect(TableDifference(table: TableID(.ip, "t"), found: try await kernel.read(TableID(.ip, "t")), wanted: rules.asKept) != nil)
        try await TableSync(table: TableID(.ip, "t"), target: kernel).apply(rules)
        #expect(Self.ordered(try namespace.output("nft list table ip t")) == before)
    }

    /// Remembered clients age while one looks.
    private static func withoutAges(_ listing: String) -> String { ordered(listing.replacing(/expires \w+/, with: "expires")) }

    @Test("a transaction with one bad command changes nothing, and the error names the command")
    func atomic() async throws {
        let namespace = try TestNamespace()
        let kernel = try KernelRulesets(namespace: namespace.path)
        try await kernel.apply([.addTable, .addChain("a", nil)], table: TableID(.ip, "t"))
        let before = try namespace.output("nft list ruleset")
        let error = await #expect(throws: NetlinkError.self) {
            try await kernel.apply(
                [.addChain("b", nil), .addRule(chain: "b", Rule(.verdict(.jump("nowhere")))), .addChain("c", nil)], table: TableID(.ip, "t")
            )
        }
        #expect(error?.operation == "nft add rule ip t b jump nowhere")
        #expect(try namespace.output("nft list ruleset") == before)
    }

    @Test("ten thousand elements fit one transaction")
    func large() async throws {
        let namespace = try TestNamespace()
        var rules = Ruleset()
        rules.sets["s"] = NamedSet(key: [.address(.ipv4)])
        for index in 0..<10_000 { rules.add([.address(IPAddress(ipv4: 0x0A00_0000 + UInt32(index)))], to: "s") }
        try await KernelRulesets(namespace: namespace.path).apply([.addTable] + Ruleset.diff(Ruleset(), rules), table: TableID(.ip, "t"))
        let list = try namespace.output("nft -j list set ip t s")
        #expect(list.split(separator: "\"10.").count - 1 == 10_000)
    }
}

import Model
import Netlink
import Proxy
import Rules
import Testing

/// The compilers take the family from the node's view: here they are asked for IPv6's tables, and nft and the kernel judge them.
extension NFTablesTests {
    private static func node6() throws -> NodeView {
        NodeView(
            name: "k8s-node1", address: try #require(IPAddress("fd00:c8::81")), clusterCIDR: try #require(IPNetwork("fd00:10:244::/48")),
            serviceCIDR: try #require(IPNetwork("fd00:10:1::/112")), podCIDR: try #require(IPNetwork("fd00:10:244:1::/64")))
    }

    private static func services6() throws -> Ruleset {
        let service = Service([
            "metadata": ["name": "web", "namespace": "default"],
            "spec": [
                "type": "NodePort", "clusterIP": "fd00:10:1::8", "sessionAffinity": "ClientIP",
                "ports": [["port": 8080, "protocol": "TCP", "targetPort": 80, "nodePort": 33000]],
            ],
        ])
        // The IPv4 endpoint is another family's business.
        let endpoints: [JSON] = ["fd00:10:244:1::2", "fd00:10:244:2::3", "10.244.1.2"].map { ["addresses": [.string($0)]] }
        let slice = EndpointSlice([
            "metadata": ["name": "s", "namespace": "default", "labels": ["kubernetes.io/service-name": "web"]],
            "endpoints": .array(endpoints), "ports": [["name": "", "port": 80, "protocol": "TCP"]],
        ])
        var other = service.json
        other["metadata"]["name"] = "other"
        other["spec"]["clusterIP"] = "fd00:10:1::9"
        other["spec"]["sessionAffinity"] = "None"
        other["spec"]["ports"] = [["port": 8080, "protocol": "TCP", "targetPort": 80, "nodePort": 33001]]
        return ServiceCompiler(node: try node6()).table([(service, [slice]), (Service(other), [slice])])
    }

    private static func policies6() throws -> Ruleset {
        var snapshot = PolicySnapshot()
        let policy = NetworkPolicy([
            "metadata": ["name": "access", "namespace": "default"],
            "spec": [
                "podSelector": ["matchLabels": ["app": "web"]],
                "ingress": [
                    [
                        "from": [
                            ["podSelector": ["matchLabels": ["access": "true"]]], ["ipBlock": ["cidr": "192.168.0.0/16"]],
                            ["ipBlock": ["cidr": "fd00:c8::/64", "except": ["fd00:c8::80/121"]]],
                        ], "ports": [["port": 80], ["port": 1000, "endPort": 2000, "protocol": "UDP"]],
                    ]
                ],
            ],
        ])
        snapshot.policies[policy.key] = policy
        snapshot.namespaces["default"] = [:]
        for (index, labels) in [["app": "web"], ["access": "true"]].enumerated() {
            let key = ObjectKey("default", "pod\(index)"), address = try #require(IPNetwork("fd00:10:244:1::/64"))[2 + index]
            snapshot.pods[key] = PolicyPod(key: key, address: address, labels: labels, isLocal: true)
        }
        let four = ObjectKey("default", "four")
        snapshot.pods[four] = PolicyPod(key: four, address: IPAddress(ipv4: 0x0AF4_0102), labels: ["access": "true"], isLocal: true)
        return PolicyCompiler(node: try node6()).compile(snapshot)
    }

    private static func hostPorts6() throws -> Ruleset {
        let ports: JSON = [
            ["containerPort": 80, "hostPort": 8080], ["containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "::1"],
        ]
        let pod = Pod(["metadata": ["namespace": "default", "name": "web"], "spec": ["containers": [["name": "main", "ports": ports]]]])
        var rules = HostPortTable.base(try node6())
        rules.merge(HostPortTable.compile(pod, try #require(IPAddress("fd00:10:244:1::2"))))
        return rules
    }

    private static func tables6() throws -> [(Ruleset, expected: [String])] {
        [
            (
                try services6(),
                [
                    "fd00:10:244:1::2 . 80", "update @service-clients-10800s-slot-1 { ip6 saddr", "ip6 daddr fd00:10:1::/112 drop",
                    "numgen random mod 2 vmap",
                ]
            ),
            (try policies6(), ["fd00:c8::/121 . tcp . 80", "fd00:10:244:1::3 . udp . 1000-2000"]),
            (try hostPorts6(), ["dnat to [fd00:10:244:1::2]:80", "::1 . udp . 53", "ip6 daddr ::1"]),
            (FlannelMasquerade.compile(try node6()), ["snat to fd00:c8::81", "ip6 daddr != ff00::/8"]),
            (
                OverlayTable.compile([try #require(IPAddress("fd00:c8::80")), try #require(IPAddress("fd00:c8::81"))], .ipv6),
                ["fd00:c8::80"]
            ),
        ]
    }

    @Test("the same compilers make IPv6's tables, as nft would have made them, and they read back as they were")
    func ipv6() async throws {
        for (rules, expected) in try Self.tables6() {
            let lists = try await both([.addTable] + Ruleset.diff(Ruleset(), rules), .ip6)
            #expect(lists.ours == lists.theirs)
            for text in expected { #expect(lists.ours.contains(text), "\(text) in \(lists.ours)") }
            #expect(!lists.ours.contains("10.244.1.2") && !lists.ours.contains("192.168"))

            let namespace = try TestNamespace(), table = TableID(.ip6, "t")
            let kernel = try KernelRulesets(namespace: namespace.path)
            try await kernel.apply([.addTable] + Ruleset.diff(Ruleset(), rules), table: table)
            let found = try #require(try await kernel.read(table))
            #expect(Ruleset.diff(found, rules.asKept).isEmpty)
            #expect(found.chains == rules.asKept.chains && found.sets == rules.asKept.sets)
        }
    }
}

import API
import Controllers
import Model
import Proxy
import Rules
import Runtime
import Store
import Testing

/// The documents and clusters that the suites of both families start from.
enum DualStack {
    static let subnets = """
          nodeSubnet: 192.168.206.0/24,fd00:192:168:206::/64
          podSubnet: [10.244.0.0/16, "fd00:10:244::/56"]
          serviceSubnet: 10.1.0.0/16, fd00:10:1::/112

        """

    static func cluster(_ spec: String = subnets) throws -> Cluster {
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: lab}\nspec:\n\(spec)"
        return try Cluster(try #require(try Manifest.read(text, file: "lab.yaml").first))
    }

    static func api(_ spec: String = subnets) async throws -> APIServer {
        let api = APIServer(store: try ObjectStore(history: .standard), cluster: try cluster(spec), now: { Fixture.time })
        _ = try await api.create(.namespaces, Fixture.namespace("default"))
        return api
    }

    static func service(_ name: String, _ change: (inout JSON) -> Void = { _ in }) -> JSON {
        var service = Fixture.service(name)
        change(&service["spec"])
        return service
    }
}

@Suite("a Cluster document of both families")
struct DualStackDocumentTests {
    @Test("networks stand in a text or in a list, and nodes get a place in each")
    func read() throws {
        let cluster = try DualStack.cluster()
        #expect(cluster.families == [.ipv4, .ipv6])
        #expect(cluster.nodes[1].addresses.map(\.description) == ["192.168.206.129", "fd00:192:168:206::81"])
        #expect(cluster.nodes[1].podCIDRs.map(\.description) == ["10.244.1.0/24", "fd00:10:244:1::/64"])
        #expect(cluster.networks[1].dnsService.description == "fd00:10:1::a")
        #expect(try Cluster(stored: cluster.json) == cluster)
    }

    @Test("a subnet that is left out is the standard one of each family that another names; the first is the primary")
    func standard() throws {
        let six = try DualStack.cluster("  podSubnet: fd00:1::/56\n")
        #expect(six.families == [.ipv6] && six.nodeSubnet.description == "fd00:192:168:200::/64")
        #expect(six.nodes[0].address.description == "fd00:192:168:200::80")
        let turned = try DualStack.cluster("  podSubnet: fd00:1::/56,10.9.0.0/16\n")
        #expect(turned.families == [.ipv6, .ipv4] && turned.networks[1].services.description == "10.1.0.0/16")
        #expect(try DualStack.cluster("  vni: 1\n").networks == [.standard(.ipv4)])
    }

    @Test("what a document of one family writes of itself has one network each")
    func stored() throws {
        let spec = try DualStack.cluster("  vni: 1\n").json["spec"]
        #expect(spec["podSubnet"] == "10.244.0.0/16" && spec["nodes"][0]["address"] == "192.168.200.128")
    }

    @Test(
        "what cannot be is told in one sentence that names the field",
        arguments: [
            (
                "podSubnet: 10.244.0.0/16,10.245.0.0/16",
                "spec.podSubnet: 10.244.0.0/16 and 10.245.0.0/16 are both of IPv4: there is one network of each family"
            ),
            (
                "podSubnet: 10.244.0.0/16,fd00::/56\n  serviceSubnet: 10.1.0.0/16",
                "spec.serviceSubnet: it is of IPv4, and podSubnet of IPv4 and IPv6: the three subnets name the same families in the same order"
            ),
            (
                "podSubnet: 10.244.0.0/16,fd00::/56\n  nodeSubnet: fd01::/64,10.9.0.0/24",
                "spec.podSubnet: it is of IPv4 and IPv6, and nodeSubnet of IPv6 and IPv4: the three subnets name the same families in the same order"
            ),
            ("podSubnet: 10.244.0.0/16,fd00::/64", "spec.podSubnet: fd00::/64: the prefix length must be between 48 and 62"),
            (
                "podSubnet: fd00::/56\n  serviceSubnet: fd00:0:0:1::/112",
                "spec.serviceSubnet: fd00:0:0:1::/112 overlaps podSubnet fd00::/56"
            ),
            (
                "podSubnet: fd00::1/56",
                "spec.podSubnet: \"fd00::1/56\" is no CIDR without host bits, such as 10.244.0.0/16 or fd00:10:244::/56"
            ),
            (
                "podSubnet: ff02::/56",
                "spec.podSubnet: ff02::/56 is no network for machines: loopback, link-local, multicast and reserved addresses are not"
            ),
            (
                "serviceSubnet: 127.0.0.0/16",
                "spec.serviceSubnet: 127.0.0.0/16 is no network for machines: loopback, link-local, multicast and reserved addresses are not"
            ),
            (
                "nodeSubnet: fe80::/64",
                "spec.nodeSubnet: fe80::/64 is no network for machines: loopback, link-local, multicast and reserved addresses are not"
            ),
            ("podSubnet: 5", "spec.podSubnet: must be text or a list of texts, not 5"),
            ("podSubnet: fd00::/56\n  nodes: [{name: a, address: 10.0.0.1}]", "spec.nodes[0].address: \"10.0.0.1\" is no IPv6 address"),
            (
                "podSubnet: 10.9.0.0/16,fd00::/56\n  nodes: [{name: a, address: [\"fd00::5\", \"fd00::6\"]}]",
                "spec.nodes[0].address: fd00::5 and fd00::6 are both of IPv6"
            ),
        ])
    func refused(_ spec: String, _ message: String) throws {
        let error = try #require(throws: ManifestError.self) { try DualStack.cluster("  \(spec)\n") }
        #expect(error.message == message)
    }
}

@Suite("Services of both families")
struct DualStackServiceTests {
    private func refusal(_ body: () async throws -> Void) async throws -> String {
        do { try await body() } catch let error as StatusError { return error.message }
        return ""
    }

    @Test(
        "an address of each family that is asked for, in that order",
        arguments: [
            (nil, [], ["IPv4"], "SingleStack"), ("SingleStack", ["IPv6"], ["IPv6"], "SingleStack"),
            ("PreferDualStack", [], ["IPv4", "IPv6"], "PreferDualStack"),
            ("RequireDualStack", ["IPv6"], ["IPv6", "IPv4"], "RequireDualStack"),
        ] as [(String?, [String], [String], String)])
    func families(_ policy: String?, _ asked: [String], _ families: [String], _ settled: String) async throws {
        let api = try await DualStack.api()
        let made = Service(
            try await api.create(
                .services,
                DualStack.service("a") {
                    $0["ipFamilyPolicy"] = JSON(policy)
                    $0["ipFamilies"] = asked.isEmpty ? .null : .array(asked.map(JSON.string))
                }))
        #expect(made.spec["ipFamilies"] == .array(families.map(JSON.string)) && made.spec["ipFamilyPolicy"].string == settled)
        #expect(made.clusterIPs.map(\.family.rawValue) == families && made.clusterIP == made.clusterIPs.first)
        for address in made.clusterIPs { #expect(api.cluster.networks.contains { $0.services.contains(address) }) }
    }

    @Test("the family of an address that is asked for need not be named; a taken one is refused, of either family")
    func addresses() async throws {
        let api = try await DualStack.api()
        let ask: (inout JSON) -> Void = {
            $0["clusterIP"] = "fd00:10:1::99"
            $0["clusterIPs"] = ["fd00:10:1::99", "10.1.0.99"]
            $0["ipFamilyPolicy"] = "PreferDualStack"
        }
        let made = try await api.create(.services, DualStack.service("a", ask))["spec"]
        #expect(made["ipFamilies"] == ["IPv6", "IPv4"] && made["clusterIPs"] == ["fd00:10:1::99", "10.1.0.99"])
        let taken = try await refusal { _ = try await api.create(.services, Fixture.service("b", clusterIP: "10.1.0.99")) }
        #expect(taken.contains("failed to allocate IP 10.1.0.99: provided IP is already allocated"))
        try await api.delete(.services, Fixture.key("a"))
        _ = try await api.create(.services, DualStack.service("b", ask))
    }

    @Test("headless: of every family without a selector, as it says with one")
    func headless() async throws {
        let api = try await DualStack.api()
        let open = try await api.create(.services, DualStack.service("a") { ($0["clusterIP"], $0["selector"]) = ("None", .null) })["spec"]
        #expect(open["ipFamilies"] == ["IPv4", "IPv6"] && open["ipFamilyPolicy"] == "RequireDualStack" && open["clusterIPs"] == ["None"])
        let single = try await api.create(.services, DualStack.service("b") { $0["clusterIP"] = "None" })["spec"]
        #expect(single["ipFamilies"] == ["IPv4"] && single["ipFamilyPolicy"] == "SingleStack")
    }

    @Test("an update gives the second address, and SingleStack takes it")
    func updates() async throws {
        let api = try await DualStack.api()
        let single = Service(try await api.create(.services, Fixture.service("a")))
        func policy(_ name: String) async throws -> Service {
            Service(try await api.patch(.services, Fixture.key("a"), ["spec": ["ipFamilyPolicy": .string(name)]]))
        }
        let dual = try await policy("RequireDualStack")
        #expect(dual.clusterIPs.count == 2 && dual.clusterIP == single.clusterIP && dual.families == [.ipv4, .ipv6])
        let less = try await refusal { _ = try await api.patch(.services, Fixture.key("a"), ["spec": ["ipFamilies": ["IPv4"]]]) }
        #expect(
            less.contains(
                "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary IP family"))
        let again = try await policy("SingleStack")
        #expect(again.clusterIPs == single.clusterIPs && again.families == [.ipv4])
    }

    @Test(
        "what cannot be is refused in Kubernetes' words",
        arguments: [
            (
                ["ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]],
                "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
            ),
            (["ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv4"]], "spec.ipFamilies[1]: Duplicate value: \"IPv4\""),
            (
                ["clusterIP": "10.1.0.9", "clusterIPs": ["10.1.0.9", "10.1.0.10"], "ipFamilyPolicy": "PreferDualStack"],
                "may specify no more than one IP for each IP family"
            ),
            (
                ["clusterIP": "10.1.0.9", "clusterIPs": ["10.1.0.9"], "ipFamilies": ["IPv6"]],
                "spec.clusterIPs[0]: Invalid value: \"10.1.0.9\": expected an IPv6 value as indicated by `ipFamilies[0]`"
            ),
            (["clusterIP": "fd00:10:2::9"], "The range of valid IPs is fd00:10:1::/112"),
        ] as [(JSON, String)])
    func refused(_ spec: JSON, _ message: String) async throws {
        let api = try await DualStack.api()
        let error = try await refusal {
            _ = try await api.create(
                .services, DualStack.service("a") { own in for (key, value) in spec.object ?? JSONObject() { own[key] = value } })
        }
        #expect(error.contains(message), "\(error)")
    }

    @Test("a cluster of IPv6 alone gives IPv6, and knows no IPv4")
    func onlyIPv6() async throws {
        let api = try await DualStack.api("  podSubnet: fd00:1::/56\n")
        let made = try await api.create(.services, Fixture.service("a"))["spec"]
        #expect(made["ipFamilies"] == ["IPv6"] && made["clusterIP"].string?.hasPrefix("fd00:10:1::") == true)
        let error = try await refusal { _ = try await api.create(.services, DualStack.service("b") { $0["ipFamilies"] = ["IPv4"] }) }
        #expect(error.contains("spec.ipFamilies[0]: Invalid value: \"IPv4\": not configured on this cluster"))
    }

    @Test("a Service of both families has an EndpointSlice of each; Endpoints have the first")
    func slices() async throws {
        let api = try await DualStack.api()
        _ = try await api.create(.services, DualStack.service("web") { $0["ipFamilyPolicy"] = "PreferDualStack" })
        _ = try await api.create(.pods, Fixture.pod("web", labels: ["app": "web"], node: "k8s-node1"))
        try await api.mutateStatus(Pod.self, Fixture.key("web")) {
            $0.status["podIP"] = "10.244.1.2"
            $0.status["podIPs"] = [["ip": "10.244.1.2"], ["ip": "fd00:10:244:1::2"]]
            $0.status["conditions"] = [["type": "Ready", "status": "True"]]
        }
        try await EndpointsReconciler().reconcile(Fixture.key("web"), api)
        let slices = try await api.list(EndpointSlice.self).sorted {
            $0.json["addressType"].string ?? "" < $1.json["addressType"].string ?? ""
        }
        #expect(slices.map { $0.json["addressType"] } == ["IPv4", "IPv6"])
        #expect(slices.map { $0.endpoints.map { $0["addresses"][0] } } == [["10.244.1.2"], ["fd00:10:244:1::2"]])
        let endpoints = try await api.get(.endpoints, Fixture.key("web"))
        #expect(endpoints["subsets"][0]["addresses"].items.map { $0["ip"] } == ["10.244.1.2"])
    }
}

@Suite("a node's network of both families")
struct DualStackNetworkTests {
    private func words(_ items: [NetworkItem]) -> [String] { items.map(\.description) }

    @Test("each family has its own tunnel, routes and neighbours, as flannel makes them")
    func node() throws {
        let cluster = try DualStack.cluster(), layout = words(FlannelLayout.node(cluster.nodes[0], cluster))
        for item in [
            "address fd00:192:168:206::80/64 on eth0", "route default via fd00:192:168:206::2 dev eth0", "link flannel-v6.1",
            "address fd00:10:244::/128 on flannel-v6.1", "route fd00:10:244:1::/64 via fd00:10:244:1:: dev flannel-v6.1",
            "address fd00:10:244::1/64 on cni0", "sysctl net.ipv6.conf.all.forwarding=1", "sysctl net.bridge.bridge-nf-call-ip6tables=1",
            "address 10.244.0.0/32 on flannel.1", "route 10.244.1.0/24 via 10.244.1.0 dev flannel.1",
        ] { #expect(layout.contains(item), "\(item)") }
        #expect(layout.filter { $0.hasPrefix("neighbour ") }.count == 4 && layout.filter { $0.hasPrefix("fdb entry") }.count == 4)
        let single = try DualStack.cluster("  vni: 1\n")
        #expect(
            !words(FlannelLayout.node(single.nodes[0], single)).contains { $0.contains("ip6") || $0.contains(":: ") || $0.contains("v6") })
    }

    @Test("a pod has an address and two routes of each family")
    func pod() throws {
        let cluster = try DualStack.cluster(), pod = Pod(Fixture.pod("a"))
        let addresses = [try #require(IPAddress("10.244.0.2")), try #require(IPAddress("fd00:10:244::2"))]
        #expect(
            words(FlannelLayout.pod(pod, addresses: addresses, of: FlannelSubnet(cluster.nodes[0], cluster), cluster)) == [
                "link eth0", "address 10.244.0.2/24 on eth0", "route 10.244.0.0/24 dev eth0", "route default via 10.244.0.1 dev eth0",
                "route 10.244.0.0/16 via 10.244.0.1 dev eth0", "address fd00:10:244::2/64 on eth0", "route fd00:10:244::/64 dev eth0",
                "route default via fd00:10:244::1 dev eth0", "route fd00:10:244::/56 via fd00:10:244::1 dev eth0",
            ])
    }

    @Test("subnet.env and the Node say both, in flannel's words")
    func files() throws {
        let cluster = try DualStack.cluster()
        let plugin = NodePlugins.plugin(for: cluster.nodes[0], of: cluster, paths: ClusterPaths(cluster: "lab"))
        #expect(
            plugin.files["/run/flannel/subnet.env"] == """
                FLANNEL_NETWORK=10.244.0.0/16
                FLANNEL_SUBNET=10.244.0.1/24
                FLANNEL_IPV6_NETWORK=fd00:10:244::/56
                FLANNEL_IPV6_SUBNET=fd00:10:244::1/64
                FLANNEL_MTU=1430
                FLANNEL_IPMASQ=true

                """)
        #expect(plugin.annotations["flannel.alpha.coreos.com/public-ipv6"] == "fd00:192:168:206::80")
        #expect(plugin.annotations["flannel.alpha.coreos.com/backend-v6-data"]?.hasPrefix("{\"VNI\":1,\"VtepMAC\":\"") == true)
    }

    @Test("a pool of /64 hands out its first addresses, and one far away does not move it")
    func pool() throws {
        let network = try #require(IPNetwork("fd00:10:244:1::/64"))
        var pool = AddressPool(network: network)
        #expect(pool.allocate()?.description == "fd00:10:244:1::2" && pool.allocate()?.description == "fd00:10:244:1::3")
        pool.reserve(network.last)
        #expect(pool.allocate() != nil)
    }

    @Test("a pod's link lets through what it says of itself in either family")
    func links() throws {
        let address = try #require(IPAddress("fd00:10:244::2")), mac = try #require(MACAddress("02:11:22:33:44:55"))
        #expect(mac.linkLocalAddress.description == "fe80::11:22ff:fe33:4455")
        let part = PodLinkTable.compile(PodLink(name: "veth1", hardwareAddress: mac, address: address), of: Fixture.key("a"))
        #expect(part.elements["links6"]?.count == 1 && part.elements["neighbours"]?.count == 2 && part.elements["links"] == nil)
        #expect(PodLinkTable.base().sets.keys.sorted() == ["links"])
        #expect(PodLinkTable.base([.ipv4, .ipv6]).sets.keys.sorted() == ["links", "links6", "neighbours"])
    }
}

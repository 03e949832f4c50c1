import Agents
import Model
import Netlink
import Proxy
import Runtime
import Testing

@Suite("calico-node: what its manifest tells it, and what it lays out")
struct CalicoNodeTests {
    /// What all of Calico's manifests say.
    private static let common = [
        "DATASTORE_TYPE": "kubernetes", "WAIT_FOR_DATASTORE": "true", "NODENAME": "one", "CALICO_DISABLE_FILE_LOGGING": "true",
        "FELIX_DEFAULTENDPOINTTOHOSTACTION": "ACCEPT", "FELIX_IPV6SUPPORT": "false", "FELIX_HEALTHENABLED": "true",
        // What the kubelet says of a Service, as of typha's.
        "CALICO_TYPHA_SERVICE_HOST": "10.1.0.9", "CALICO_TYPHA_PORT_5473_TCP": "tcp://10.1.0.9:5473",
        "CALICO_TYPHA_PORT": "tcp://10.1.0.9:5473",
    ]
    private static let calico = [
        "CALICO_NETWORKING_BACKEND": "bird", "CLUSTER_TYPE": "k8s,bgp", "IP": "autodetect", "CALICO_IPV4POOL_IPIP": "Always",
        "CALICO_IPV4POOL_VXLAN": "Never", "CALICO_IPV6POOL_VXLAN": "Never", "FELIX_IPINIPMTU": "0", "FELIX_VXLANMTU": "0",
    ]

    private func settings(_ more: [String: String], without names: String...) throws -> CalicoSettings {
        let environment = Self.common.merging(more) { $1 }.filter { !names.contains($0.key) }
        return try CalicoSettings(ProgramCall(arguments: [], environment: environment))
    }

    private static func range(_ text: String) throws -> IPNetwork { try #require(IPNetwork(text)) }
    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test("canal's manifest leads packets by another's tunnel; Calico's by its own means: nothing of either is foreign")
    func manifests() throws {
        let canal = try settings([
            "CALICO_NETWORKING_BACKEND": "none", "CLUSTER_TYPE": "k8s,canal", "USE_POD_CIDR": "true", "IP": "",
            "FELIX_IPTABLESREFRESHINTERVAL": "60",
        ])
        #expect(
            canal.unknown.isEmpty && canal.backend == .none && canal.detection == nil && canal.refresh == 60 && canal.healthPort == 9099)
        let own = try settings(Self.calico)
        #expect(own.unknown.isEmpty && own.backend == .bird && own.detection == .firstFound && own.ipip == .always && own.vxlan == .never)
        #expect(own.makesPool && own.poolRange == nil && own.isMasqueraded && own.vxlanMTU == nil && own.blockLength == 26)
    }

    @Test("what is asked for and not done is named; what means nothing is refused by its name")
    func foreign() throws {
        let settings = try settings(["FELIX_BPFENABLED": "true", "FELIX_WIREGUARDENABLED": "true", "USE_POD_CIDR": "true"])
        #expect(settings.unknown == ["FELIX_BPFENABLED=true", "FELIX_WIREGUARDENABLED=true", "USE_POD_CIDR=true"])
        for (name, value) in [
            ("DATASTORE_TYPE", "etcdv3"), ("CALICO_NETWORKING_BACKEND", "magic"), ("CALICO_IPV4POOL_CIDR", "fd00::/48"),
            ("CALICO_IPV4POOL_BLOCK_SIZE", "12"), ("IP", "somewhere"), ("FELIX_HEALTHPORT", "0"),
        ] {
            let error = try #require(throws: ProgramFailure.self) { try self.settings([name: value]) }
            #expect(error.description.contains(name), "\(error)")
        }
        #expect(throws: ProgramFailure.self) { try self.settings([:], without: "NODENAME") }
    }

    @Test("a conflist has the node's words in the place of the manifest's; one that is no JSON is refused")
    func conflist() throws {
        func conflist(_ text: String?, _ more: [String: String] = [:]) throws -> CalicoConflist {
            var environment = ["KUBERNETES_NODE_NAME": "one", "CNI_MTU": "1450", "CNI_CONF_NAME": "10-canal.conflist"]
            environment["CNI_NETWORK_CONFIG"] = text
            return try CalicoConflist(
                ProgramCall(arguments: [], environment: environment.merging(more) { $1 }), token: "secret", host: "machine")
        }
        let text = #"{"plugins": [{"nodename": "__KUBERNETES_NODE_NAME__", "mtu": __CNI_MTU__, "kubeconfig": "__KUBECONFIG_FILEPATH__"}]}"#
        let made = try conflist(text)
        #expect(made.text == #"{"plugins": [{"nodename": "one", "mtu": 1450, "kubeconfig": "/etc/cni/net.d/calico-kubeconfig"}]}"#)
        #expect(made.name == "10-canal.conflist" && made.oldName == "10-calico.conflist")
        #expect(try conflist(text, ["CNI_CONF_NAME": ""]).oldName == nil, "it is its own name")
        #expect(try JSON(parsing: conflist(nil).text)["plugins"][0]["type"] == "calico", "without one it has Calico's")
        #expect(throws: ProgramFailure.self) { try conflist("{") }
        #expect(throws: ProgramFailure.self) { try conflist(text, ["CNI_CONF_NAME": "../../passwd"]) }
    }

    @Test("the node's address: the first that is no container's, that of a link, or what its Node tells")
    func uplink() throws {
        let links: [CalicoUplink.Link] = try [
            ("lo", 65536, "127.0.0.1/8"), ("docker0", 1500, "172.17.0.1/16"), ("eth0", 1500, "10.0.0.5/24"),
            ("eth1", 9000, "192.168.7.5/24"),
        ].map { name, mtu, text in
            let (address, length) = try #require(IPNetwork.parts(text))
            return (name, mtu, [address], [IPNetwork(address, length)])
        }
        var object = Fixture.node("one")
        object["status"]["addresses"] = [["type": "InternalIP", "address": "192.168.7.5"]]
        func found(_ detection: CalicoSettings.Detection?) throws -> String {
            let found = try CalicoUplink.choose(links, detection, node: Node(object))
            return "\(found.link.name) \(found.address)/\(found.prefixLength)"
        }
        #expect(try found(.firstFound) == "eth0 10.0.0.5/24" && found(.links(["wlan.*", "eth1"])) == "eth1 192.168.7.5/24")
        #expect(try found(nil) == "eth1 192.168.7.5/24" && found(.given(Self.address("10.0.0.5"), nil)) == "eth0 10.0.0.5/24")
        #expect(throws: ProgramFailure.self) { try found(.links(["wlan.*"])) }
        #expect(throws: ProgramFailure.self) { try found(.given(Self.address("10.0.0.6"), 24)) }
    }

    private func pool(_ vxlan: String, _ more: JSON = [:]) throws -> CalicoPool {
        var spec: JSON = ["cidr": "10.244.0.0/16", "vxlanMode": .string(vxlan), "natOutgoing": true]
        for (key, value) in more.object ?? JSONObject() { spec[key] = value }
        return try #require(CalicoPool(["spec": spec]))
    }

    private func routes(_ pool: CalicoPool, tunnel: String?) throws -> CalicoRoutes {
        let uplink = Uplink(name: "eth0", mtu: 1500, networks: [try Self.range("192.168.200.0/24")])
        let own = CalicoRoutes.Peer(
            name: "one", address: try Self.address("192.168.200.129"), tunnel: try tunnel.map { try Self.address($0) })
        return CalicoRoutes(own: own, uplink: uplink, pools: [pool], vxlanMTU: nil)
    }

    @Test(
        "blocks are led to by a tunnel, by their nodes' addresses, or by either where a pool says CrossSubnet; own blocks are black holes")
    func ways() throws {
        let near = CalicoRoutes.Peer(name: "two", address: try Self.address("192.168.200.130"), tunnel: try Self.address("10.244.7.0"))
        let far = CalicoRoutes.Peer(name: "three", address: try Self.address("10.9.0.3"), tunnel: try Self.address("10.244.8.0"))
        let blocks = [
            "one": [try Self.range("10.244.1.64/26")], "two": [try Self.range("10.244.2.0/26")], "three": [try Self.range("10.244.3.0/26")],
        ]
        func words(_ vxlan: String, tunnel: String?) throws -> (items: [String], trouble: [String]) {
            let (items, trouble) = try routes(pool(vxlan), tunnel: tunnel).items([near, far], blocks: blocks)
            return (items.map(\.description), trouble)
        }
        let plain = try words("Never", tunnel: nil)
        #expect(plain.items == ["route 10.244.2.0/26 via 192.168.200.130 dev eth0", "route blackhole 10.244.1.64/26"])
        #expect(plain.trouble == ["block 10.244.3.0/26 of node three: no way to 10.9.0.3 but by BGP"])
        let always = try words("Always", tunnel: "10.244.1.64")
        #expect(always.items.starts(with: ["link vxlan.calico", "address 10.244.1.64/32 on vxlan.calico"]) && always.trouble.isEmpty)
        for line in ["10.244.2.0/26 via 10.244.7.0", "10.244.3.0/26 via 10.244.8.0"] {
            #expect(always.items.contains("route \(line) dev vxlan.calico"), "\(always)")
        }
        let either = try words("CrossSubnet", tunnel: "10.244.1.64").items
        #expect(either.contains("route 10.244.2.0/26 via 192.168.200.130 dev eth0"))
        #expect(either.contains("route 10.244.3.0/26 via 10.244.8.0 dev vxlan.calico"))
        #expect(try routes(pool("Always"), tunnel: nil).podMTU == 1450 && routes(pool("Never"), tunnel: nil).podMTU == 1500)
    }

    @Test("what led to a block that is nobody's goes; other routes that a wide pool holds stay")
    func stale() throws {
        let routes = try routes(pool("Never", ["cidr": "192.168.0.0/16"]), tunnel: nil), gateway = try Self.address("192.168.200.1")
        var reading = NetworkReading()
        reading.links["eth0"] = Link(index: 2, name: "eth0", mtu: 1500, address: nil, isUp: true, kind: nil, master: nil)
        reading.routes = [
            .init(try Self.range("192.168.7.64/26"), via: gateway, 2), .init(try Self.range("192.168.50.0/24"), via: gateway, 2),
        ]
        #expect(routes.stale(reading, wanted: []).map(\.description) == ["route 192.168.7.64/26 via 192.168.200.1 dev eth0"])
    }

    @Test("a node has said where it is when its Node has Calico's annotations")
    func annotations() throws {
        var object = Fixture.node("two")
        #expect(CalicoRoutes.Peer(Node(object)) == nil)
        object["metadata"]["annotations"] = [
            "projectcalico.org/IPv4Address": "192.168.200.130/24", "projectcalico.org/IPv4VXLANTunnelAddr": "10.244.7.0",
        ]
        let peer = try #require(CalicoRoutes.Peer(Node(object)))
        #expect(peer.name == "two" && peer.address.description == "192.168.200.130" && peer.tunnel?.description == "10.244.7.0")
    }

    @Test("a pod's route and its link's settings are kept right while the link is there; a pod without a link is the plugin's affair")
    func links() throws {
        var pod = Fixture.pod("web", node: "one")
        pod["status"] = ["phase": "Running", "podIP": "10.244.1.5", "podIPs": [["ip": "10.244.1.5"]]]
        // printf default.web | sha1sum
        let name = "cali68caf03a5f4"
        let items = CalicoPodLinks.items([Pod(pod)], on: "one", links: [name]).map(\.description)
        #expect(
            items.contains("route 10.244.1.5/32 dev \(name)") && items.contains { $0.hasSuffix(".proxy_arp=1") }
                && !items.contains("link \(name)"))
        #expect(
            CalicoPodLinks.items([Pod(pod)], on: "one", links: []).isEmpty
                && CalicoPodLinks.items([Pod(pod)], on: "two", links: [name]).isEmpty)
    }

    @Test("policies of Calico's own kinds are named as what holds nobody; FelixConfiguration by the fields that are not read")
    func kinds() {
        func words(_ kind: Resource, _ spec: JSON, old: JSON? = nil) -> String? {
            CalicoForeign.words(
                kind, ObjectKey("", "default"), old: old.map { kind.object("default", $0) }, new: kind.object("default", spec))
        }
        #expect(words(.calicoGlobalPolicies, ["order": 1])?.contains("it holds nobody") == true)
        #expect(words(.calicoGlobalPolicies, ["order": 1], old: ["order": 1]) == nil, "it was said")
        #expect(words(.calicoFelix, ["logSeverityScreen": "Info"]) == nil)
        #expect(
            words(.calicoFelix, ["logSeverityScreen": "Info", "wireguardEnabled": true])?.hasSuffix("does not read wireguardEnabled")
                == true)
    }
}

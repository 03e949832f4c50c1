import Agents
import Foundation
import Model
import Netlink
import Runtime
import Testing

@Suite("flanneld: what it is told, what it tells the others, and what it lays out")
struct FlanneldTests {
    private static let prefix = "flannel.alpha.coreos.com"
    private static let vxlan = #"{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}"#
    private static let mac = MACAddress(2, 0, 0, 0, 0, 1)

    private func configuration(_ text: String = vxlan) throws -> FlannelConfiguration { try FlannelConfiguration(text) }

    private static func node(_ name: String, _ number: Int, _ annotations: [String: String] = [:]) -> Node {
        var node = Fixture.node(name)
        node["metadata"]["annotations"] = JSON(annotations)
        node["metadata"]["uid"] = .string("uid-\(name)")
        node["spec"]["podCIDR"] = .string("10.244.\(number).0/24")
        return Node(node)
    }

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    private func lease(_ name: String, _ number: Int, _ address: String, _ configuration: FlannelConfiguration) throws -> FlannelLease {
        try FlannelLease(Self.node(name, number), configuration, addresses: [try self.address(address)], prefix: Self.prefix)
    }

    private func tunnels(_ configuration: FlannelConfiguration) throws -> FlannelTunnels {
        let uplink = Uplink(name: "eth0", mtu: 1500, networks: [try #require(IPNetwork("192.168.200.0/24"))])
        return FlannelTunnels(configuration, uplink: uplink, own: try lease("one", 1, "192.168.200.129", configuration))
    }

    @Test("net-conf.json: the network, and the backend with its defaults; what is not known is named, and a backend that is not is refused")
    func reading() throws {
        let plain = try configuration()
        #expect(plain.networks.map(\.description) == ["10.244.0.0/16"] && plain.unknown.isEmpty)
        #expect(plain.backend == .vxlan(vni: 1, port: 8472, isDirect: false, mtu: nil))
        let both = try configuration(
            #"{"EnableIPv6": true, "Network": "10.0.0.0/8", "IPv6Network": "fd00:1::/48", "Backend": {"Type": "vxlan", "VNI": 7, "Port": 4789, "DirectRouting": true, "GBP": true, "MTU": 1400}}"#
        )
        #expect(both.networks.map(\.family) == [.ipv4, .ipv6] && both.unknown == ["Backend.GBP"])
        #expect(both.backend == .vxlan(vni: 7, port: 4789, isDirect: true, mtu: 1400))
        #expect(try configuration(#"{"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}"#).backend == .hostGateway)
        for (text, words) in [
            ("{", "error parsing subnet config"), ("{}", "\"Network\" is null"),
            (#"{"Network": "10.244.0.0/16"}"#, "unknown backend type: udp"),
            (#"{"Network": "10.244.0.0/16", "Backend": {"Type": "wireguard"}}"#, "unknown backend type: wireguard"),
            (#"{"Network": "fd00::/48", "Backend": {"Type": "vxlan"}}"#, "\"Network\" is \"fd00::/48\""),
            (#"{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "Port": 70000}}"#, "Port 70000"),
        ] {
            let error = try #require(throws: FlannelConfiguration.Unusable.self) { try configuration(text) }
            #expect(error.description.contains(words), "\(error)")
        }
    }

    @Test("options come from the command and from FLANNELD_ variables, as canal's manifest has them; what is not done is named")
    func options() throws {
        let call = ProgramCall(
            arguments: ["--ip-masq", "--kube-subnet-mgr", "--iface-can-reach=10.0.0.1"],
            environment: ["FLANNELD_IFACE": "eth1", "FLANNELD_IP_MASQ": "false", "FLANNELD_HEALTHZ_PORT": "0"])
        let options = try FlannelOptions(call)
        #expect(options.isMasqueraded && options.asksKubernetes && options.links == ["eth1"] && options.unknown == ["iface-can-reach"])
        #expect(options.subnetFile == "/run/flannel/subnet.env" && options.configuration == "/etc/kube-flannel/net-conf.json")
        #expect(throws: GoFlags.Misuse.self) { try FlannelOptions(ProgramCall(arguments: ["--nope"], environment: [:])) }
    }

    @Test("the link that others are reached by: by name, by address, by a pattern, else that of the default route")
    func uplink() throws {
        let links = [("lo", [try address("127.0.0.1")]), ("eth0", [try address("10.0.0.5")]), ("eth1", [try address("192.168.7.5")])]
        func name(_ arguments: String...) throws -> String {
            try FlannelUplink.name(
                links.map { (name: $0.0, addresses: $0.1) }, try FlannelOptions(ProgramCall(arguments: arguments, environment: [:])),
                standard: "eth0")
        }
        #expect(try name() == "eth0" && name("--iface=eth1") == "eth1" && name("--iface=192.168.7.5") == "eth1")
        #expect(try name("--iface=wlan0", "--iface=eth1") == "eth1" && name("--iface-regex=^192\\.168\\.") == "eth1")
        #expect(throws: FlannelConfiguration.Unusable.self) { try name("--iface=wlan0") }
    }

    @Test("a lease is the Node's own range, and its annotations are flannel's; another reads from them the same")
    func leases() throws {
        let own = try lease("one", 1, "192.168.200.129", configuration())
        let said = own.annotations(prefix: Self.prefix, vni: 1)
        #expect(said["\(Self.prefix)/backend-type"] == "vxlan" && said["\(Self.prefix)/public-ip"] == "192.168.200.129")
        let mac = try #require(own.places[0].tunnel)
        #expect(said["\(Self.prefix)/backend-data"] == "{\"VNI\":1,\"VtepMAC\":\"\(mac)\"}")
        #expect(FlannelLease(Self.node("one", 1, said), prefix: Self.prefix) == own)
        #expect(FlannelLease(Self.node("one", 1), prefix: Self.prefix) == nil, "nobody's flanneld has written there")
        let elsewhere = Self.node("one", 1, ["\(Self.prefix)/public-ip-overwrite": "203.0.113.9"])
        let wrong = try FlannelLease(elsewhere, configuration(), addresses: [try address("10.0.0.1")], prefix: Self.prefix)
        #expect(wrong.places[0].address.description == "203.0.113.9")
    }

    @Test("a node without a range, or with one outside net-conf.json's network, gets no lease: in flannel's words")
    func lacking() throws {
        let plain = try configuration(), address = try address("10.0.0.1")
        for (node, words) in [
            (Node(Fixture.node("one")), "node \"one\" pod cidr not assigned"),
            (Self.node("one", 1), "subnet \"10.99.0.0/16\" specified in the flannel net config doesn't contain \"10.244.1.0/24\" PodCIDR"),
        ] {
            let network = words.contains("10.99") ? try configuration(Self.vxlan.replacing("10.244", with: "10.99")) : plain
            let error = try #require(throws: FlannelConfiguration.Unusable.self) {
                try FlannelLease(node, network, addresses: [address], prefix: Self.prefix)
            }
            #expect(error.description.contains("failed to acquire lease: \(words)"), "\(error)")
        }
    }

    @Test("the tunnel, and three entries for each other node; DirectRouting and host-gw lead neighbours by their own addresses")
    func layout() throws {
        let plain = try configuration(), tunnels = try tunnels(plain)
        let peers = [tunnels.own, try lease("two", 2, "192.168.200.130", plain)], mac = try #require(peers[1].places[0].tunnel)
        let (items, trouble) = tunnels.items(peers)
        #expect(trouble.isEmpty && tunnels.podMTU == 1450)
        #expect(
            items.map(\.description) == [
                "link flannel.1", "address 10.244.1.0/32 on flannel.1", "neighbour 10.244.2.0 lladdr \(mac) dev flannel.1",
                "fdb entry \(mac) dst 192.168.200.130 dev flannel.1", "route 10.244.2.0/24 via 10.244.2.0 dev flannel.1",
            ])
        let direct = try configuration(Self.vxlan.replacing("\"vxlan\"", with: "\"vxlan\", \"DirectRouting\": true"))
        let far = try lease("three", 3, "203.0.113.7", direct)
        let routes = try self.tunnels(direct).items([peers[1], far]).items.map(\.description).filter { $0.hasPrefix("route") }
        #expect(routes == ["route 10.244.3.0/24 via 10.244.3.0 dev flannel.1", "route 10.244.2.0/24 via 192.168.200.130 dev eth0"])
        let gateway = try configuration(Self.vxlan.replacing("vxlan", with: "host-gw"))
        let ways = try self.tunnels(gateway).items([
            try lease("two", 2, "192.168.200.130", gateway), try lease("three", 3, "203.0.113.7", gateway), peers[1],
        ])
        #expect(ways.items.map(\.description) == ["route 10.244.2.0/24 via 192.168.200.130 dev eth0"])
        #expect(ways.trouble.count == 2 && ways.trouble.contains { $0.contains("node three has backend host-gw at 203.0.113.7") })
        #expect(try self.tunnels(gateway).podMTU == 1500)
    }

    @Test("what leads to a node that has gone is found: all of it in the tunnel, elsewhere the routes into the network")
    func stale() throws {
        let plain = try configuration(), tunnels = try tunnels(plain)
        let (wanted, _) = tunnels.items([try lease("two", 2, "192.168.200.130", plain)])
        var reading = NetworkReading()
        for (index, name) in [(2, "eth0"), (3, "flannel.1"), (4, "cni0")] as [(Int32, String)] {
            reading.links[name] = Link(index: index, name: name, mtu: 1500, address: nil, isUp: true, kind: nil, master: nil)
        }
        for (number, device) in [(2, 3), (9, 3), (8, 2)] as [(Int, Int32)] {
            let network = try #require(IPNetwork("10.244.\(number).0/24"))
            reading.routes.insert(.init(network, via: network.network, device))
        }
        reading.routes.insert(.init(try #require(IPNetwork("10.244.1.0/24")), via: nil, 4))
        reading.routes.insert(.init(.all(.ipv4), via: try address("192.168.200.2"), 2))
        reading.neighbours = [.init(try address("10.244.9.0"), Self.mac, 3), .init(try address("192.168.200.77"), Self.mac, 2)]
        reading.forwarding = [.init(try address("192.168.200.199"), Self.mac, 3)]
        #expect(
            tunnels.stale(reading, wanted: wanted).map(\.description) == [
                "fdb entry \(Self.mac) dst 192.168.200.199 dev flannel.1", "neighbour 10.244.9.0 lladdr \(Self.mac) dev flannel.1",
                "route 10.244.8.0/24 via 10.244.8.0 dev eth0", "route 10.244.9.0/24 via 10.244.9.0 dev flannel.1",
            ])
    }
}

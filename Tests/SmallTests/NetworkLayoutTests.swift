import Model
import Netlink
import Runtime
import Testing

@Suite("what a namespace lacks of its layout")
struct NetworkLayoutTests {
    private let mac = MACAddress(derivedFrom: "test")

    private func link(_ name: String, _ index: Int32, kind: String, master: Int32? = nil) -> Link {
        Link(index: index, name: name, mtu: 1450, address: mac, isUp: true, kind: kind, master: master)
    }

    /// A bridge with one port, an address, a route, a neighbour and a setting; and the layout that says so.
    private func whole() throws -> (NetworkReading, [NetworkItem]) {
        let address = try #require(IPAddress("10.0.0.1")), gateway = try #require(IPAddress("10.0.0.9"))
        var reading = NetworkReading()
        reading.links = ["br": link("br", 2, kind: "bridge"), "port": link("port", 3, kind: "veth", master: 2)]
        reading.addresses = [.init(address, 24, 2)]
        reading.routes = [.init(.all(.ipv4), via: gateway, 2)]
        reading.neighbours = [.init(gateway, mac, 2)]
        reading.forwarding = [.init(gateway, mac, 2)]
        reading.sysctls = ["net.ipv4.ip_forward": "1"]
        return (
            reading,
            [
                .sysctl("net.ipv4.ip_forward", "1"), .link(LinkItem("br", .bridge, mtu: 1450, address: mac)),
                .link(LinkItem("port", .plug, mtu: 1450, master: "br")), .address(address, 24, dev: "br"),
                .route(.all(.ipv4), via: gateway, dev: "br"),
                .neighbour(gateway, mac, dev: "br"), .forwarding(mac, to: gateway, dev: "br"),
            ]
        )
    }

    @Test("nothing, when all is as it should be")
    func nothing() throws {
        let (reading, layout) = try whole()
        #expect(reading.missing(of: layout).isEmpty)
    }

    @Test("a bridge whose MTU follows its ports, or Ethernet's without ports, is no less right; another MTU is somebody's")
    func bridgeMTU() throws {
        var (reading, layout) = try whole()
        for mtu in [1300, 1500] {
            reading.links["br"]?.mtu = mtu
            #expect(reading.missing(of: layout).map(\.description) == ["link br"])
        }
        reading.links["port"]?.mtu = 1500
        #expect(reading.missing(of: layout).map(\.description) == ["link port on br"])
        reading.links["port"] = nil
        #expect(reading.missing(of: layout).map(\.description) == ["link port on br"])
    }

    @Test("each thing that somebody took or changed, and nothing else")
    func each() throws {
        let (reading, layout) = try whole()
        func missing(_ change: (inout NetworkReading) -> Void) -> [String] {
            var changed = reading
            change(&changed)
            return changed.missing(of: layout).map(\.description)
        }
        #expect(missing { $0.sysctls = ["net.ipv4.ip_forward": "0"] } == ["sysctl net.ipv4.ip_forward=1"])
        #expect(missing { $0.sysctls = [:] } == ["sysctl net.ipv4.ip_forward=1"])
        #expect(missing { $0.links["port"] = nil } == ["link port on br"])
        #expect(missing { $0.links["port"]?.isUp = false } == ["link port on br"])
        #expect(missing { $0.links["port"]?.master = nil } == ["link port on br"])
        #expect(missing { $0.links["port"]?.kind = "dummy" } == ["link port on br"])
        #expect(missing { $0.links["br"]?.address = MACAddress(derivedFrom: "other") } == ["link br"])
        #expect(missing { $0.addresses = [] } == ["address 10.0.0.1/24 on br"])
        #expect(missing { $0.routes = [] } == ["route default via 10.0.0.9 dev br"])
        #expect(
            missing { $0.routes = $0.routes.map { .init($0.destination, via: nil, $0.device) }.reduce(into: []) { $0.insert($1) } } == [
                "route default via 10.0.0.9 dev br"
            ])
        #expect(missing { $0.neighbours = [] } == ["neighbour 10.0.0.9 lladdr \(mac) dev br"])
        #expect(missing { $0.forwarding = [] } == ["fdb entry \(mac) dst 10.0.0.9 dev br"])
        // With the bridge goes all that stands on it.
        #expect(missing { $0.links["br"] = nil }.count == 6)
    }

    @Test("two clusters alike in many letters have links of their own")
    func hostLinks() {
        let names = ["minik", "abcdefghijkl", "abcdefghijklm", "abcdefghijkln", "abcdefghijklmnopqrstuvwxyz012345"]
        let links = names.map { ClusterPaths(cluster: $0).hostLink }
        #expect(Set(links).count == names.count)
        #expect(links.allSatisfy { $0.utf8.count <= 15 && $0.hasPrefix("mk-") })
        #expect(links[0] == "mk-minik" && links[1] == "mk-abcdefghijkl")
    }
}

import API
import Model
import Proxy
import Rules
import Testing

@Suite("the way out that internet: true makes")
struct InternetTests {
    private func cluster(_ spec: String) throws -> Cluster {
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: out}\nspec: {\(spec)}\n"
        return try Cluster(try #require(try Manifest.read(text, file: "f").first))
    }

    @Test("it is off unless the document asks for it, is kept with the cluster, and is a part of its shape")
    func document() throws {
        let off = try cluster("vni: 1"), on = try cluster("internet: true")
        #expect(!off.internet && on.internet)
        #expect(off.json["spec"]["internet"].isNull && on.json["spec"]["internet"].bool == true)
        #expect(off.shape != on.shape)
        let error = #expect(throws: (any Error).self) { try cluster("internet: 3") }
        #expect("\(error.map { "\($0)" } ?? "")".contains("spec.internet"))
    }

    @Test("a cluster has one link of its own in each family, of ranges that no network has")
    func link() throws {
        let both = try cluster("podSubnet: '10.244.0.0/16,fd00:10:244::/56', serviceSubnet: '10.1.0.0/16,fd00:10:1::/112', internet: true")
        let ways = both.waysOut
        #expect(ways.map(\.family) == [.ipv4, .ipv6])
        for way in ways {
            #expect(way.range.contains(way.machine) && way.range.contains(way.lan) && way.machine != way.lan)
            for networks in both.networks {
                #expect(![networks.nodes, networks.pods, networks.services].contains { $0.overlaps(way.range) })
            }
        }
        var other = both
        other.name = "other"
        #expect(other.waysOut[0].network != ways[0].network && other.waysOut[0].range == ways[0].range)
    }

    @Test("this machine sends on what the LAN has masqueraded, lets answers back, and nothing else, where it sent on nothing before")
    func fence() throws {
        let way = try cluster("internet: true").waysOut[0], world = IPAddress(ipv4: 0xC000_0201), other = IPAddress(ipv4: 0xC633_6401)
        func outcome(_ from: IPAddress, _ to: IPAddress, in device: String, out: String, isNew: Bool = true, isGuarded: Bool) -> Bool {
            let table = InternetTables.machineID("out", .ipv4)
            let tracer = Tracer(tables: [table: InternetTables.machine(way, link: "mi-out", isGuarded: isGuarded)])
            var packet = Packet(from: from, to: to, proto: 6, port: 80)
            packet.inputInterface = device
            packet.outputInterface = out
            packet.state = isNew ? .new : .established
            return tracer.traverse(packet, .forward).allSatisfy { $0.outcome == .accept }
        }
        for isGuarded in [true, false] {
            #expect(outcome(way.lan, world, in: "mi-out", out: "eth0", isGuarded: isGuarded))
            #expect(outcome(world, way.lan, in: "eth0", out: "mi-out", isNew: false, isGuarded: isGuarded))
            #expect(!outcome(world, way.lan, in: "eth0", out: "mi-out", isGuarded: isGuarded))
            #expect(!outcome(IPAddress(ipv4: 0x0AF4_0102), world, in: "mi-out", out: "eth0", isGuarded: isGuarded))
            #expect(outcome(world, other, in: "eth0", out: "eth1", isGuarded: isGuarded) == !isGuarded)
        }
    }
}

import Model
import Netlink
import Testing

/// Links, addresses, routes and neighbours as `ip -j` and `bridge -j` see them.
@Suite("links and routes are what ip says they are")
struct RouteTests {
    private let mac = MACAddress(derivedFrom: "test")

    @Test("a veth pair from a bridge into another namespace, hairpin on")
    func veth() throws {
        let node = try TestNamespace(), pod = try TestNamespace()
        var socket = try NetlinkSocket(in: NetworkNamespace(path: node.path))
        try socket.addBridge("cni0", mtu: 1450, address: mac)
        let bridge = try socket.index(of: "cni0")
        try socket.addVeth(
            "veth01234567", master: bridge, mtu: 1450, peer: "eth0", peerAddress: mac, peerNamespace: NetworkNamespace(path: pod.path))
        try socket.setHairpin(try socket.index(of: "veth01234567"))
        let port = try JSON(parsing: node.output("ip -j -d link show veth01234567"))[0]
        #expect(port["master"].string == "cni0" && port["mtu"].int == 1450)
        #expect(port["flags"].items.contains("UP"))
        #expect(port["linkinfo"]["info_slave_data"]["hairpin"].bool == true)
        let peer = try JSON(parsing: pod.output("ip -j link show eth0"))[0]
        #expect(peer["address"].string == mac.description)
    }

    @Test("flannel's three entries for a peer")
    func vxlan() throws {
        let node = try TestNamespace()
        var socket = try NetlinkSocket(in: NetworkNamespace(path: node.path))
        try socket.addBridge("eth0", mtu: 1500, address: mac)
        let underlay = try socket.index(of: "eth0")
        let local = try #require(IPAddress("192.168.200.129")), peer = try #require(IPAddress("192.168.200.130"))
        let network = try #require(IPNetwork("10.244.2.0/24"))
        try socket.addAddress(local, 24, dev: underlay)
        try socket.addVXLAN("flannel.1", vni: 1, underlay: underlay, local: local, port: 8472, mtu: 1450, address: mac)
        let flannel = try socket.index(of: "flannel.1")
        let vtep = MACAddress(derivedFrom: "peer")
        // Twice: each is a replacement, so that a second agent finds nothing in its way.
        for _ in 0..<2 {
            try socket.addNeighbour(network.network, vtep, dev: flannel)
            try socket.addFDBEntry(vtep, dst: peer, dev: flannel)
            try socket.addRoute(network, via: network.network, dev: flannel, onlink: true)
        }
        let data = try JSON(parsing: node.output("ip -j -d link show flannel.1"))[0]["linkinfo"]["info_data"]
        #expect(
            data["id"].int == 1 && data["port"].int == 8472 && data["learning"].bool == false && data["local"].string == "192.168.200.129")
        let neighbours = try JSON(parsing: node.output("ip -j neigh show dev flannel.1")).items
        #expect(neighbours.count == 1 && neighbours[0]["dst"].string == "10.244.2.0" && neighbours[0]["state"][0].string == "PERMANENT")
        let entries = try JSON(parsing: node.output("bridge -j fdb show dev flannel.1")).items.filter {
            $0["dst"].string == "192.168.200.130"
        }
        #expect(entries.count == 1 && entries[0]["mac"].string == vtep.description && entries[0]["flags"].items.contains("self"))
        let routes = try JSON(parsing: node.output("ip -j route show 10.244.2.0/24")).items
        #expect(routes.count == 1 && routes[0]["flags"].items.contains("onlink") && routes[0]["gateway"].string == "10.244.2.0")
        // The same to take away: twice, for somebody may have been faster.
        for _ in 0..<2 {
            try socket.deleteRoute(network, via: network.network, dev: flannel)
            try socket.deleteFDBEntry(vtep, dst: peer, dev: flannel)
            try socket.deleteNeighbour(network.network, dev: flannel)
        }
        let left = ["ip -j route show 10.244.2.0/24", "ip -j neigh show dev flannel.1", "bridge -j fdb show dev flannel.1"]
        for command in left { #expect(try !node.output(command).contains("10.244.2.0") && !node.output(command).contains("200.130")) }
    }

    @Test("an error carries the command and the kernel's reason")
    func errors() throws {
        let node = try TestNamespace()
        var socket = try NetlinkSocket(in: NetworkNamespace(path: node.path))
        try socket.addBridge("br", mtu: 1500, address: mac)
        do {
            try socket.addBridge("br", mtu: 1500, address: mac)
            Issue.record("a second link of one name was made")
        } catch {
            #expect(error.isExists && error.operation == "ip link add br type bridge")
        }
    }

    @Test("many links go with one request, and no other does")
    func together() throws {
        let node = try TestNamespace(), pod = try TestNamespace()
        var socket = try NetlinkSocket(in: NetworkNamespace(path: node.path))
        for number in 0..<20 {
            try socket.addVeth("veth\(number)", mtu: 1450, peer: "eth\(number)", peerNamespace: NetworkNamespace(path: pod.path))
        }
        try socket.deleteLinks((1..<20).map { "veth\($0)" } + ["missing"])
        #expect(try socket.links().filter { $0.kind == "veth" }.map(\.name) == ["veth0"])
        try socket.deleteLinks(["missing", "gone"])
        try socket.deleteLinks([])
        try socket.deleteLinks(["veth0"])
        #expect(try socket.links().filter { $0.kind == "veth" }.isEmpty)
    }

    @Test("deleting what is not there is no error")
    func idempotent() throws {
        let node = try TestNamespace()
        var socket = try NetlinkSocket(in: NetworkNamespace(path: node.path))
        try socket.deleteLink("nothing")
        #expect(try socket.link("nothing") == nil)
        #expect(try socket.links().map(\.name) == ["lo"])
    }

    @Test("a namespace's sysctls are its own")
    func sysctls() throws {
        let one = try TestNamespace(), other = try TestNamespace()
        try NetworkNamespace(path: one.path).set(sysctl: "net.ipv4.ip_forward", "1")
        #expect(try one.output("cat /proc/sys/net/ipv4/ip_forward") == "1\n")
        #expect(try other.output("cat /proc/sys/net/ipv4/ip_forward") == "0\n")
    }

    @Test("what went through links is what ip -s counts")
    func statistics() throws {
        let node = try TestNamespace(), pod = try TestNamespace()
        var socket = try NetlinkSocket(in: NetworkNamespace(path: node.path))
        try socket.addVeth("veth01234567", mtu: 1450, peer: "eth0", peerNamespace: NetworkNamespace(path: pod.path))
        _ = try node.output("ip addr add 10.9.0.1/24 dev veth01234567")
        _ = try pod.output("ip addr add 10.9.0.2/24 dev eth0 && ip link set eth0 up && busybox ping -c 2 -s 500 10.9.0.1")
        // What neighbour discovery sends by itself is over when two looks tell the same.
        for _ in 0..<50 {
            let before = try node.output("ip -j -s link show veth01234567")
            let found = try #require(try socket.links(statistics: true).first { $0.name == "veth01234567" }?.statistics)
            let told = try JSON(parsing: try node.output("ip -j -s link show veth01234567"))[0]["stats64"]
            guard try JSON(parsing: before)[0]["stats64"] == told else { continue }
            #expect(found.received.packets >= 2 && found.received.bytes > 1000)
            for (way, name) in [(found.received, "rx"), (found.sent, "tx")] {
                let numbers = [way.packets, way.bytes, way.errors, way.dropped].map { Int($0) }
                #expect(numbers == ["packets", "bytes", "errors", "dropped"].map { told[name][$0].int }, "\(told)")
            }
            #expect(try socket.links().allSatisfy { $0.statistics == nil }, "who does not ask sees the same link twice")
            return
        }
        Issue.record("the counters never stood still")
    }

    @Test("a connection's remaining seconds are what the kernel's timeout leaves of it")
    func remaining() throws {
        let node = try TestNamespace(), pod = try TestNamespace()
        let namespace = try NetworkNamespace(path: node.path)
        var socket = try NetlinkSocket(in: namespace), tracking = try ConntrackSocket(in: namespace)
        try socket.addVeth("veth01234567", mtu: 1450, peer: "eth0", peerNamespace: NetworkNamespace(path: pod.path))
        _ = try node.nft("table ip t { chain c { type filter hook input priority 0; ct state new accept; }; }")
        _ = try node.output("ip addr add 10.9.0.1/24 dev veth01234567")
        _ = try pod.output("ip addr add 10.9.0.2/24 dev eth0 && ip link set eth0 up && busybox ping -c 1 10.9.0.1")
        let connection = try #require(try tracking.remaining(.ipv4).first { $0.original.proto == 1 })
        #expect("\(connection.original.source) \(connection.reply.source)" == "10.9.0.2 10.9.0.1")
        let limit = try #require(UInt32(try node.output("cat /proc/sys/net/netfilter/nf_conntrack_icmp_timeout").trimmed))
        #expect(limit > 5 && (limit - 5...limit).contains(connection.seconds))
    }
}

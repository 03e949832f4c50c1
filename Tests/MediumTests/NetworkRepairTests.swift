import Glibc
import Model
import Netlink
import Runtime
import Testing

/// A node's layout in namespaces of the test's own; what a test takes away with `ip` and `bridge` is there again.
@Suite("a node's network is made again, whatever of it somebody took")
struct NetworkRepairTests {
    private static func cluster() throws -> Cluster {
        var cluster = Cluster()
        cluster.nodes = [
            Cluster.NodeSpec(
                name: "n1", isControlPlane: true, address: try #require(IPAddress("192.168.200.10")),
                podCIDR: try #require(IPNetwork("10.244.1.0/24")), taints: .null, labels: [:]),
            Cluster.NodeSpec(
                name: "n2", isControlPlane: false, address: try #require(IPAddress("192.168.200.11")),
                podCIDR: try #require(IPNetwork("10.244.2.0/24")), taints: .null, labels: [:]),
        ]
        return cluster
    }

    @Test(
        "links, addresses, routes, neighbours, FDB entries and settings",
        arguments: [
            ("ip link set eth0 down", "link eth0"), ("ip link set flannel.1 down", "link flannel.1"),
            ("ip link del flannel.1", "link flannel.1"),
            ("ip link set flannel.1 down; ip link set flannel.1 name foo; ip link set foo up", "link flannel.1"),
            ("ip link set cni0 mtu 1300", "link cni0"),
            ("ip link del cni0", "link cni0"), ("ip addr flush dev cni0", "address 10.244.1.1/24 on cni0"),
            ("ip addr flush dev eth0", "address 192.168.200.10/24 on eth0"), ("ip route del default", "route default"),
            ("ip route flush table main", "route 10.244.2.0/24"), ("ip neigh flush dev flannel.1 nud permanent", "neighbour 10.244.2.0"),
            ("for m in $(bridge fdb show dev flannel.1 | cut -d' ' -f1); do bridge fdb del $m dev flannel.1; done", "fdb entry"),
            ("sysctl -qw net.ipv4.ip_forward=0", "sysctl net.ipv4.ip_forward=1"),
            ("sysctl -qw net.ipv4.conf.cni0.route_localnet=0", "sysctl net.ipv4.conf.cni0.route_localnet=1"),
            ("ip link set flannel.1 address 02:00:00:00:00:01", "link flannel.1"),
        ])
    func repaired(_ damage: String, _ word: String) throws { try repaired(damage, word, try Self.cluster()) }

    @Test(
        "the same of IPv6",
        arguments: [
            ("ip link set eth0 down", "link eth0"), ("ip link del flannel-v6.1", "link flannel-v6.1"),
            ("ip link set flannel-v6.1 down; ip link set flannel-v6.1 name foo; ip link set foo up", "link flannel-v6.1"),
            ("ip link del cni0", "link cni0"), ("ip -6 addr flush dev cni0 scope global", "address fd00:10:244:1::1/64 on cni0"),
            ("ip -6 addr flush dev eth0 scope global", "address fd00:c8::a/64 on eth0"), ("ip -6 route del default", "route default"),
            ("ip -6 route flush table main", "route fd00:10:244:2::/64"),
            ("ip -6 neigh flush dev flannel-v6.1 nud permanent", "neighbour fd00:10:244:2::"),
            ("for m in $(bridge fdb show dev flannel-v6.1 | cut -d' ' -f1); do bridge fdb del $m dev flannel-v6.1; done", "fdb entry"),
            ("sysctl -qw net.ipv6.conf.all.forwarding=0", "sysctl net.ipv6.conf.all.forwarding=1"),
            ("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1; sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0", "address fd00:c8::a/64 on eth0"),
        ])
    func repairedIPv6(_ damage: String, _ word: String) throws { try repaired(damage, word, try Self.dualCluster()) }

    private static func dualCluster() throws -> Cluster {
        var cluster = try Self.cluster()
        cluster.networks.append(.standard(.ipv6))
        cluster.networks[1].nodes = try #require(IPNetwork("fd00:c8::/64"))
        for index in cluster.nodes.indices {
            cluster.nodes[index].places.append(
                NodePlace(
                    address: try #require(IPAddress("fd00:c8::\(index == 0 ? "a" : "b")")),
                    podCIDR: try #require(IPNetwork("fd00:10:244:\(index + 1)::/64"))))
        }
        return cluster
    }

    private func repaired(_ damage: String, _ word: String, _ cluster: Cluster) throws {
        let layout = FlannelLayout.node(cluster.nodes[0], cluster)
        let node = try TestNamespace(), lan = try TestNamespace()
        var outside = try NetlinkSocket(in: NetworkNamespace(path: lan.path))
        try outside.addVeth(
            "port", mtu: cluster.mtu, peer: "eth0", peerAddress: MACAddress(derivedFrom: "\(cluster.name)/n1/eth0"),
            peerNamespace: NetworkNamespace(path: node.path))
        var place = try NetworkPlace(path: node.path)
        #expect(try place.repair(layout).count > 10)
        #expect(try place.repair(layout).isEmpty)
        func shape() throws -> [String] {
            try [
                "ip -o link | sed 's/^[0-9]*: //; s/@if[0-9]*//'", "ip -o -4 addr | sed 's/^[0-9]*: //'",
                "ip -4 route | sed 's/ proto [a-z]*//'",
                // What the kernel finds out by itself, and gives up, is nobody's.
                "ip -o -6 addr show scope global | sed 's/^[0-9]*: //; s/tentative//'",
                // Beside ours the kernel keeps a route of its own to an address and its network, and makes it with the address alone.
                "ip -6 route | grep -v -e fe80 -e '^fd00:10:244:1:: dev' | sed 's/ proto [a-z]*//; s/ metric [0-9]*//; s/ linkdown//; s/ src [^ ]*//'",
                "ip neigh show dev flannel.1 2>&1 || true", "ip -6 neigh show dev flannel-v6.1 nud permanent 2>&1 || true",
                "bridge fdb show dev flannel-v6.1 2>&1 || true",
                "bridge fdb show dev flannel.1 2>&1 || true",
                "cd /proc/sys/net; grep . ipv6/conf/all/forwarding ipv4/ip_forward ipv4/conf/cni0/route_localnet 2>&1 || true",
            ].map { Set(try node.output($0).split(separator: "\n")).sorted().joined(separator: "\n") }
        }
        // The kernel itself takes a moment to bring a link all the way up.
        func settled(_ isReached: (_ now: [String], _ earlier: [String]) -> Bool) throws -> [String] {
            var earlier = try shape(), now = earlier
            for _ in 0..<50 {
                usleep(100_000)
                now = try shape()
                if isReached(now, earlier) { break }
                earlier = now
            }
            return now
        }
        let before = try settled { $0 == $1 }
        _ = try node.output(damage)
        #expect(try shape() != before, "the damage is one")
        let found = try place.repair(layout).map(\.description)
        #expect(found.contains { $0.hasPrefix(word) }, "\(found)")
        let after = try settled { now, _ in now == before }
        for (now, then) in zip(after, before) { #expect(now == then) }
        #expect(try place.repair(layout).isEmpty)
    }
}

import Glibc
import Host
import Model
import Netlink
import Proxy
import Rules
import Runtime
import Testing

/// Frames of every kind, sent with raw sockets over real links, under the tables that guard them.
@Suite("what may cross a pod's link")
struct PodLinkTests {
    static let node = NFTablesTests.node

    private static func address(_ last: UInt8) -> IPAddress { IPAddress(ipv4: 0x0AF4_0100 + UInt32(last)) }

    /// The guard of a node's bridge. A pod's port is veth-UID, its MAC ends as its address does.
    private static func proxy(_ node: borrowing TestNamespace) throws -> PodLinkProxy {
        let any = MACAddress(derivedFrom: "any")
        let link: @Sendable (Pod, IPAddress) -> PodLink = { pod, address in
            PodLink(
                name: "veth-\(pod.uid)", hardwareAddress: MACAddress([2, 0, 0, 0, 0, address.bytes[3]]) ?? any, address: address)
        }
        return PodLinkProxy(
            node: Self.node.name, families: [.ipv4], link: link, target: try KernelRulesets(namespace: node.path), report: { _ in })
    }

    private static func pod(_ name: String, uid: String? = nil) -> Pod {
        Pod(["metadata": ["name": .string(name), "namespace": "default", "uid": .string(uid ?? name)]])
    }

    @Test("a name under /run/netns is its last holder's: a forerunner of the same name does not take it along")
    func names() throws {
        let namespace = try TestNamespace(), names = NamespaceNames(), own = Int(getpid())
        try names.take(namespace.path, for: "old", process: own)
        #expect(NetworkNamespace.isBound(path: namespace.path, pid: own))
        try names.take(namespace.path, for: "new", process: own)
        names.giveBack(namespace.path, of: "old")
        #expect(names.holder(of: namespace.path) == "new")
        #expect(NetworkNamespace.isBound(path: namespace.path, pid: own))
        names.giveBack(namespace.path, of: "new")
        #expect(!Files.exists(namespace.path))
    }

    @Test("the release of a pod does not shut the link of its successor of the same name")
    func successor() async throws {
        let node = try TestNamespace(), a = try TestNamespace(), b = try TestNamespace()
        try Self.connect(node, a, b)
        let links = try Self.proxy(node)
        try await links.start([])
        try await links.admit(Self.pod("a", uid: "old"), addresses: [Self.address(9)])
        for (pod, last) in [("a", UInt8(10)), ("b", 11)] {
            try await links.admit(Self.pod(pod), addresses: [Self.address(last)])
        }
        try await links.release(Self.pod("a", uid: "old"))
        #expect(try FrameSender.run(from: a, to: b, device: "eth0").seen.count == 5)
    }

    /// A node's bridge with the pods a and b at it.
    private static func connect(_ node: borrowing TestNamespace, _ a: borrowing TestNamespace, _ b: borrowing TestNamespace) throws {
        _ = try node.output("ip link add cni0 type bridge && ip address add 10.244.1.1/24 dev cni0 && ip link set cni0 up")
        for (pod, name, port, last) in [(a.name, a.path, "veth-a", "a"), (b.name, b.path, "veth-b", "b")] {
            _ = try node.output(
                """
                ip link add \(port) type veth peer name eth0 address 02:00:00:00:00:0\(last) netns \(pod) && ip link set \(port) master cni0 up && \
                nsenter --net=\(name) ip link set eth0 up
                """)
        }
    }

    @Test("between pods: its own IPv4 and ARP, and of everything else nothing")
    func betweenPods() async throws {
        let node = try TestNamespace(), a = try TestNamespace(), b = try TestNamespace()
        try Self.connect(node, a, b)
        let open = try FrameSender.run(from: a, to: b, device: "eth0")
        #expect(open.lost == [], "without the table each of them arrives, or the test shows nothing")

        let links = try Self.proxy(node)
        try await links.start([])
        let shut = try FrameSender.run(from: a, to: b, device: "eth0")
        #expect(shut.seen == [], "a link that nobody has admitted carries nothing")

        for (pod, last) in [("a", UInt8(10)), ("b", 11)] {
            try await links.admit(Self.pod(pod), addresses: [Self.address(last)])
        }
        let guarded = try FrameSender.run(from: a, to: b, device: "eth0")
        #expect(guarded.seen == open.seen.filter { $0.hasPrefix("own") })
        #expect(guarded.seen.count == 5)

        // The table comes back when somebody flushes it, and says so.
        _ = try node.output("nft flush ruleset")
        #expect(try await links.keeper.repair()?.description == "table bridge pod-links was missing")
        #expect(try FrameSender.run(from: a, to: b, device: "eth0").seen == guarded.seen)
        #expect(try await links.keeper.repair() == nil, "what the kernel gives back is what it was given")

        try await links.release(Self.pod("a"))
        #expect(try FrameSender.run(from: a, to: b, device: "eth0").seen == [])
    }

    @Test("to the node itself: no false source, no IPv6, no tag")
    func toTheNode() async throws {
        let node = try TestNamespace(), a = try TestNamespace(), b = try TestNamespace()
        try Self.connect(node, a, b)
        _ = try node.output("ip link set cni0 promisc on")
        let open = try FrameSender.run(from: a, to: node, device: "cni0")
        #expect(open.lost == [], "a bridge that listens to everything hears each of them")

        let links = try Self.proxy(node)
        try await links.start([])
        try await links.admit(Self.pod("a"), addresses: [Self.address(10)])
        let guarded = try FrameSender.run(from: a, to: node, device: "cni0").seen
        // To the node its pod may say what it likes to whom it likes, as long as it is the one who says it.
        #expect(guarded.filter { !$0.hasPrefix("own") } == Set(["broadcast", "multicast", "another's packet", "unicast to everyone"]))
        #expect(guarded.filter { $0.hasPrefix("own") }.count == 5)
    }

    @Test("the node and its pods reach each other, and pods reach pods, by ordinary means")
    func ordinary() async throws {
        let node = try TestNamespace(), a = try TestNamespace(), b = try TestNamespace()
        try Self.connect(node, a, b)
        let links = try Self.proxy(node)
        try await links.start([])
        for (pod, last) in [("a", UInt8(10)), ("b", 11)] {
            try await links.admit(Self.pod(pod), addresses: [Self.address(last)])
        }
        _ = try a.output("ip address add 10.244.1.10/24 dev eth0")
        _ = try b.output("ip address add 10.244.1.11/24 dev eth0")
        // Who answers that nobody listens there was asked, and was heard.
        func refuses(_ target: String) -> String {
            "python3 -c 'import errno, socket; s = socket.socket(); s.settimeout(3); print(s.connect_ex((\"\(target)\", 9)) == errno.ECONNREFUSED)'"
        }
        for target in ["10.244.1.1", "10.244.1.11"] { #expect(try a.output(refuses(target)) == "True\n", "a -> \(target)") }
        #expect(try node.output(refuses("10.244.1.10")) == "True\n")
    }

    @Test("nft lists the tables as their text has them")
    func listing() async throws {
        let node = try TestNamespace()
        let links = try Self.proxy(node)
        try await links.start([])
        try await links.admit(Self.pod("a"), addresses: [Self.address(10)])
        // nft leaves out matches that a header's field implies.
        let text = try node.output("nft -s list table bridge pod-links")
        #expect(text.contains("elements = { \"veth-a\" . 02:00:00:00:00:0a . 10.244.1.10 comment \"default/a\" }"), "\(text)")
        #expect(text.contains("iifname . ether saddr . ip saddr @links accept"), "\(text)")
        #expect(
            text.contains("iifname . ether saddr . arp saddr ip @links iifname . arp saddr ether . arp saddr ip @links accept"), "\(text)")
    }

    @Test("VXLAN enters the overlay from a node, and from nobody else")
    func overlay() async throws {
        let node = try TestNamespace(), peer = try TestNamespace()
        _ = try node.output(
            """
            ip link add eth0 type veth peer name eth0 netns \(peer.name) && ip address add 192.168.200.129/24 dev eth0 && ip link set eth0 up && \
            ip link add flannel.1 type vxlan id 1 dev eth0 local 192.168.200.129 dstport 8472 nolearning && ip link set flannel.1 up
            """)
        _ = try peer.output("ip link set eth0 up && ip address add 192.168.200.130/24 dev eth0 && ip address add 192.168.200.7/24 dev eth0")
        func send(from address: String) throws -> Int {
            let count =
                "ip -j -s link show flannel.1 | python3 -c 'import json,sys; print(json.load(sys.stdin)[0][\"stats64\"][\"rx\"][\"packets\"])'"
            let before = try #require(Int(try node.output(count).split(separator: "\n").last ?? ""))
            _ = try peer.output(
                """
                python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("\(address)", 0)); \
                [s.sendto(bytes([8, 0, 0, 0, 0, 0, 1, 0]) + bytes([255] * 6 + [2, 0, 0, 0, 0, 9, 136, 181]) + bytes(60), ("192.168.200.129", 8472)) for _ in range(3)]' && sleep 0.2
                """)
            return try #require(Int(try node.output(count).split(separator: "\n").last ?? "")) - before
        }
        #expect(try send(from: "192.168.200.7") == 3, "without the table anyone's frames come in")
        let peers = [try #require(IPAddress("192.168.200.129")), try #require(IPAddress("192.168.200.130"))]
        let keeper = TableKeeper<ObjectKey>(
            table: OverlayTable.id(.ipv4), base: OverlayTable.compile(peers, .ipv4), target: try KernelRulesets(namespace: node.path),
            report: { _ in })
        try await keeper.sync()
        #expect(try send(from: "192.168.200.7") == 0)
        #expect(try send(from: "192.168.200.130") == 3)
        #expect(try await keeper.repair() == nil)
    }

    @Test("a node carries no VXLAN of its pods to another node, where it would arrive with the node's own address")
    func overlayThroughTheNode() async throws {
        let node = try TestNamespace(), a = try TestNamespace(), b = try TestNamespace(), peer = try TestNamespace()
        try Self.connect(node, a, b)
        _ = try a.output("ip address add 10.244.1.10/24 dev eth0 && ip route add default via 10.244.1.1")
        _ = try node.output(
            """
            ip link add eth0 type veth peer name eth0 netns \(peer.name) && ip address add 192.168.200.129/24 dev eth0 && ip link set eth0 up && \
            sysctl -qw net.ipv4.ip_forward=1 && \
            nft 'table ip m { chain p { type nat hook postrouting priority 100; ip saddr 10.244.0.0/16 oifname "eth0" masquerade; }; }'
            """)
        _ = try peer.output(
            "ip address add 192.168.200.130/24 dev eth0 && ip link set eth0 up && nft 'table ip c { counter probes {}; chain i { type filter hook input priority 0; udp dport 8472-8473 counter name probes; }; }'"
        )
        func arrived(_ port: Int) throws -> Bool {
            _ = try peer.output("nft reset counters")
            _ = try a.output(
                "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes(60), (\"192.168.200.130\", \(port)))' && sleep 0.2"
            )
            return try peer.output("nft list counters").contains("packets 1 ")
        }
        #expect(try arrived(8472), "without the table it arrives")
        let peers = [try #require(IPAddress("192.168.200.129")), try #require(IPAddress("192.168.200.130"))]
        let keeper = TableKeeper<ObjectKey>(
            table: OverlayTable.id(.ipv4), base: OverlayTable.compile(peers, .ipv4), target: try KernelRulesets(namespace: node.path),
            report: { _ in })
        try await keeper.sync()
        #expect(try !arrived(8472))
        #expect(try arrived(8473), "other ports are the world's")
    }
}

import Foundation
import Model
import Netlink
import Proxy
import Rules
import Runtime
import Testing

/// Pod a (02:..:0a, fd00:1::a) says things of every kind to pod b (02:..:0b, fd00:1::b) over a node's bridge.
@Suite("what may cross a pod's link in a cluster of both families")
struct PodLinkIPv6Tests {
    private static let script = #"""
        import ctypes, os, select, socket, struct, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        def raw(path, device):
            fd = os.open(path, os.O_RDONLY)
            if libc.setns(fd, 0x40000000) != 0: raise OSError(ctypes.get_errno(), "setns " + path)
            os.close(fd)
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.bind((device, 0)); return s
        mac = lambda t: bytes(int(x, 16) for x in t.split(":"))
        ip = lambda t: socket.inet_pton(socket.AF_INET6, t)
        A, B, C = mac("02:00:00:00:00:0a"), mac("02:00:00:00:00:0b"), mac("02:00:00:00:00:0c")
        a, b, c, gw, la, lb = "fd00:1::a", "fd00:1::b", "fd00:1::c", "fd00:1::1", "fe80::ff:fe00:a", "fe80::ff:fe00:b"
        group = (mac("33:33:ff:00:00:0b"), "ff02::1:ff00:b")
        def sum16(h):
            h += b"\0" * (len(h) % 2)
            n = sum(struct.unpack("!%dH" % (len(h) // 2), h))
            while n > 0xffff: n = (n >> 16) + (n & 0xffff)
            return ~n & 0xffff
        def v6(src, dst, kind, data): return struct.pack("!IHBB", 6 << 28, len(data), kind, 255) + ip(src) + ip(dst) + data
        def icmp(src, dst, kind, data):
            head = struct.pack("!BBH", kind, 0, 0)
            total = sum16(ip(src) + ip(dst) + struct.pack("!II", len(head + data), 58) + head + data)
            return v6(src, dst, 58, struct.pack("!BBH", kind, 0, total) + data)
        def eth(dst, src, data, kind=0x86dd): return dst + src + struct.pack("!H", kind) + data
        def udp(m): return struct.pack("!HHHH", 4000, 4001, 8 + len(m), 0) + m
        # Whom it asks for or tells of, and an option in which the mark goes along.
        def target(t, m): return bytes(4) + ip(t) + b"\xfd\x02" + m + bytes(14 - len(m))
        frames = {
            "own udp": lambda m: eth(B, A, v6(a, b, 17, udp(m))),
            "own echo": lambda m: eth(B, A, icmp(a, b, 128, b"\0\1\0\1" + m)),
            "own solicitation": lambda m: eth(group[0], A, icmp(a, group[1], 135, target(b, m))),
            "own link's solicitation": lambda m: eth(group[0], A, icmp(la, group[1], 135, target(b, m))),
            "own advertisement": lambda m: eth(B, A, icmp(a, b, 136, target(a, m))),
            "own link's advertisement": lambda m: eth(B, A, icmp(la, b, 136, target(la, m))),
            "false source": lambda m: eth(B, A, v6(c, b, 17, udp(m))),
            "source of the receiver": lambda m: eth(B, A, v6(b, b, 17, udp(m))),
            "source outside": lambda m: eth(B, A, v6("2001:db8::1", b, 17, udp(m))),
            "false mac": lambda m: eth(B, C, v6(a, b, 17, udp(m))),
            "link's own udp": lambda m: eth(B, A, v6(la, lb, 17, udp(m))),
            "link's own echo": lambda m: eth(B, A, icmp(la, lb, 128, b"\0\1\0\1" + m)),
            "solicitation of another": lambda m: eth(group[0], A, icmp(c, group[1], 135, target(b, m))),
            "duplicate detection": lambda m: eth(group[0], A, icmp("::", group[1], 135, target(b, m))),
            "advertisement for another": lambda m: eth(B, A, icmp(a, b, 136, target(c, m))),
            "advertisement for the gateway": lambda m: eth(mac("33:33:00:00:00:01"), A, icmp(a, "ff02::1", 136, target(gw, m))),
            "advertisement by another": lambda m: eth(B, A, icmp(c, b, 136, target(a, m))),
            "router's advertisement": lambda m: eth(mac("33:33:00:00:00:01"), A, icmp(la, "ff02::1", 134, bytes(12) + m)),
            "router's solicitation": lambda m: eth(mac("33:33:00:00:00:02"), A, icmp(la, "ff02::2", 133, bytes(4) + m)),
            "redirect": lambda m: eth(B, A, icmp(la, b, 137, bytes(36) + m)),
            "another's packet": lambda m: eth(B, A, v6(a, c, 17, udp(m))),
            "multicast": lambda m: eth(mac("33:33:00:00:00:01"), A, v6(a, "ff02::1", 17, udp(m))),
            "tagged": lambda m: eth(B, A, struct.pack("!HH", 5, 0x86dd) + v6(a, b, 17, udp(m)), 0x8100),
        }
        send, receive = raw(sys.argv[1], "eth0"), raw(sys.argv[2], "eth0")
        marks = {}
        for number, (name, make) in enumerate(frames.items()):
            mark = b"<mark%03d>" % number
            marks[mark] = name
            frame = make(mark)
            send.send(frame + bytes(max(0, 60 - len(frame))))
        seen, end = set(), time.time() + 1
        while time.time() < end:
            if not select.select([receive], [], [], 0.1)[0]: continue
            data = receive.recv(4096)
            seen |= {name for mark, name in marks.items() if mark in data}
        print("\n".join(name for name in frames if name in seen))
        """#

    private static func send(_ a: borrowing TestNamespace, _ b: borrowing TestNamespace) throws -> Set<String> {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(a.name).py")
        try script.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return Set(try a.output("python3 \(file.path) \(a.path) \(b.path)").split(separator: "\n").map(String.init))
    }

    private static func connect(_ node: borrowing TestNamespace, _ a: borrowing TestNamespace, _ b: borrowing TestNamespace) throws {
        _ = try node.output("ip link add cni0 type bridge && ip -6 address add fd00:1::1/64 dev cni0 nodad && ip link set cni0 up")
        for (pod, last) in [(a.name, "a"), (b.name, "b")] {
            _ = try node.output(
                """
                ip link add veth-\(last) type veth peer name eth0 address 02:00:00:00:00:0\(last) netns \(pod) && \
                ip link set veth-\(last) master cni0 up && nsenter --net=/run/netns/\(pod) sh -c \
                'ip link set eth0 up && ip -6 address add fd00:1::\(last)/64 dev eth0 nodad'
                """)
        }
    }

    private static func links(_ node: borrowing TestNamespace) throws -> PodLinkProxy {
        PodLinkProxy(
            node: "n", families: [.ipv4, .ipv6],
            link: { pod, address in
                let last: UInt8 = pod.name == "a" ? 10 : 11
                return PodLink(
                    name: "veth-\(pod.name)", hardwareAddress: MACAddress([2, 0, 0, 0, 0, last]) ?? MACAddress(derivedFrom: "any"),
                    address: address)
            }, target: try KernelRulesets(namespace: node.path), report: { _ in })
    }

    private static func pod(_ name: String) -> Pod {
        Pod(["metadata": ["name": .string(name), "namespace": "default", "uid": .string(name)]])
    }

    private static let own: Set = [
        "own udp", "own echo", "own solicitation", "own link's solicitation", "own advertisement", "own link's advertisement",
    ]

    @Test("between pods: its own packets, and neighbour discovery that claims nothing else")
    func betweenPods() async throws {
        let node = try TestNamespace(), a = try TestNamespace(), b = try TestNamespace()
        try Self.connect(node, a, b)
        #expect(try Self.send(a, b).count > 18, "a bridge without the table passes nearly all of it on")
        let links = try Self.links(node)
        try await links.start([])
        #expect(try Self.send(a, b) == [])
        for name in ["a", "b"] {
            let address = try #require(IPAddress("fd00:1::\(name)")), other = IPAddress(ipv4: name == "a" ? 0x0AF4_010A : 0x0AF4_010B)
            try await links.admit(Self.pod(name), addresses: [other, address])
        }
        #expect(try Self.send(a, b) == Self.own)
        // By ordinary means, from one that has to find the other first: who answers that nobody listens there was asked, and was heard.
        for target in ["fd00:1::1", "fd00:1::b"] {
            let answer = try a.output(
                "python3 -c 'import errno, socket; s = socket.socket(socket.AF_INET6); s.settimeout(3); print(s.connect_ex((\"\(target)\", 9)) == errno.ECONNREFUSED)'"
            )
            #expect(answer == "True\n", "a -> \(target)")
        }
        try await links.release(Self.pod("a"))
        #expect(try Self.send(a, b) == [])
    }

    @Test("the table reads back as it was written")
    func readBack() async throws {
        let node = try TestNamespace(), links = try Self.links(node)
        try await links.start([])
        try await links.admit(Self.pod("a"), addresses: [IPAddress(ipv4: 0x0AF4_010A), try #require(IPAddress("fd00:1::a"))])
        #expect(try await links.keeper.repair() == nil)
        let listing = try node.output("nft list table bridge pod-links")
        for words in ["nd-neighbor-advert", "nd-neighbor-solicit", "fe80::ff:fe00:a", "10.244.1.10"] {
            #expect(listing.contains(words), "\(listing)")
        }
    }
}

import Foundation

/// Sends frames of every kind from one namespace with a raw socket, and says which came out in another: `seen NAME` or `lost NAME`, a line
/// each.
enum FrameSender {
    /// The frames that pod a (02:..:0a, 10.244.1.10) sends towards pod b (02:..:0b, 10.244.1.11). Those that begin with "own" belong.
    static let script = #"""
        import ctypes, os, select, socket, struct, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        def raw(path, device):
            fd = os.open(path, os.O_RDONLY)
            if libc.setns(fd, 0x40000000) != 0: raise OSError(ctypes.get_errno(), "setns " + path)
            os.close(fd)
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.bind((device, 0)); return s
        mac = lambda t: bytes(int(x, 16) for x in t.split(":"))
        ip = socket.inet_aton
        A, B, C, ALL = mac("02:00:00:00:00:0a"), mac("02:00:00:00:00:0b"), mac("02:00:00:00:00:0c"), b"\xff" * 6
        a, b, c = "10.244.1.10", "10.244.1.11", "10.244.1.12"
        def sum16(h):
            n = sum(struct.unpack("!%dH" % (len(h) // 2), h)); n = (n >> 16) + (n & 0xffff); n += n >> 16
            return ~n & 0xffff
        def v4(src, dst, data, proto=17, frag=0):
            if frag & 0x1fff == 0 and proto == 17: data = struct.pack("!HHHH", 4000, 4001, 8 + len(data), 0) + data
            h = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 7, frag, 64, proto, 0, ip(src), ip(dst))
            return h[:10] + struct.pack("!H", sum16(h)) + h[12:] + data
        def v6(dst, data): return struct.pack("!IHBB", 6 << 28, len(data), 59, 64) + socket.inet_pton(socket.AF_INET6, "fe80::a") + socket.inet_pton(socket.AF_INET6, dst) + data
        def eth(dst, src, kind, data): return dst + src + struct.pack("!H", kind) + data
        def arp(op, sha, spa, tha, tpa, m, hlen=6): return struct.pack("!HHBBH", 1, 0x0800, hlen, 4, op) + sha + ip(spa) + tha + ip(tpa) + m
        Z = bytes(6)
        frames = {
            "own udp": lambda m: eth(B, A, 0x0800, v4(a, b, m)),
            "own sctp": lambda m: eth(B, A, 0x0800, v4(a, b, m, 132)),
            "own fragment": lambda m: eth(B, A, 0x0800, v4(a, b, m, 17, 0x2010)),
            "own arp request": lambda m: eth(ALL, A, 0x0806, arp(1, A, a, Z, b, m)),
            "own arp reply": lambda m: eth(B, A, 0x0806, arp(2, A, a, B, b, m)),
            "false source": lambda m: eth(B, A, 0x0800, v4(c, b, m)),
            "source of the receiver": lambda m: eth(B, A, 0x0800, v4(b, b, m)),
            "source outside": lambda m: eth(B, A, 0x0800, v4("8.8.8.8", b, m)),
            "source of the loopback": lambda m: eth(B, A, 0x0800, v4("127.0.0.1", b, m)),
            "false mac": lambda m: eth(B, C, 0x0800, v4(a, b, m)),
            "false mac and source": lambda m: eth(B, C, 0x0800, v4(c, b, m)),
            "false fragment": lambda m: eth(B, A, 0x0800, v4(c, b, m, 17, 0x2010)),
            "false icmp": lambda m: eth(B, A, 0x0800, v4(c, b, b"\x08\0\0\0\0\1\0\1" + m, 1)),
            "dhcp": lambda m: eth(ALL, A, 0x0800, v4("0.0.0.0", "255.255.255.255", m)),
            "broadcast": lambda m: eth(ALL, A, 0x0800, v4(a, "10.244.1.255", m)),
            "multicast": lambda m: eth(mac("01:00:5e:01:01:01"), A, 0x0800, v4(a, "239.1.1.1", m)),
            "another's packet": lambda m: eth(B, A, 0x0800, v4(a, c, m)),
            "unicast to everyone": lambda m: eth(ALL, A, 0x0800, v4(a, b, m)),
            "arp for another address": lambda m: eth(ALL, A, 0x0806, arp(1, A, c, Z, b, m)),
            "arp of another mac": lambda m: eth(B, A, 0x0806, arp(2, C, a, B, b, m)),
            "arp from another mac": lambda m: eth(B, C, 0x0806, arp(2, A, a, B, b, m)),
            "arp reply for another": lambda m: eth(B, A, 0x0806, arp(2, A, c, B, b, m)),
            "gratuitous arp for another": lambda m: eth(ALL, A, 0x0806, arp(1, A, c, Z, c, m)),
            "gratuitous arp for the gateway": lambda m: eth(ALL, A, 0x0806, arp(2, A, "10.244.1.1", ALL, "10.244.1.1", m)),
            "arp probe": lambda m: eth(ALL, A, 0x0806, arp(1, A, "0.0.0.0", Z, c, m)),
            "arp of another length": lambda m: eth(ALL, A, 0x0806, arp(1, A, a, Z, b, m, 8)),
            "rarp": lambda m: eth(ALL, A, 0x8035, arp(3, A, a, A, a, m)),
            "ipv6 link-local": lambda m: eth(B, A, 0x86dd, v6("fe80::b", m)),
            "ipv6 multicast": lambda m: eth(mac("33:33:00:00:00:01"), A, 0x86dd, v6("ff02::1", m)),
            "vlan": lambda m: eth(B, A, 0x8100, struct.pack("!HH", 5, 0x0800) + v4(a, b, m)),
            "priority tag": lambda m: eth(B, A, 0x8100, struct.pack("!HH", 0xe000, 0x0800) + v4(a, b, m)),
            "802.1ad": lambda m: eth(B, A, 0x88a8, struct.pack("!HH", 5, 0x0800) + v4(a, b, m)),
            "double tag": lambda m: eth(B, A, 0x88a8, struct.pack("!HHHH", 5, 0x8100, 6, 0x0800) + v4(a, b, m)),
            "vlan twice": lambda m: eth(B, A, 0x8100, struct.pack("!HHHH", 5, 0x8100, 6, 0x0800) + v4(a, b, m)),
            "old double tag": lambda m: eth(B, A, 0x9100, struct.pack("!HH", 5, 0x0800) + v4(a, b, m)),
            "tagged arp": lambda m: eth(ALL, A, 0x8100, struct.pack("!HH", 5, 0x0806) + arp(1, A, a, Z, b, m)),
            "tagged ipv6": lambda m: eth(B, A, 0x8100, struct.pack("!HH", 5, 0x86dd) + v6("fe80::b", m)),
            "pppoe": lambda m: eth(B, A, 0x8864, struct.pack("!BBHHH", 0x11, 0, 1, 60, 0x21) + v4(a, b, m)),
            "mpls": lambda m: eth(B, A, 0x8847, struct.pack("!I", 0x11ff) + v4(a, b, m)),
            "macsec": lambda m: eth(B, A, 0x88e5, m),
            "experimental": lambda m: eth(B, A, 0x88b5, m),
            "llc": lambda m: eth(B, A, 60, b"\xaa\xaa\x03\0\0\0\x08\0" + v4(a, b, m)[:52]),
            "stp": lambda m: eth(mac("01:80:c2:00:00:00"), A, 50, b"\x42\x42\x03" + m + bytes(40)),
        }
        send, receive = raw(sys.argv[1], "eth0"), raw(sys.argv[2], sys.argv[3])
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
        for name in frames: print("seen" if name in seen else "lost", name)
        """#

    /// The names of the frames that came through to `device` of `receiver`, and of those that did not.
    static func run(from sender: borrowing TestNamespace, to receiver: borrowing TestNamespace, device: String) throws -> (
        seen: Set<String>, lost: Set<String>
    ) {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(sender.name).py")
        try script.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let lines = try sender.output("python3 \(file.path) \(sender.path) \(receiver.path) \(device)").split(separator: "\n")
        func named(_ word: String) -> Set<String> {
            Set(lines.filter { $0.hasPrefix("\(word) ") }.map { String($0.dropFirst(word.count + 1)) })
        }
        return (named("seen"), named("lost"))
    }
}

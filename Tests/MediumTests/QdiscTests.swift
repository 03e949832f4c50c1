import Model
import Netlink
import Runtime
import Testing

/// Queueing disciplines, as tc asks for them and as it shows them.
@Suite("a link's shape is what tc says it is")
struct QdiscTests {
    /// What Debian's `tc qdisc replace dev DEVICE root ...` (iproute2 6.1.0) sends for device 3, by strace; its number in the row is 0.
    private static let requests: [(link: String, words: [(Cluster.NodeLink.Field, String)], bytes: String)] = [
        (
            "netem delay 50ms", [(.delay, "50ms")],
            "4c000000240005050000000000000000000000000300000000000000ffffffff000000000a0001006e6574656d000000"
                + "1c000200c2eb0b00e803000000000000000000000000000000000000"
        ),
        (
            "netem delay 50ms 5ms loss 1% rate 10mbit corrupt 0.1% reorder 25%",
            [(.delay, "50ms"), (.jitter, "5ms"), (.loss, "1%"), (.rate, "10mbit"), (.corrupt, "0.1%"), (.reorder, "25%")],
            "78000000240005050000000000000000000000000300000000000000ffffffff000000000a0001006e6574656d000000"
                + "48000200c2eb0b00e8030000295c8f0201000000000000002d3101000c00030000000040000000000c0004003789410000000000"
                + "14000600d0121300000000000000000000000000"
        ),
        (
            "netem loss 1%", [(.loss, "1%")],
            "4c000000240005050000000000000000000000000300000000000000ffffffff000000000a0001006e6574656d000000"
                + "1c00020000000000e8030000295c8f02000000000000000000000000"
        ),
    ]

    @Test("the request for a network emulation is tc's, byte by byte", arguments: requests.indices)
    func request(_ index: Int) throws {
        let (_, words, bytes) = Self.requests[index]
        var link = Cluster.NodeLink(node: "n")
        for (field, text) in words { try link.set(field, text) }
        let qdisc = try #require(LinkShape(link).qdisc)
        let message = NetlinkSocket.replacement(qdisc, dev: 3)
        let sent = message.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(sent == bytes)
    }

    /// A node and the LAN, joined as minik joins them.
    private func joined(
        _ body: (_ lan: borrowing TestNamespace, inout NetlinkSocket, _ node: borrowing TestNamespace, inout NetlinkSocket) throws -> Void
    )
        throws
    {
        let lan = try TestNamespace(), node = try TestNamespace()
        var outer = try NetlinkSocket(in: NetworkNamespace(path: lan.path)),
            inner = try NetlinkSocket(in: NetworkNamespace(path: node.path))
        try outer.addVeth("port", mtu: 1500, peer: "eth0", peerNamespace: NetworkNamespace(path: node.path))
        try inner.setUp(try inner.index(of: "eth0"))
        try body(lan, &outer, node, &inner)
    }

    @Test("a rate alone is a token bucket at both ends, which is read back as what it is, and goes again")
    func rate() throws {
        var link = Cluster.NodeLink(node: "n")
        try link.set(.rate, "10mbit")
        let shape = LinkShape(link)
        try joined { lan, outer, node, inner in
            try shape.apply(&outer, port: "port", &inner)
            for shown in [try lan.output("tc -j qdisc show dev port"), try node.output("tc -j qdisc show dev eth0")] {
                let qdisc = try JSON(parsing: shown)[0]
                #expect(qdisc["kind"] == "tbf" && qdisc["root"] == true)
                #expect(qdisc["options"]["rate"].int == 1_250_000 && qdisc["options"]["burst"].int == 12_500)
            }
            #expect(try shape.repair(&outer, port: "port", &inner).isEmpty, "what is there is not made again")
            _ = try node.output("tc qdisc del dev eth0 root")
            #expect(try shape.repair(&outer, port: "port", &inner) == ["qdisc tbf on eth0"])
            for _ in 0..<2 { try LinkShape(Cluster.NodeLink(node: "n")).apply(&outer, port: "port", &inner) }
            #expect(try JSON(parsing: node.output("tc -j qdisc show dev eth0"))[0]["kind"] == "noqueue")
            #expect(try JSON(parsing: lan.output("tc -j qdisc show dev port"))[0]["kind"] == "noqueue")
        }
    }

    @Test("an emulation is at both ends, as tc shows it; where the kernel has none that is said, and nothing was made")
    func emulation() throws {
        var link = Cluster.NodeLink(node: "n")
        for (field, text) in [(.delay, "50ms"), (.loss, "1%"), (.corrupt, "0.1%"), (.rate, "1mbit")] as [(Cluster.NodeLink.Field, String)] {
            try link.set(field, text)
        }
        let shape = LinkShape(link)
        try joined { lan, outer, node, inner in
            do { try shape.apply(&outer, port: "port", &inner) } catch let error as LinkShape.Unsupported {
                #expect(error.kind == "netem" && "\(error)".contains("sch_netem"))
                let added = try node.output("tc qdisc add dev eth0 root netem delay 1ms 2>&1 || true")
                #expect(added.contains("qdisc kind is unknown"), "tc is refused, too")
                #expect(try JSON(parsing: node.output("tc -j qdisc show dev eth0"))[0]["kind"] == "noqueue")
                return
            }
            for shown in [try lan.output("tc -j qdisc show dev port"), try node.output("tc -j qdisc show dev eth0")] {
                let qdisc = try JSON(parsing: shown)[0], options = qdisc["options"]
                #expect(qdisc["kind"] == "netem" && options["rate"]["rate"].int == 125_000)
                #expect(options["delay"]["delay"] == .double(0.05))
            }
            #expect(try shape.repair(&outer, port: "port", &inner).isEmpty, "what is there is not made again")
        }
    }

    @Test("a link that is to be down is down, and up again when it is to be up")
    func down() throws {
        try joined { lan, _, node, _ in
            var place = try NetworkPlace(path: lan.path), port = LinkItem("port", .plug, mtu: 1500)
            port.isUp = false
            #expect(try place.repair([.link(port)]) == [.link(port)])
            #expect(try JSON(parsing: node.output("ip -j link show dev eth0"))[0]["flags"].items.contains("NO-CARRIER"))
            #expect(try place.repair([.link(port)]).isEmpty)
            port.isUp = true
            #expect(try place.repair([.link(port)]) == [.link(port)])
            #expect(try JSON(parsing: node.output("ip -j link show dev eth0"))[0]["flags"].items.contains("LOWER_UP"))
        }
    }
}

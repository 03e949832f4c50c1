import Lab
import Model
import Netlink
import Rules
import Runtime
import Testing

@Suite("a capture takes the packets that were asked for, and says of each where it was and what decided on it")
struct CaptureTests {
    private static let pod = IPAddress(ipv4: 0x0AF4_0003), service = IPAddress(ipv4: 0x0A60_0007), web = IPAddress(ipv4: 0x0AF4_0102)

    /// A packet as a program would send it.
    private func packet(
        from source: IPAddress = pod, to destination: IPAddress, proto: UInt8 = 6, port: UInt16 = 80, sourcePort: UInt16 = 40000,
        token: UInt32 = 7
    ) -> [UInt8] {
        var bytes = ProbePacket(from: source, to: destination, proto: proto, port: port, token: token).bytes
        if proto != 1 { bytes.replaceSubrange(20..<22, with: [UInt8(sourcePort >> 8), UInt8(sourcePort & 255)]) }
        bytes.replaceSubrange(4..<6, with: [0x12, 0x34])
        return bytes
    }

    private func frame(_ payload: [UInt8], type: UInt16 = 0x0800) -> [UInt8] {
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, UInt8(type >> 8), UInt8(type & 255)] + payload
    }

    private func takes(_ filter: inout CaptureFilter, _ payload: [UInt8], type: UInt16 = 0x0800) throws -> Bool {
        filter.takes(try #require(Frame(frame(payload, type: type))))
    }

    private func flow() -> CaptureFilter {
        var filter = CaptureFilter()
        filter.flow = CaptureFilter.ends([
            Packet(from: Self.pod, to: Self.service, proto: 6, port: 80), Packet(from: Self.pod, to: Self.web, proto: 6, port: 8080),
        ])
        return filter
    }

    @Test("a flow is known before and behind its translation, both ways, in errors about it, and in a tunnel; no other flow is")
    func flows() throws {
        var filter = flow()
        #expect(try takes(&filter, packet(to: Self.service)) && takes(&filter, packet(to: Self.web, port: 8080)))
        #expect(try takes(&filter, packet(from: Self.web, to: Self.pod, port: 40000, sourcePort: 8080)))
        #expect(try !takes(&filter, packet(to: Self.web)) && !takes(&filter, packet(to: Self.service, proto: 17)))
        #expect(try !takes(&filter, packet(to: Self.service, port: 81)) && !takes(&filter, packet(from: Self.web, to: Self.service)))
        let header: [UInt8] = [0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0] + Self.web.bytes + Self.pod.bytes
        let error = header + [3, 3, 0, 0, 0, 0, 0, 0] + packet(to: Self.web, port: 8080).prefix(28)
        #expect(try takes(&filter, error))
        let udp: [UInt8] = [0x80, 0, 0x21, 0x18, 0, 70, 0, 0, 0x08, 0, 0, 0, 0, 0, 1, 0]
        let outer: [UInt8] = [0x45, 0, 0, 90, 0, 0, 0x40, 0, 63, 17, 0, 0, 192, 168, 0, 1, 192, 168, 0, 2] + udp
        #expect(try takes(&filter, outer + frame(packet(to: Self.web, port: 8080))))
        #expect(try !takes(&filter, outer + frame(packet(to: Self.web, port: 8081))))
    }

    @Test("a pod's packets are those from it and to it, and the questions for its MAC address")
    func pods() throws {
        var filter = CaptureFilter()
        filter.addresses = [Self.web]
        #expect(try takes(&filter, packet(to: Self.web)) && takes(&filter, packet(from: Self.web, to: Self.pod)))
        #expect(try !takes(&filter, packet(to: Self.service)))
        func arp(_ target: IPAddress) -> [UInt8] {
            [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1] + Self.pod.bytes + [0, 0, 0, 0, 0, 0] + target.bytes
        }
        #expect(try takes(&filter, arp(Self.web), type: 0x0806) && !takes(&filter, arp(Self.service), type: 0x0806))
        #expect(filter.rules(.ipv4).count == 2 && filter.rules(.ipv6).isEmpty)
    }

    /// `bytes` as a node's masquerading sends them on: another source, and another port or identifier.
    private func masqueraded(_ bytes: [UInt8], from source: IPAddress, as port: UInt16) -> [UInt8] {
        var bytes = bytes
        bytes.replaceSubrange(12..<16, with: source.bytes)
        let offset = bytes[9] == Datagram.icmp ? 24 : 20
        bytes.replaceSubrange(offset..<offset + 2, with: [UInt8(port >> 8), UInt8(port & 255)])
        return bytes
    }

    /// The answer to `bytes`, as a server sends it.
    private func answered(_ bytes: [UInt8]) -> [UInt8] {
        var reply = bytes
        reply.replaceSubrange(12..<20, with: bytes[16..<20] + bytes[12..<16])
        reply.replaceSubrange(4..<6, with: [0, 0])
        if bytes[9] == Datagram.icmp {
            reply[20] = 0
            return reply
        }
        reply.replaceSubrange(20..<24, with: bytes[22..<24] + bytes[20..<22])
        if bytes[9] == Datagram.tcp {
            reply.replaceSubrange(28..<32, with: [bytes[24], bytes[25], bytes[26], bytes[27] &+ 1])
            reply[33] = Datagram.syn | Datagram.acknowledging
        } else {
            reply.replaceSubrange(28..<32, with: [9, 9, 9, 9])
        }
        return reply
    }

    @Test(
        "minik's own packets, and their answers, are left out whatever masquerading calls them; the same ports of others' packets are not",
        arguments: [1, 6, 17, 132] as [UInt8])
    func probes(_ proto: UInt8) throws {
        var filter = CaptureFilter()
        let probe = ProbePacket(from: Self.pod, to: Self.web, proto: proto, port: proto == 1 ? 0 : 80, token: 0x0001_0002).bytes
        let other = masqueraded(probe, from: Self.service, as: 4711)
        #expect(try takes(&filter, answered(other)), "nobody has asked for it yet")
        #expect(try !takes(&filter, probe) && !takes(&filter, answered(probe)))
        #expect(try !takes(&filter, other) && !takes(&filter, answered(other)))
        let header: [UInt8] = [0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0] + Self.web.bytes + Self.service.bytes
        #expect(try !takes(&filter, header + [3, 3, 0, 0, 0, 0, 0, 0] + other.prefix(28)))
        // Another connection has one of minik's ports, and then the name that a probe had.
        let real = packet(from: Self.service, to: Self.web, proto: proto, port: 80, sourcePort: 61009)
        #expect(try takes(&filter, real) && takes(&filter, answered(real)))
        let next = packet(from: Self.service, to: Self.web, proto: proto, port: 80, sourcePort: 4711, token: 0x4711_0002)
        #expect(try takes(&filter, next) && takes(&filter, answered(next)))
        filter.includesProbes = true
        #expect(try takes(&filter, probe) && takes(&filter, answered(probe)))
    }

    @Test("an answer is minik's half translated, too, as a node's bridge takes it in", arguments: [6, 17, 132] as [UInt8])
    func half(_ proto: UInt8) throws {
        var filter = CaptureFilter()
        let node = IPAddress(ipv4: 0xC0A8_C881)
        let probe = ProbePacket(from: Self.pod, to: Self.service, proto: proto, port: 80, token: 0x0001_0002)
        let sent = ProbePacket(from: node, to: Self.web, proto: proto, port: 8080, token: probe.token).bytes
        #expect(try !takes(&filter, probe.bytes) && !takes(&filter, masqueraded(sent, from: node, as: 4711)))
        let between = ProbePacket(from: Self.pod, to: Self.web, proto: proto, port: 8080, token: probe.token).bytes
        #expect(try !takes(&filter, answered(between)))
    }

    @Test("the sender's kernel ends what minik began: the reset is minik's too")
    func resets() throws {
        var filter = CaptureFilter()
        let probe = ProbePacket(from: Self.pod, to: Self.web, proto: 6, port: 80, token: 7).bytes
        var reset = probe
        (reset[27], reset[33]) = (8, Datagram.reset)
        #expect(try takes(&filter, reset))
        #expect(try !takes(&filter, probe) && !takes(&filter, reset))
    }

    private let place = PacketStory.Place(
        name: "node", kind: .node, links: [4: Link(index: 4, name: "veth4", mtu: 1450, address: nil, isUp: true, kind: "veth", master: 3)],
        neighbours: [4: "default/amy"])

    private func captured(_ payload: [UInt8], out: Bool = false) -> CapturedFrame {
        let bytes = frame(payload)
        return CapturedFrame(time: 5, device: 4, isOutgoing: out, bytes: bytes, length: bytes.count)
    }

    @Test("what the rules said of a packet stands beside it on its node, as it came and as it went, and beside no other packet")
    func comments() throws {
        var comments = CaptureComments()
        let sent = try #require(Datagram(packet(to: Self.service, token: 11))),
            now = try #require(Datagram(packet(to: Self.web, token: 11)))
        comments.add("node", at: 1000, [sent, now], ["prerouting: web"])
        #expect(
            comments.comment(place, captured(packet(to: Self.service, token: 11))) == "node: in veth4 from default/amy; prerouting: web")
        #expect(comments.comment(place, captured(packet(to: Self.web, token: 11), out: true)).hasSuffix("to default/amy; prerouting: web"))
        comments.add("node", at: 1001, [now], ["prerouting: web", "forward: p"])
        #expect(comments.comment(place, captured(packet(to: Self.web, token: 11))).hasSuffix("; prerouting: web; forward: p"))
        let masked = packet(from: Self.service, to: Self.web, token: 11)
        #expect(comments.comment(place, captured(masked)).hasSuffix("; forward: p"), "its source was translated behind the last hook")
        #expect(comments.comment(place, captured(packet(to: Self.web, token: 12))) == "node: in veth4 from default/amy")
        let elsewhere = PacketStory.Place(name: "other", kind: .node)
        #expect(comments.comment(elsewhere, captured(packet(to: Self.web, token: 11))) == "other: in #4")
        comments.add("node", at: 1_000_002_000, [now], [])
        #expect(!comments.comment(place, captured(packet(to: Self.web, token: 11))).contains("web"), "a second later it is forgotten")
    }

    @Test("a number that the kernel gives to two packets, one after the other, makes two passages")
    func passages() throws {
        let own = TableID(.ip, "minik-capture-1"), proxy = TableID(.ip, "kube-proxy"), sent = try #require(Datagram(packet(to: Self.web)))
        let reading = RuleReading(
            outlines: [proxy: TableOutline(points: ["nat": .prerouting], rules: [3: Rule(.verdict(.accept), comment: "web")])],
            ownTable: own)
        let one = [
            TraceEvent(packet: 1, table: own, chain: "prerouting", ruleHandle: 1, datagram: sent),
            TraceEvent(packet: 1, table: proxy, chain: "nat", ruleHandle: 3, verdict: "accept", datagram: sent),
        ]
        let links = TableID(.bridge, "pod-links")
        let copy = TraceEvent(
            packet: 2, table: links, chain: "postrouting", ruleHandle: 9, verdict: "drop", datagram: sent, outputDevice: 4)
        #expect(reading.isFlooded([copy]) && !reading.isFlooded(one) && !reading.isFlooded(one + [copy]))
        #expect(reading.passages(one + one).map(\.count) == [2, 2])
        let sights = reading.sights(one) { _, _, _ in nil }
        #expect(sights.map(\.words) == ["prerouting, kube-proxy/nat: web: accept"])
        #expect(
            reading.sights(one) { point, _, text in "\(point?.rawValue ?? "") \(text)" }.first?.reason?.hasPrefix("prerouting ") == true)
    }
}

@Suite("capture files")
struct PcapngTests {
    private func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }

    @Test("each block says its length at both ends, in whole words, whatever the lengths of names, packets and comments", arguments: 0..<9)
    func blocks(_ length: Int) {
        let text = String(repeating: "x", count: length)
        let frame = CapturedFrame(
            time: 0x0102_0304_0506_0708, device: 1, isOutgoing: true, bytes: [UInt8](repeating: 7, count: 20 + length), length: 1500)
        let packet = Pcapng.packet(interface: 3, frame, comment: text)
        let file =
            Pcapng.section(application: text, system: "s") + Pcapng.interface(text, description: text, snap: 64) + packet
            + Pcapng.statistics(interface: 3, at: 1, received: 2, dropped: 0)
        var types: [Int] = [], rest = file[...]
        while rest.count >= 12 {
            let size = number(rest.dropFirst(4).prefix(4))
            guard size % 4 == 0, size <= rest.count else { break }
            #expect(number(rest.prefix(size).suffix(4)) == size)
            types.append(number(rest.prefix(4)))
            rest = rest.dropFirst(size)
        }
        #expect(types == [0x0A0D_0D0A, 1, 6, 5] && rest.isEmpty)
        #expect(number(packet[8..<12]) == 3 && number(packet[12..<16]) == 0x0102_0304 && number(packet[16..<20]) == 0x0506_0708)
        #expect(number(packet[20..<24]) == 20 + length && number(packet[24..<28]) == 1500)
    }
}

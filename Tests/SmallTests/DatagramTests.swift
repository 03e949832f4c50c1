import Model
import Netlink
import Runtime
import Testing

@Suite("what is read from frames and packets")
struct DatagramTests {
    private let here = IPAddress(ipv4: 0x0AF4_0003), there = IPAddress(ipv4: 0x0AF4_0102)

    private func ethernet(_ payload: [UInt8], type: UInt16 = 0x0800) -> [UInt8] {
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, UInt8(type >> 8), UInt8(type & 255)] + payload
    }

    private func probe(_ proto: UInt8, token: UInt32 = 0x0102_0304) -> ProbePacket {
        ProbePacket(from: here, to: there, proto: proto, port: proto == 1 ? 0 : 80, token: token)
    }

    @Test("a TCP packet tells its ends, ports, flags and hops")
    func tcp() throws {
        let frame = try #require(Frame(ethernet(probe(6).bytes))), datagram = try #require(frame.datagram)
        #expect(frame.source.description == "02:00:00:00:00:01" && frame.destination.description == "02:00:00:00:00:02")
        #expect(datagram.source == here && datagram.destination == there && datagram.hops == 64 && datagram.length == 40)
        #expect(datagram.destinationPort == 80 && datagram.flags == Datagram.syn && datagram.sequence == 0x0102_0304)
        #expect(datagram.acknowledged == nil && datagram.text.hasSuffix("> 10.244.1.2:80 TCP SYN"))
    }

    @Test("a frame in VXLAN is found, with its network's number; on another port there is none")
    func vxlan() throws {
        let inner = ethernet(probe(1).bytes), length = UInt16(inner.count + 16)
        func outer(_ port: UInt16) -> [UInt8] {
            let udp: [UInt8] = [0x80, 0, UInt8(port >> 8), UInt8(port & 255), UInt8(length >> 8), UInt8(length & 255), 0, 0]
            let total = length + 20
            let header: [UInt8] = [
                0x45, 0, UInt8(total >> 8), UInt8(total & 255), 0, 0, 0x40, 0, 63, 17, 0, 0, 192, 168, 0, 1, 192, 168, 0, 2,
            ]
            return header + udp + [0x08, 0, 0, 0, 0, 0, 1, 0] + inner
        }
        let found = try #require(Datagram(outer(8472))?.inner)
        #expect(found.vni == 1 && found.frame.datagram?.isEchoRequest == true)
        #expect(Datagram(outer(8473))?.inner == nil)
        #expect(found.frame.datagram?.text == "10.244.0.3 > 10.244.1.2 ICMP echo request")
    }

    @Test("what is cut short is read as far as it goes, and never beyond")
    func short() {
        let whole = ethernet(probe(6).bytes)
        for count in 0..<whole.count {
            let datagram = Frame(Array(whole.prefix(count)))?.datagram
            #expect((datagram == nil) == (count < 34))
            _ = datagram?.text
            #expect(datagram?.inner == nil && datagram?.quoted == nil)
        }
        #expect(Frame(ethernet([0x4F, 0, 0, 0]))?.datagram == nil, "a header longer than the packet")
    }

    @Test(
        "a probe and its answers are known, also translated and quoted by an error; another's are not",
        arguments: [1, 6, 17, 132] as [UInt8])
    func conversation(_ proto: UInt8) throws {
        let probe = probe(proto), datagram = try #require(Datagram(probe.bytes))
        var conversation = ProbeConversation(probe)
        conversation.learn(datagram)
        #expect(conversation.leg(datagram) == .there)
        let other = try #require(Datagram(self.probe(proto, token: 0x0909_0909).bytes))
        #expect(conversation.leg(other) == nil)
        // A node sends back the beginning of what it refuses.
        let header: [UInt8] = [0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0] + there.bytes + here.bytes
        let error = try #require(Datagram(header + [3, 3, 0, 0, 0, 0, 0, 0] + probe.bytes.prefix(28)))
        #expect(conversation.leg(error) == .back && error.text == "10.244.1.2 > 10.244.0.3 ICMP port unreachable")
        let foreign = try #require(
            Datagram(
                header + [3, 3, 0, 0, 0, 0, 0, 0] + ProbePacket(from: here, to: here, proto: proto, port: 9, token: 9).bytes.prefix(28)))
        #expect(conversation.leg(foreign) == nil)
        // Known by its token where it is translated.
        let translated = try #require(Datagram(ProbePacket(from: there, to: here, proto: proto, port: 8080, token: probe.token).bytes))
        #expect(conversation.leg(translated) == .there)
    }

    @Test("an answer by TCP acknowledges the probe, by UDP turns it round")
    func answers() throws {
        var conversation = ProbeConversation(probe(6))
        var reply = probe(6, token: 77).bytes
        reply.replaceSubrange(28..<32, with: [1, 2, 3, 5])
        reply[33] = Datagram.syn | Datagram.acknowledging
        #expect(conversation.leg(try #require(Datagram(reply))) == .back)
        reply[31] = 6
        #expect(conversation.leg(try #require(Datagram(reply))) == nil)

        conversation = ProbeConversation(probe(17))
        let sent = probe(17).bytes
        // Addresses and ports change places, and the payload is another.
        var turned = sent
        turned.replaceSubrange(12..<20, with: Array(sent[16..<20]) + Array(sent[12..<16]))
        turned.replaceSubrange(20..<24, with: Array(sent[22..<24]) + Array(sent[20..<22]))
        turned.replaceSubrange(28..<32, with: [9, 9, 9, 9])
        let answer = try #require(Datagram(turned))
        #expect(conversation.leg(answer) == nil, "nobody has seen the probe yet")
        conversation.learn(try #require(Datagram(sent)))
        #expect(conversation.leg(answer) == .back)
    }

    @Test("a name is asked for and the answer's addresses are read, through compressed names; a broken answer has none")
    func names() {
        let question = NameQuestion.query("web.default.svc.cluster.local", .ipv4, 0x0708)
        #expect(question.count == 12 + 31 + 4 && question[12] == 3 && question.suffix(4) == [0, 1, 0, 1])
        var answer = question
        (answer[2], answer[3], answer[7]) = (0x85, 0x80, 2)
        answer += [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 5, 0, 2, 0xC0, 16]
        answer += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 96, 0, 7]
        func read(_ message: [UInt8], _ number: UInt16 = 0x0708) -> NameQuestion.Answer? {
            NameQuestion.answer(in: message, number, question.count)
        }
        #expect(read(answer) == .addresses([IPAddress(ipv4: 0x0A60_0007)]))
        #expect(read(answer, 0x0709) == nil && read(question) == nil, "another's answer, and a question")
        for count in 0..<answer.count { #expect([nil, .unknown].contains(read(Array(answer.prefix(count))))) }
        answer[3] = 0x83
        #expect(read(Array(answer.prefix(question.count))) == .unknown)
        answer[3] = 0x82
        #expect(read(answer) == .silence, "a server that fails says nothing of the name")
    }
}

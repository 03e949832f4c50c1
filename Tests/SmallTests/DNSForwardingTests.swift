import API
import DNS
import Model
import Testing

@Suite("DNS: names that somebody else knows")
struct DNSForwardingTests {
    private let zone = DNSZone(
        DNSRecords(
            zone: "cluster.local", namespaces: ["a"],
            services: [
                DNSRecords.ServiceRecord(
                    name: "out", namespace: "a", clusterIPs: [], externalName: "www.example.org", ports: [], endpoints: [])
            ]))

    private static func wire(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    private static func query(_ name: String, flags: UInt8 = 1) -> [UInt8] {
        [0x12, 0x34, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0] + wire(name) + [0, 1, 0, 1]
    }

    /// An answer to a query of this server's: an alias, and an address at the alias' name, by pointers.
    private static func reply(to bytes: [UInt8], code: UInt8 = 0) -> [UInt8] {
        let question = bytes[12...].prefix(bytes.count - 12 - 11)
        let target = wire("x.example.net"), place = UInt8(12 + question.count + 12)
        return bytes[..<2] + [0x81, 0x80 | code, 0, 1, 0, 2, 0, 0, 0, 0] + question
            + [0xC0, 12, 0, 5, 0, 1, 0, 0, 1, 0, 0, UInt8(target.count)] + target
            + [0xC0, place, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 7]
    }

    private func ask(_ name: String, _ forwarding: inout DNSForwarding<Int>, client: Int = 7, now: Int = 0) throws -> [UInt8] {
        guard case .elsewhere(let query, let answer) = DNSReply.to(Self.query(name), from: zone, isDatagram: true, turn: 0) else {
            Issue.record("nobody else knows \(name)")
            return []
        }
        let message = forwarding.ask(query, answer, for: client, now: now, id: { 99 })
        return try #require(message)
    }

    @Test("a query goes on under another number, in the client's letters, and the answer comes back under the client's")
    func name() throws {
        var forwarding = DNSForwarding<Int>()
        let asked = try ask("WWW.example.org", &forwarding)
        #expect(Array(asked[..<12]) == [0, 99, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1] && Array(asked[12..<29]) == Self.wire("WWW.example.org"))
        let received = forwarding.receive(Self.reply(to: asked)), reply = try #require(received)
        #expect(reply.client == 7 && forwarding.isEmpty)
        let bytes = reply.query.encode(reply.answer, limit: 512)
        // Recursion is available, the word is not this server's; the seconds are theirs, and no OPT where the client sent none.
        #expect(Array(bytes[..<12]) == [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0])
        #expect(bytes.suffix(10) == [0, 0, 1, 0, 0, 4, 192, 0, 2, 7])
        #expect(reply.answer.answers.map(\.name) == ["WWW.example.org", "x.example.net"])
    }

    @Test("an alias that leads out is followed, and told alone when nobody answers")
    func alias() throws {
        var forwarding = DNSForwarding<Int>()
        let asked = try ask("out.a.svc.cluster.local", &forwarding)
        #expect(Array(asked[12..<29]) == Self.wire("www.example.org"))
        let received = forwarding.receive(Self.reply(to: asked)), reply = try #require(received)
        #expect(reply.answer.answers.map(\.name) == ["out.a.svc.cluster.local", "www.example.org", "x.example.net"])
        _ = try ask("out.a.svc.cluster.local", &forwarding)
        let early = forwarding.expire(now: 4999)
        #expect(early.isEmpty)
        let late = forwarding.expire(now: 5000)
        #expect(late.map(\.answer.answers.count) == [1] && late.map(\.answer.code) == [.noError] && forwarding.isEmpty)
    }

    @Test("what answers another question, is cut short or no reply is nobody's answer")
    func strangers() throws {
        var forwarding = DNSForwarding<Int>()
        let asked = try ask("www.example.org", &forwarding), good = Self.reply(to: asked)
        for change in [
            { $0[1] = 98 }, { $0[2] = 1 }, { $0[13] = 0x78 }, { $0.removeLast() }, { $0[5] = 0 }, { $0 = [] }, { $0[30] = 28 },
        ] as [(inout [UInt8]) -> Void] {
            var bytes = good
            change(&bytes)
            let reply = forwarding.receive(bytes)
            #expect(reply == nil)
        }
        let first = forwarding.receive(good), second = forwarding.receive(good)
        #expect(first != nil && second == nil)
    }

    @Test("there are only so many, and all are told when there is nobody left to answer")
    func bounded() throws {
        var forwarding = DNSForwarding<Int>()
        for client in 0..<DNSForwarding<Int>.most { _ = try ask("www.example.org", &forwarding, client: client) }
        guard case .elsewhere(let query, let answer) = DNSReply.to(Self.query("www.example.org"), from: zone, isDatagram: true, turn: 0)
        else { return }
        let more = forwarding.ask(query, answer, for: 0, now: 0, id: { 0 })
        #expect(more == nil)
        let all = forwarding.giveUp()
        #expect(Set(all.map(\.client)).count == DNSForwarding<Int>.most && all.allSatisfy { $0.answer.code == .serverFailure })
    }

    @Test("who wants no recursion gets none")
    func noRecursion() throws {
        guard case .bytes(let reply) = DNSReply.to(Self.query("www.example.org", flags: 0), from: zone, isDatagram: true, turn: 0) else {
            Issue.record("it was forwarded")
            return
        }
        #expect(reply[3] & 15 == 2)
    }

    @Test("resolvers are addresses or files, and a document that says anything else is refused")
    func document() throws {
        typealias Resolver = Cluster.Resolver
        let address = try #require(IPAddress("192.0.2.1")), six = try #require(IPAddress("2001:db8::1"))
        #expect(Resolver("192.0.2.1") == .address(address, port: 53) && Resolver("192.0.2.1:5353") == .address(address, port: 5353))
        #expect(Resolver("2001:db8::1") == .address(six, port: 53) && Resolver("[2001:db8::1]:54") == .address(six, port: 54))
        #expect(Resolver("/etc/resolv.conf") == .file("/etc/resolv.conf"))
        for text in ["", "dns.example", "192.0.2.1:", "192.0.2.1:0", "[192.0.2.1]:53", "etc/resolv.conf", "1.2.3.4:70000"] {
            #expect(Resolver(text) == nil, "\(text)")
        }
        #expect(Resolver.servers("# nameserver 9.9.9.9\nsearch x\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 \n") == [address, six])
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nspec: {dns: {forward: [192.0.2.1, /etc/resolv.conf]}}\n"
        let cluster = try Cluster(try #require(try Manifest.read(text, file: "c.yaml").first))
        #expect(cluster.forward == ["192.0.2.1", "/etc/resolv.conf"] && cluster.json["spec"]["dns"]["forward"].items.count == 2)
        #expect(cluster.shape.forward.isEmpty, "it may change while the cluster runs")
        let bad = try #require(try Manifest.read(text.replacing("192.0.2.1,", with: "dns.example,"), file: "c.yaml").first)
        #expect(throws: ManifestError.self) { try Cluster(bad) }
    }
}

@Suite("DNS: how far changes have been read")
struct DNSPositionTests {
    @Test("a line counts with its end, and what is no change is passed over")
    func lines() {
        var position = DNSPosition(serial: 1), taken: [DNSChange] = []
        let change = DNSChange.namespace("a", isThere: true)
        let half = position.take(Array(change.line.dropLast()), { taken.append($0) })
        #expect(!half && position.read == 0)
        let more = position.take(change.line + Array("no JSON\n{\"newer\": 1}\n".utf8) + [0x7B], { taken.append($0) })
        #expect(more && taken == [change] && position.read == change.line.count + 8 + 13)
    }

    @Test("the whole that the last line announces is known, any other is not")
    func whole() {
        var position = DNSPosition(serial: 1)
        func whole(_ serial: Int) -> [UInt8] {
            var records = DNSRecords(zone: "cluster.local", services: [])
            records.serial = serial
            return records.json.bytes()
        }
        let unannounced = position.isWhole(whole(1))
        #expect(!unannounced)
        let isRead = position.take(DNSChange.whole(2).line, { _ in })
        #expect(isRead && position.serial == 2 && position.read == 0)
        let found = [3, 2, 2].map { position.isWhole(whole($0)) }
        #expect(found == [false, true, false], "it comes once")
    }
}

import DNS
import Model
import PolicyCases
import Testing

/// A query as a resolver sends it: one question, recursion desired, and an OPT record where `edns` is a size.
private func query(_ name: String, _ type: UInt16 = 1, class dnsClass: UInt16 = 1, id: UInt16 = 0x1234, edns: UInt16? = nil) -> [UInt8] {
    var bytes: [UInt8] = [UInt8(id >> 8), UInt8(id & 255), 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, edns == nil ? 0 : 1]
    for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
    bytes += [0, UInt8(type >> 8), UInt8(type & 255), UInt8(dnsClass >> 8), UInt8(dnsClass & 255)]
    if let edns { bytes += [0, 0, 41, UInt8(edns >> 8), UInt8(edns & 255), 0, 0, 0, 0, 0, 0] }
    return bytes
}

private struct Malformed: Error {}

/// A reader of answers, after RFC 1035, section 4.1.
private struct WireAnswer {
    struct Record {
        let name: String
        let type: Int
        let dnsClass: Int
        let ttl: Int
        let data: [UInt8]
    }

    let bytes: [UInt8]
    private var offset = 0
    private(set) var id = 0, flags = 0
    private(set) var counts: [Int] = []
    private(set) var question = ""
    private(set) var questionType = 0
    private(set) var records: [Record] = []

    var isAnswer: Bool { flags & 0x8000 != 0 }
    var isAuthoritative: Bool { flags & 0x0400 != 0 }
    var isTruncated: Bool { flags & 0x0200 != 0 }
    var wantsRecursion: Bool { flags & 0x0100 != 0 }
    var code: Int { flags & 15 }

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        id = try word()
        flags = try word()
        for _ in 0..<4 {
            let count = try word()
            counts.append(count)
        }
        guard counts[0] <= 1 else { throw Malformed() }
        if counts[0] == 1 {
            question = try name()
            questionType = try word()
            _ = try word()
        }
        for _ in 0..<(counts[1] + counts[2] + counts[3]) {
            let owner = try name(), type = try word(), dnsClass = try word(), high = try word(), low = try word()
            let length = try word(), data = try self.data(type, length)
            records.append(Record(name: owner, type: type, dnsClass: dnsClass, ttl: high << 16 | low, data: data))
        }
        guard offset == bytes.count else { throw Malformed() }
    }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        guard offset + count <= bytes.count else { throw Malformed() }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// A record's data, the names in it spelled out.
    private mutating func data(_ type: Int, _ length: Int) throws -> [UInt8] {
        let end = offset + length
        var data: [UInt8] = []
        if type == 33 { data += try take(6) }
        if [2, 5, 6, 12, 33].contains(type) { data += wire(try name()) }
        if type == 6 { data += wire(try name()) }
        guard offset <= end else { throw Malformed() }
        return data + (try take(end - offset))
    }

    private mutating func word() throws -> Int { try take(2).reduce(0) { $0 << 8 | Int($1) } }

    private mutating func name() throws -> String {
        var labels: [String] = []
        while true {
            let length = Int(try take(1)[0])
            if length == 0 { return labels.joined(separator: ".") }
            if length >= 0xC0 {
                // The rest stands further up (RFC 1035, section 4.1.4).
                let target = (length & 0x3F) << 8 | Int(try take(1)[0]), back = offset
                guard target < offset - 2 else { throw Malformed() }
                offset = target
                let rest = try name()
                offset = back
                return (labels + [rest]).joined(separator: ".")
            }
            guard length < 64 else { throw Malformed() }
            labels.append(String(decoding: try take(length), as: UTF8.self))
        }
    }
}

/// A name as it stands in a message.
private func wire(_ name: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
    return bytes + [0]
}

private func read(_ bytes: [UInt8]) -> DNSQuery? {
    if case .query(let query) = DNSQuery.read(bytes) { query } else { nil }
}

/// What a server of `dnsRecords` that reaches nobody else says.
private func reply(_ bytes: [UInt8], from zone: DNSZone? = nil, isDatagram: Bool = true) throws -> [UInt8]? {
    let zone = try zone ?? DNSZone(dnsRecords())
    switch DNSReply.to(bytes, from: zone, isDatagram: isDatagram, turn: 0) {
    case .silence: return nil
    case .bytes(let bytes): return bytes
    case .elsewhere(let query, let answer): return query.encode(answer, limit: query.limit(isDatagram: isDatagram))
    }
}

private func exchange(_ bytes: [UInt8]) throws -> WireAnswer { try WireAnswer(try #require(try reply(bytes))) }

@Suite("DNS answers on the wire")
struct EncodedAnswers {
    @Test("an answer repeats the id, the question and the wish for recursion")
    func header() throws {
        let answer = try exchange(query("web.default.svc.cluster.local", id: 0xBEEF))
        #expect(answer.id == 0xBEEF)
        #expect(answer.isAnswer)
        #expect(answer.isAuthoritative)
        #expect(answer.wantsRecursion)
        #expect(!answer.isTruncated)
        #expect(answer.code == 0)
        #expect(answer.question == "web.default.svc.cluster.local")
        #expect(answer.questionType == 1)
        #expect(answer.counts == [1, 1, 0, 0])
    }

    @Test("an A record is four bytes")
    func a() throws {
        let answer = try exchange(query("web.default.svc.cluster.local"))
        let record = try #require(answer.records.first)
        #expect(record.name == "web.default.svc.cluster.local")
        #expect([record.type, record.dnsClass] == [1, 1])
        #expect(record.data == [10, 1, 216, 8])
        #expect((1...30).contains(record.ttl))
    }

    @Test("an SRV record is priority, weight, port and target")
    func srv() throws {
        let answer = try exchange(query("_http._tcp.web.default.svc.cluster.local", 33))
        #expect(answer.counts == [1, 1, 0, 1])
        #expect(answer.records.map(\.type) == [33, 1])
        let data = try #require(answer.records.first).data
        try #require(data.count > 6)
        #expect(Array(data[0..<2]) == [0, 0])
        #expect(Array(data[4..<6]) == [0x1F, 0x90])
        #expect(Array(data[6...]) == wire("web.default.svc.cluster.local"))
    }

    @Test("PTR and CNAME records are names")
    func names() throws {
        let ptr = try exchange(query("8.216.1.10.in-addr.arpa", 12)), cname = try exchange(query("outside.default.svc.cluster.local"))
        #expect(ptr.records.map(\.type) == [12])
        #expect(ptr.records.map(\.data) == [wire("web.default.svc.cluster.local")])
        #expect(cname.records.map(\.type) == [5])
        #expect(cname.records.map(\.data) == [wire("www.example.org")])
    }

    @Test("NXDOMAIN carries an SOA record: two names and five numbers")
    func soaRecord() throws {
        let answer = try exchange(query("nothing.default.svc.cluster.local"))
        #expect(answer.code == 3)
        #expect(answer.counts == [1, 0, 1, 0])
        let record = try #require(answer.records.first)
        #expect(record.type == 6)
        #expect(record.name == "cluster.local")
        let names = wire("ns.dns.cluster.local") + wire("hostmaster.cluster.local")
        #expect(Array(record.data.prefix(names.count)) == names)
        #expect(record.data.count == names.count + 20)
    }

    @Test("a class other than IN is refused")
    func otherClass() throws {
        let answer = try exchange(query("web.default.svc.cluster.local", class: 3))
        #expect(answer.code == 5)
        #expect(answer.records.isEmpty)
    }

    @Test("EDNS tells the size that fits and is answered in kind")
    func edns() throws {
        let plain = try #require(read(query("web.default.svc.cluster.local")))
        #expect(plain.edns == nil && plain.limit(isDatagram: true) == 512 && plain.limit(isDatagram: false) == 65535)
        // What is larger than 1,232 bytes is cut to pieces on some ways.
        for (size, limit) in [(100, 512), (600, 600), (1232, 1232), (4096, 1232)] as [(UInt16, Int)] {
            let query = try #require(read(query("web", edns: size)))
            #expect(query.edns?.udpSize == Int(size) && query.limit(isDatagram: true) == limit)
        }
        let answer = try exchange(query("web.default.svc.cluster.local", edns: 1232))
        #expect(answer.records.map(\.type) == [1, 41])
        #expect(answer.records.last?.name == "")
    }

    @Test("a label that is no text comes back byte for byte, and what is pointed to still stands where it is said to")
    func noText() throws {
        var bytes = query("xx.default.svc.cluster.local", 33)
        bytes.replaceSubrange(13..<15, with: [0xFF, 0xFE])
        let parsed = try #require(read(bytes))
        let reply = try parsed.encode(DNSZone(dnsRecords()).resolve(parsed.question), limit: 512)
        #expect(Array(reply[12..<12 + bytes.count - 12]) == Array(bytes[12...]))
        let answer = try WireAnswer(reply)
        #expect(answer.code == 3 && answer.records.map(\.name) == ["cluster.local"])
    }

    @Test("an answer that does not fit says so and holds as many records as do, one that fits is whole")
    func truncation() throws {
        let endpoints = (1...60).map { #"{"address": "10.244.1.\#($0)"}"# }.joined(separator: ",")
        let many = DNSZone(
            DNSRecords(
                try JSON(
                    parsing:
                        #"{"zone": "cluster.local", "services": [{"name": "many", "namespace": "a", "ports": [], "endpoints": [\#(endpoints)]}]}"#
                )))
        for edns in [nil, 512] as [UInt16?] {
            let parsed = try #require(read(query("many.a.svc.cluster.local", edns: edns)))
            let short = parsed.encode(many.resolve(parsed.question), limit: 512)
            #expect(short.count <= 512)
            let truncated = try WireAnswer(short)
            #expect(truncated.isTruncated)
            #expect(truncated.code == 0)
            #expect(truncated.question == "many.a.svc.cluster.local")
            // 16 bytes a record, its name a pointer to the question.
            #expect(truncated.counts == [1, (512 - 12 - 28 - (edns == nil ? 0 : 11)) / 16, 0, edns == nil ? 0 : 1])
            let whole = try WireAnswer(parsed.encode(many.resolve(parsed.question), limit: 65535))
            #expect(!whole.isTruncated)
            #expect(whole.counts[1] == 60)
            #expect(Set(whole.records.filter { $0.type == 1 }.map(\.data)).count == 60)
        }
    }

    @Test("an answer of just the limit is not truncated")
    func exactLimit() throws {
        let parsed = try #require(read(query("web.default.svc.cluster.local")))
        let answer = try DNSZone(dnsRecords()).resolve(parsed.question)
        let size = parsed.encode(answer, limit: 65535).count
        let fits = try WireAnswer(parsed.encode(answer, limit: size)), doesNot = try WireAnswer(parsed.encode(answer, limit: size - 1))
        #expect(!fits.isTruncated)
        #expect(doesNot.isTruncated)
    }
}

@Suite("Malformed DNS queries")
struct MalformedQueries {
    @Test("every beginning of a query short of the whole is refused")
    func prefixes() {
        let whole = query("web.default.svc.cluster.local")
        #expect((0..<whole.count).filter { read(Array(whole[..<$0])) != nil } == [])
        #expect(read(whole) != nil)
    }

    @Test("an answer is no query, and neither is one with no question or with two")
    func counts() {
        var answer = query("web"), none = answer, two = answer
        answer[2] |= 0x80
        none[5] = 0
        two[5] = 2
        #expect([answer, none, two].filter { read($0) != nil } == [])
    }

    @Test("a compressed name or a label that runs past the end is refused")
    func labels() {
        let header: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        let bodies: [[UInt8]] = [[0xC0, 0x0C, 0, 1, 0, 1], [63, 97, 0, 0, 1, 0, 1], [3, 97, 97, 97], [0x40, 0, 0, 1, 0, 1], [255], []]
        #expect(bodies.filter { read(header + $0) != nil } == [])
    }

    /// RFC 1035, section 2.3.4: names have 255 octets or less.
    @Test("a name of 255 bytes is read and a longer one is refused")
    func longName() {
        func name(_ last: Int) -> String {
            [63, 63, 63, last].map { String(repeating: "a", count: $0) }.joined(separator: ".")
        }
        #expect(wire(name(61)).count == 255)
        #expect(read(query(name(61))) != nil)
        #expect(read(query(name(62))) == nil)
        #expect(read(query(Array(repeating: String(repeating: "a", count: 63), count: 60).joined(separator: "."))) == nil)
    }

    @Test("bytes at random, and queries with a few of them changed, never stop the server")
    func fuzz() throws {
        var random = SplitMix64(seed: 1035)
        let zone = DNSZone(try dnsRecords())
        let seeds = [
            query("web.default.svc.cluster.local", edns: 1232), query("_pg._tcp.db.data.svc.cluster.local", 33),
            query("8.216.1.10.in-addr.arpa", 12), query("10-244-1-1.default.pod.cluster.local", 255),
        ]
        var answered = 0, silent = 0
        for _ in 0..<4000 {
            var bytes = random.pick(seeds)
            if random.chance(20) { bytes = (0..<random.number(0..<80)).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
            for _ in 0..<random.number(0..<6) where !bytes.isEmpty {
                bytes[random.number(0..<bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.chance(20) { bytes = Array(bytes.prefix(random.number(0..<100))) }
            guard let reply = try reply(bytes, from: zone) else {
                silent += 1
                continue
            }
            answered += 1
            #expect(reply.count >= 12 && reply.count <= 1232 && Array(reply.prefix(2)) == Array(bytes.prefix(2)))
            // Two servers that answer each other's answers would never end.
            #expect(reply[2] & 0x80 != 0 && bytes[2] & 0x80 == 0)
            _ = try WireAnswer(reply)
        }
        #expect(answered > 400)
        #expect(silent > 200)
    }
}

@Suite("DNS: what the header and the OPT record say")
struct DNSHeaderTests {
    private static let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
    private static let record: [UInt8] = [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 1, 2, 3]

    private func web(additional: [UInt8] = [], count: UInt8 = 0, _ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var bytes = query("web.default.svc.cluster.local")
        bytes[11] = count
        change(&bytes)
        return bytes + additional
    }

    private func opt(version: UInt8 = 0, flags: UInt8 = 0, options: [UInt8] = []) -> [UInt8] {
        [0, 0, 41, 4, 208, 0, version, flags, 0, 0, UInt8(options.count)] + options
    }

    @Test("RD and CD are the client's, AD, RA and Z are not copied")
    func flags() throws {
        for (high, low, expected) in [(1, 0, 0x8500), (0, 0, 0x8400), (1, 0x10, 0x8510), (7, 0xE0, 0x8500)] as [(UInt8, UInt8, Int)] {
            let answer = try exchange(web { ($0[2], $0[3]) = (high, low) })
            #expect(answer.flags == expected)
        }
    }

    @Test("what is no query of one question gets the header that says so, and a reply gets nothing")
    func refusals() throws {
        for (code, change) in [
            (4, { $0[2] = 0x11 }), (4, { $0[2] = 0x29 }), (1, { $0[5] = 0 }), (1, { $0[5] = 2 }), (1, { $0[7] = 2 }), (1, { $0[11] = 3 }),
            (1, { $0.removeLast(3) }), (1, { $0.removeLast($0.count - 12) }), (1, { $0[12] = 0x40 }),
        ] as [(Int, (inout [UInt8]) -> Void)] {
            let answer = try exchange(web(change))
            #expect(answer.code == code && answer.counts == [0, 0, 0, 0] && answer.wantsRecursion && !answer.isAuthoritative)
        }
        #expect(try reply(web { $0[2] |= 0x80 }) == nil)
        #expect(try reply(Array(web().prefix(11))) == nil)
    }

    @Test("an OPT record is found wherever it stands, and DO comes back")
    func opts() throws {
        for additional in [Self.opt, Self.opt + Self.record, Self.record + Self.opt] {
            let answer = try exchange(web(additional: additional, count: additional.count > 20 ? 2 : 1))
            #expect(answer.code == 0 && answer.records.map(\.type) == [1, 41])
        }
        let answer = try exchange(web(additional: opt(flags: 0x80), count: 1))
        #expect(answer.records.last?.ttl == 0x8000)
        #expect(try exchange(web(additional: Self.opt)).records.map(\.type) == [1], "bytes after the end are nobody's")
        #expect(try exchange(web(additional: opt(options: [0, 10, 0, 2, 1, 2]), count: 1)).code == 0, "an option is left alone")
    }

    @Test("two OPT records, one with a name, one cut short and one with half an option are no query")
    func badOpts() throws {
        for (additional, count) in [
            (Self.opt + Self.opt, 2), ([1, 120] + Self.opt, 1), (Array(Self.opt.dropLast(4)), 1), (Array(Self.record.dropLast()), 1),
            (opt(options: [0, 10, 0]), 1), (opt(options: [0, 10, 0, 9, 1]), 1),
        ] as [([UInt8], UInt8)] {
            #expect(try exchange(web(additional: additional, count: count)).code == 1)
        }
    }

    @Test("a newer EDNS is told which one this server speaks")
    func version() throws {
        let answer = try exchange(web(additional: opt(version: 1), count: 1))
        #expect(answer.code == 0 && answer.records.map(\.ttl) == [1 << 24] && !answer.isAuthoritative)
    }

    @Test("by TCP the answer is whole")
    func whole() throws {
        let endpoints = (1...200).map { #"{"address": "10.244.1.\#($0)"}"# }.joined(separator: ",")
        let zone = DNSZone(
            DNSRecords(try JSON(parsing: #"{"services": [{"name": "many", "namespace": "a", "endpoints": [\#(endpoints)]}]}"#)))
        let bytes = query("many.a.svc.cluster.local", edns: 1232)
        let short = try WireAnswer(try #require(try reply(bytes, from: zone)))
        #expect(short.isTruncated && short.counts == [1, (1232 - 12 - 30 + 2 - 11) / 16, 0, 1])
        let whole = try WireAnswer(try #require(try reply(bytes, from: zone, isDatagram: false)))
        #expect(!whole.isTruncated && whole.counts[1] == 200)
    }
}

import DNS
import Model
import PolicyCases
import Testing

/// A ClusterIP Service, a headless one with a named and an unnamed endpoint, an idle headless one and an ExternalName.
private func records() throws -> DNSRecords {
    DNSRecords(
        try JSON(
            parsing: """
                {"zone": "cluster.local", "namespaces": ["data", "default", "empty"], "services": [
                  {"name": "web", "namespace": "default", "clusterIP": "10.1.216.8",
                   "ports": [{"name": "http", "protocol": "tcp", "port": 8080}, {"name": "quic", "protocol": "udp", "port": 8443}],
                   "endpoints": [{"address": "10.244.1.157"}]},
                  {"name": "db", "namespace": "data", "ports": [{"name": "pg", "protocol": "tcp", "port": 5432}],
                   "endpoints": [{"address": "10.244.1.5", "hostname": "db-0", "ports": [{"name": "pg", "protocol": "tcp", "port": 5432}]},
                                 {"address": "10.244.2.6", "ports": [{"name": "pg", "protocol": "tcp", "port": 5432}]}]},
                  {"name": "idle", "namespace": "data", "ports": [], "endpoints": []},
                  {"name": "inside", "namespace": "data", "externalName": "web.default.svc.cluster.local", "ports": [], "endpoints": []},
                  {"name": "loop", "namespace": "data", "externalName": "loop.data.svc.cluster.local", "ports": [], "endpoints": []},
                  {"name": "outside", "namespace": "default", "externalName": "www.example.org", "ports": [], "endpoints": []}]}
                """))
}

private func ask(_ name: String, _ type: RecordType) throws -> DNSAnswer {
    try DNSZone(records()).resolve(DNSQuestion(name: name, type: type))
}

private func address(_ text: String) throws -> RecordData { .a(try #require(IPAddress(text))) }

private let soa = RecordData.soa(zone: "cluster.local")

@Suite("DNS answers for an ExternalName that leads back into the cluster")
struct InnerExternalNameAnswers {
    @Test("an address comes with the CNAME, for who asks for one")
    func chain() throws {
        let answer = try ask("inside.data.svc.cluster.local", .a), clusterIP = try address("10.1.216.8")
        #expect(answer.answers.map(\.data) == [.cname("web.default.svc.cluster.local"), clusterIP])
        #expect(answer.answers.map(\.name) == ["inside.data.svc.cluster.local", "web.default.svc.cluster.local"])
        #expect(try ask("inside.data.svc.cluster.local", .cname).answers.map(\.data) == [.cname("web.default.svc.cluster.local")])
        #expect(try ask("inside.data.svc.cluster.local", .aaaa).answers.map(\.data) == [.cname("web.default.svc.cluster.local")])
    }

    @Test("a name that leads to itself ends")
    func loop() throws {
        let answers = try ask("loop.data.svc.cluster.local", .a).answers
        #expect(!answers.isEmpty && answers.allSatisfy { $0.data == .cname("loop.data.svc.cluster.local") })
    }
}

@Suite("DNS answers for a Service with a ClusterIP")
struct ClusterIPAnswers {
    @Test(
        "A is the ClusterIP",
        arguments: ["web.default.svc.cluster.local", "WEB.Default.svc.CLUSTER.local", "web.default.svc.cluster.local."])
    func a(_ name: String) throws {
        let answer = try ask(name, .a), clusterIP = try address("10.1.216.8")
        #expect(answer.code == .noError)
        #expect(answer.answers.map(\.data) == [clusterIP])
        // The name comes back as it was asked, letter for letter.
        #expect(answer.answers.map(\.name) == [name.hasSuffix(".") ? String(name.dropLast()) : name])
        #expect(answer.authority.isEmpty)
    }

    @Test("AAAA is no data: the name exists, and the zone's SOA says so")
    func noData() throws {
        let answer = try ask("web.default.svc.cluster.local", .aaaa)
        #expect(answer.code == .noError)
        #expect(answer.answers.isEmpty)
        #expect(answer.authority.map(\.data) == [soa])
        #expect(answer.authority.map(\.name) == ["cluster.local"])
    }

    @Test("SRV names the port and the Service, and brings its address along")
    func srv() throws {
        let answer = try ask("_http._tcp.web.default.svc.cluster.local", .srv), clusterIP = try address("10.1.216.8")
        #expect(answer.code == .noError)
        #expect(answer.answers.map(\.data) == [.srv(weight: 100, port: 8080, target: "web.default.svc.cluster.local")])
        #expect(answer.additional.map(\.name) == ["web.default.svc.cluster.local"])
        #expect(answer.additional.map(\.data) == [clusterIP])
    }

    @Test(
        "SRV for a port that is not there, or not of that protocol, is NXDOMAIN",
        arguments: ["_http._udp.web.default.svc.cluster.local", "_https._tcp.web.default.svc.cluster.local"])
    func noSRV(_ name: String) throws { #expect(try ask(name, .srv).code == .nameError) }

    @Test("PTR leads from the ClusterIP back to the Service")
    func ptr() throws {
        let answer = try ask("8.216.1.10.in-addr.arpa", .ptr)
        #expect(answer.code == .noError)
        #expect(answer.answers.map(\.data) == [.ptr("web.default.svc.cluster.local")])
        #expect(answer.answers.map(\.name) == ["8.216.1.10.in-addr.arpa"])
    }

    @Test(
        "PTR of an address that nobody names is NXDOMAIN",
        arguments: ["9.216.1.10.in-addr.arpa", "158.1.244.10.in-addr.arpa", "1.10.in-addr.arpa", "x.216.1.10.in-addr.arpa"])
    func noPTR(_ name: String) throws {
        let answer = try ask(name, .ptr)
        #expect(answer.code == .nameError)
        #expect(answer.answers.isEmpty)
    }
}

@Suite("DNS answers for a headless Service")
struct HeadlessAnswers {
    @Test("A is every endpoint")
    func a() throws {
        let answer = try ask("db.data.svc.cluster.local", .a), endpoints = [try address("10.244.1.5"), try address("10.244.2.6")]
        #expect(answer.code == .noError)
        #expect(answer.answers.map(\.data) == endpoints)
    }

    @Test("an endpoint is found by its hostname, and without one by its address with dashes")
    func hosts() throws {
        let named = try ask("db-0.db.data.svc.cluster.local", .a), dashed = try ask("10-244-2-6.db.data.svc.cluster.local", .a)
        let first = try address("10.244.1.5"), second = try address("10.244.2.6")
        #expect(named.answers.map(\.data) == [first])
        #expect(dashed.answers.map(\.data) == [second])
        #expect(try ask("db-1.db.data.svc.cluster.local", .a).code == .nameError)
    }

    @Test("SRV has one record for each endpoint, with its own name and address")
    func srv() throws {
        let answer = try ask("_pg._tcp.db.data.svc.cluster.local", .srv)
        let targets = ["db-0.db.data.svc.cluster.local", "10-244-2-6.db.data.svc.cluster.local"]
        #expect(answer.answers.map(\.data) == targets.map { RecordData.srv(weight: 50, port: 5432, target: $0) })
        #expect(answer.additional.map(\.name) == targets)
    }

    @Test("PTR of an endpoint is its own name")
    func ptr() throws {
        #expect(try ask("5.1.244.10.in-addr.arpa", .ptr).answers.map(\.data) == [.ptr("db-0.db.data.svc.cluster.local")])
    }

    /// As CoreDNS has it: no endpoint, no such name.
    @Test("without endpoints it is NXDOMAIN")
    func idle() throws {
        let answer = try ask("idle.data.svc.cluster.local", .a)
        #expect(answer.code == .nameError)
        #expect(answer.authority.map(\.data) == [soa])
    }
}

@Suite("Other DNS answers")
struct OtherAnswers {
    @Test("an ExternalName is an alias, whatever address is asked for", arguments: [RecordType.a, .aaaa, .cname])
    func externalName(_ type: RecordType) throws {
        let answer = try ask("outside.default.svc.cluster.local", type)
        #expect(answer.code == .noError)
        #expect(answer.answers.map(\.data) == [.cname("www.example.org")])
    }

    @Test(
        "a name that is not there is NXDOMAIN with the zone's SOA",
        arguments: [
            "nothing.default.svc.cluster.local", "web.other.svc.cluster.local", "web.default.cluster.local",
            "db-0.web.default.svc.cluster.local",
            "a.b.c.web.default.svc.cluster.local", "x.outside.default.svc.cluster.local", "nowhere.svc.cluster.local",
        ])
    func noSuchName(_ name: String) throws {
        let answer = try ask(name, .a)
        #expect(answer.code == .nameError)
        #expect(answer.answers.isEmpty)
        #expect(answer.authority.map(\.name) == ["cluster.local"])
        #expect(answer.authority.map(\.data) == [soa])
    }

    @Test("a name outside the zone is NXDOMAIN", arguments: ["www.example.org", "local", "web.default.svc.notcluster.local", "web", ""])
    func outsideZone(_ name: String) throws { #expect(try ask(name, .a).code == .nameError) }

    @Test(
        "names that only have others below them exist",
        arguments: ["svc.cluster.local", "default.svc.cluster.local", "data.svc.cluster.local"])
    func emptyNonTerminals(_ name: String) throws {
        let answer = try ask(name, .a)
        #expect(answer.code == .noError)
        #expect(answer.answers.isEmpty)
    }

    @Test("a pod's name spells its address")
    func pods() throws {
        let expected = try address("10.244.1.157")
        #expect(try ask("10-244-1-157.default.pod.cluster.local", .a).answers.map(\.data) == [expected])
        #expect(try ask("10-244-1-256.default.pod.cluster.local", .a).code == .nameError)
    }

    @Test("the zone tells which version of the specification it follows")
    func version() throws {
        #expect(try ask("dns-version.cluster.local", .txt).answers.map(\.data) == [.txt("1.1.0")])
        #expect(try ask("cluster.local", .soa).answers.map(\.data) == [soa])
    }
}

@Suite("DNS records out of objects")
struct CompiledRecords {
    private let service = """
        {"metadata": {"namespace": "data", "name": "db"}, "spec": {"clusterIP": "None", "ports": [{"name": "pg", "port": 5432, "targetPort": 15432}]}}
        """

    private func slice(_ endpoints: String) throws -> EndpointSlice {
        EndpointSlice(
            try JSON(
                parsing: """
                    {"metadata": {"namespace": "data", "labels": {"kubernetes.io/service-name": "db"}},
                     "ports": [{"name": "pg", "protocol": "TCP", "port": 15432}], "endpoints": [\(endpoints)]}
                    """))
    }

    private func ask(_ name: String, _ type: RecordType, _ service: String, _ slices: [EndpointSlice]) throws -> DNSAnswer {
        let records = DNSRecords.compile(
            zone: "cluster.local", namespaces: ["default", "data", "empty"], services: [Service(try JSON(parsing: service))], slices: slices
        )
        return DNSZone(records).resolve(DNSQuestion(name: name, type: type))
    }

    @Test("only what a slice calls ready is an answer: publishing others is told there, by who writes it")
    func ready() throws {
        let slices = [
            try slice(
                """
                {"addresses": ["10.244.1.9"], "conditions": {"ready": true}}, {"addresses": ["10.244.1.8"], "conditions": {"ready": false}},
                {"addresses": ["10.244.1.7"]}
                """)
        ]
        let ready = try ["10.244.1.7", "10.244.1.9"].map { try address($0) }
        #expect(try ask("db.data.svc.cluster.local", .a, service, slices).answers.map(\.data) == ready)
        let publishing = service.replacing(#""clusterIP": "None","#, with: #""clusterIP": "None", "publishNotReadyAddresses": true,"#)
        #expect(try ask("db.data.svc.cluster.local", .a, publishing, slices).answers.map(\.data) == ready)
    }

    /// EndpointSlices: clients must "build a complete list of unique network endpoints".
    @Test("an address that two slices hold is one answer")
    func duplicates() throws {
        let twice = try slice(#"{"addresses": ["10.244.1.9"], "conditions": {"ready": true}}"#)
        let only = try address("10.244.1.9")
        #expect(try ask("db.data.svc.cluster.local", .a, service, [twice, twice]).answers.map(\.data) == [only])
    }

    /// Nobody translates the port on the way to a headless Service's pod, so CoreDNS names the endpoint's.
    @Test("SRV of a headless Service names the port that its pods listen on")
    func targetPort() throws {
        let slices = [try slice(#"{"addresses": ["10.244.1.9"], "conditions": {"ready": true}}"#)]
        let answer = try ask("_pg._tcp.db.data.svc.cluster.local", .srv, service, slices)
        #expect(answer.answers.map(\.data) == [.srv(weight: 100, port: 15432, target: "10-244-1-9.db.data.svc.cluster.local")])
    }

    @Test("endpoints of other Services and namespaces are not its own")
    func others() throws {
        var foreign = try slice(#"{"addresses": ["10.244.1.9"]}"#)
        #expect(try ask("db.data.svc.cluster.local", .a, service, [foreign]).code == .noError)
        foreign.json["metadata"]["namespace"] = "default"
        #expect(try ask("db.data.svc.cluster.local", .a, service, [foreign]).code == .nameError)
    }

    @Test("the records survive being written for the server and read by it")
    func roundTrip() throws {
        let known = try records()
        let read = DNSRecords(try JSON(parsing: known.json.text()))
        #expect(read == known)
        #expect(read.services.count == 6)
    }
}

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
        guard counts[0] == 1 else { throw Malformed() }
        question = try name()
        questionType = try word()
        _ = try word()
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

private func exchange(_ bytes: [UInt8], limit: Int = 512) throws -> WireAnswer {
    let parsed = try #require(DNSQuery(bytes))
    return try WireAnswer(parsed.encode(DNSZone(records()).resolve(parsed.question), limit: limit))
}

@Suite("DNS answers for names that lead further down")
struct BranchAnswers {
    @Test("a namespace has no address but names below it, also when it is empty", arguments: ["data", "empty"])
    func namespace(_ name: String) throws {
        for type in [RecordType.a, .srv, .aaaa] {
            let answer = try ask("\(name).svc.cluster.local", type)
            #expect(answer.code == .noError && answer.answers.isEmpty && answer.authority.map(\.data) == [soa])
        }
        #expect(try ask("\(name).pod.cluster.local", .a).code == .noError)
        #expect(try ask("svc.cluster.local", .a).code == .noError)
    }

    @Test("below a namespace that is not there is nothing, no pod's address either")
    func noNamespace() throws {
        for name in ["nosuch.svc.cluster.local", "web.nosuch.svc.cluster.local", "10-244-2-2.nosuch.pod.cluster.local"] {
            #expect(try ask(name, .a).code == .nameError)
        }
        #expect(try ask("10-244-2-2.empty.pod.cluster.local", .a).answers.count == 1)
    }

    @Test("the zone names its server: the Service that pods ask")
    func nameServer() throws {
        let kubeDNS = try JSON(
            parsing:
                #"{"namespaces": ["kube-system"], "services": [{"name": "kube-dns", "namespace": "kube-system", "clusterIP": "10.1.0.10"}]}"#
        )
        let answer = DNSZone(DNSRecords(kubeDNS)).resolve(DNSQuestion(name: "cluster.local", type: .ns)), server = try address("10.1.0.10")
        #expect(answer.answers.map(\.data) == [.ns("kube-dns.kube-system.svc.cluster.local")])
        #expect(answer.additional.map(\.name) == ["kube-dns.kube-system.svc.cluster.local"] && answer.additional.map(\.data) == [server])
    }

    @Test("the weights of n records are a hundred in all, and none is nothing")
    func weights() throws {
        for (count, weight) in [(1, 100), (3, 33), (120, 1)] {
            let endpoints = (1...count).map { #"{"address": "10.9.0.\#($0)", "ports": [{"name": "p", "protocol": "tcp", "port": 80}]}"# }
            let text = #"{"services": [{"name": "s", "namespace": "n", "endpoints": [\#(endpoints.joined(separator: ","))]}]}"#
            let answer = DNSZone(DNSRecords(try JSON(parsing: text))).resolve(
                DNSQuestion(name: "_p._tcp.s.n.svc.cluster.local", type: .srv))
            #expect(answer.answers.count == count)
            #expect(answer.answers.allSatisfy { if case .srv(weight, 80, _) = $0.data { true } else { false } })
        }
    }

    @Test("a zone is not given away whole", arguments: [RecordType.axfr, .ixfr])
    func transfer(_ type: RecordType) throws { #expect(try ask("cluster.local", type).code == .refused) }
}

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
        let plain = try #require(DNSQuery(query("web.default.svc.cluster.local")))
        #expect(plain.udpSize == 512)
        #expect(!plain.hasEDNS)
        let large = try #require(DNSQuery(query("web.default.svc.cluster.local", edns: 4096)))
        #expect(large.udpSize == 4096)
        #expect(large.hasEDNS)
        #expect(DNSQuery(query("web", edns: 100))?.udpSize == 512)
        let answer = try exchange(query("web.default.svc.cluster.local", edns: 1232))
        #expect(answer.records.map(\.type) == [1, 41])
        #expect(answer.records.last?.name == "")
    }

    @Test("a label that is no text comes back byte for byte, and what is pointed to still stands where it is said to")
    func noText() throws {
        var bytes = query("xx.default.svc.cluster.local", 33)
        bytes.replaceSubrange(13..<15, with: [0xFF, 0xFE])
        let parsed = try #require(DNSQuery(bytes))
        let reply = try parsed.encode(DNSZone(records()).resolve(parsed.question), limit: 512)
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
            let parsed = try #require(DNSQuery(query("many.a.svc.cluster.local", edns: edns)))
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
        let parsed = try #require(DNSQuery(query("web.default.svc.cluster.local")))
        let answer = try DNSZone(records()).resolve(parsed.question)
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
        #expect((0..<whole.count).filter { DNSQuery(Array(whole[..<$0])) != nil } == [])
        #expect(DNSQuery(whole) != nil)
    }

    @Test("an answer is no query, and neither is one with no question or with two")
    func counts() {
        var answer = query("web"), none = answer, two = answer
        answer[2] |= 0x80
        none[5] = 0
        two[5] = 2
        #expect([answer, none, two].filter { DNSQuery($0) != nil } == [])
    }

    @Test("a compressed name or a label that runs past the end is refused")
    func labels() {
        let header: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        let bodies: [[UInt8]] = [[0xC0, 0x0C, 0, 1, 0, 1], [63, 97, 0, 0, 1, 0, 1], [3, 97, 97, 97], [0x40, 0, 0, 1, 0, 1], [255], []]
        #expect(bodies.filter { DNSQuery(header + $0) != nil } == [])
    }

    /// RFC 1035, section 2.3.4: names have 255 octets or less.
    @Test("a name of 255 bytes is read and a longer one is refused")
    func longName() {
        func name(_ last: Int) -> String {
            [63, 63, 63, last].map { String(repeating: "a", count: $0) }.joined(separator: ".")
        }
        #expect(wire(name(61)).count == 255)
        #expect(DNSQuery(query(name(61))) != nil)
        #expect(DNSQuery(query(name(62))) == nil)
        #expect(DNSQuery(query(Array(repeating: String(repeating: "a", count: 63), count: 60).joined(separator: "."))) == nil)
    }

    @Test("bytes at random, and queries with a few of them changed, never stop the server")
    func fuzz() throws {
        var random = SplitMix64(seed: 1035)
        let zone = DNSZone(try records())
        let seeds = [
            query("web.default.svc.cluster.local", edns: 1232), query("_pg._tcp.db.data.svc.cluster.local", 33),
            query("8.216.1.10.in-addr.arpa", 12), query("10-244-1-1.default.pod.cluster.local", 255),
        ]
        var answered = 0, refused = 0
        for _ in 0..<4000 {
            var bytes = random.pick(seeds)
            if random.chance(20) { bytes = (0..<random.number(0..<80)).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
            for _ in 0..<random.number(0..<6) where !bytes.isEmpty {
                bytes[random.number(0..<bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.chance(20) { bytes = Array(bytes.prefix(random.number(0..<100))) }
            guard let parsed = DNSQuery(bytes) else {
                refused += 1
                continue
            }
            answered += 1
            let reply = parsed.encode(zone.resolve(parsed.question), limit: 512)
            #expect(reply.count >= 12 && reply.count <= 512)
            #expect(Array(reply.prefix(2)) == Array(bytes.prefix(2)))
        }
        #expect(answered > 400)
        #expect(refused > 400)
    }
}

@Suite("DNS: a zone that is changed is the zone that is read anew")
struct DNSChangeTests {
    private static func record(_ key: ObjectKey, _ random: inout SplitMix64) -> DNSRecords.ServiceRecord {
        let number = random.number(0..<40)
        var json: JSON = [
            "name": .string(key.name), "namespace": .string(key.namespace), "ports": [["name": "http", "protocol": "tcp", "port": 80]],
        ]
        if random.chance(60) { json["clusterIP"] = .string("10.1.0.\(number)") }
        json["endpoints"] = .array(
            (0..<random.number(0..<3)).map {
                ["address": .string("10.244.1.\($0 + number % 5)"), "ports": [["name": "http", "protocol": "tcp", "port": 8080]]]
            })
        if random.chance(10) { json["externalName"] = "example.org" }
        return DNSRecords.ServiceRecord(json)
    }

    @Test("whatever comes, changes and goes, in lines that are read back", arguments: [1, 2, 3] as [UInt64])
    func agrees(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed), services: [ObjectKey: DNSRecords.ServiceRecord] = [:], namespaces: Set<String> = ["red"]
        var book = DNSBook(DNSRecords(zone: "cluster.local", namespaces: ["red"], services: []))
        var zone = DNSZone(book.whole())
        for step in 0..<200 {
            var change: DNSChange?
            if random.chance(20) {
                let name = random.pick(["red", "blue", "green"]), isThere = random.chance(60)
                if isThere { namespaces.insert(name) } else { namespaces.remove(name) }
                change = book.set(namespace: name, isThere: isThere)
            } else {
                let key = ObjectKey(random.pick(["red", "blue"]), random.pick(["a", "b", "c"]))
                services[key] = random.chance(70) ? Self.record(key, &random) : nil
                change = book.set(key, services[key])
            }
            if let change { zone.apply(try #require(DNSChange(try JSON(parsing: change.json.text())))) }
            let whole = DNSRecords(
                zone: "cluster.local", namespaces: namespaces.sorted(), services: services.sorted { $0.key < $1.key }.map(\.value))
            let anew = DNSZone(random.chance(50) ? whole : DNSRecords(try JSON(parsing: book.whole().json.text())))
            for namespace in ["red", "blue", "green"] {
                for name in ["a", "b", "c"].map({ "\($0).\(namespace).svc" }) + [
                    "\(namespace).svc", "10-1-2-3.\(namespace).pod", "_http._tcp.a.\(namespace).svc",
                ] {
                    for type in [RecordType.a, .srv] {
                        let question = DNSQuestion(name: "\(name).cluster.local", type: type)
                        #expect(zone.resolve(question) == anew.resolve(question), "seed \(seed), step \(step): \(name)")
                    }
                }
            }
            for address in (0..<40).map({ "\($0).0.1.10" }) + (0..<8).map({ "\($0).1.244.10" }) {
                let question = DNSQuestion(name: "\(address).in-addr.arpa", type: .ptr)
                let (now, then) = (zone.resolve(question), anew.resolve(question))
                #expect(
                    now.code == then.code && Set(now.answers.map { "\($0)" }) == Set(then.answers.map { "\($0)" }),
                    "seed \(seed), step \(step): \(address)")
            }
        }
        #expect(DNSChange(["something": "newer"]) == nil, "what a newer minik says is left alone")
    }

    @Test("what is as it was is no change")
    func unchanged() {
        var random = SplitMix64(seed: 1)
        let key = ObjectKey("red", "a"), record = Self.record(key, &random)
        var book = DNSBook(DNSRecords(zone: "cluster.local", namespaces: ["red"], services: [record]))
        #expect(
            book.set(key, record) == nil && book.set(namespace: "red", isThere: true) == nil && book.set(ObjectKey("red", "b"), nil) == nil)
        #expect(book.set(key, nil) == .gone(key) && book.whole().services.isEmpty && book.whole().serial == 2)
    }
}

import DNS
import Model
import Testing

/// One question in words, and the answer in words: `header flags | answers | authority | additional`.
private struct Row: CustomTestStringConvertible {
    let query: String
    let answer: String
    let why: String

    init(_ query: String, _ answer: String, _ why: String) { (self.query, self.answer, self.why) = (query, answer, why) }

    var testDescription: String { "\(query): \(why)" }
}

private let zone: DNSZone = {
    func service(
        _ name: String, _ address: String? = nil, external: String? = nil, ports: [DNSRecords.Port] = [],
        endpoints: [DNSRecords.Endpoint] = [],
        isService: Bool = true
    ) -> DNSRecords.ServiceRecord {
        DNSRecords.ServiceRecord(
            name: name, namespace: "a", clusterIPs: address.flatMap { IPAddress($0) }.map { [$0] } ?? [], externalName: external,
            ports: ports,
            endpoints: endpoints, isService: isService)
    }
    func endpoint(_ address: String, _ hostname: String? = nil, _ ports: [DNSRecords.Port] = []) -> DNSRecords.Endpoint {
        DNSRecords.Endpoint(address: IPAddress(address) ?? IPAddress(ipv4: 0), hostname: hostname, ports: ports)
    }
    let http = DNSRecords.Port(name: "http", proto: "tcp", number: 80), other = DNSRecords.Port(name: "http", proto: "tcp", number: 8080)
    let unnamed = DNSRecords.Port(name: "", proto: "tcp", number: 9000)
    return DNSZone(
        DNSRecords(
            zone: "cluster.local", namespaces: ["a", "kube-system"],
            services: [
                service("web", "10.1.0.1", ports: [http], endpoints: [endpoint("10.9.0.1"), endpoint("10.9.0.2", "two")]),
                service("hl", ports: [http], endpoints: [endpoint("10.9.0.3", "x", [http]), endpoint("10.9.0.4", nil, [other])]),
                service("six", ports: [http], endpoints: [endpoint("fd00::1", nil, [http])]),
                service("unnamed", ports: [unnamed], endpoints: [endpoint("10.9.0.5", nil, [unnamed])]),
                service("noport", endpoints: [endpoint("10.9.0.6")]),
                service("in", external: "web.a.svc.cluster.local"), service("out", external: "www.example.org"),
                service("number", external: "10.2.3.4"),
                service("ghost", endpoints: [endpoint("10.9.0.7", "g")], isService: false),
                DNSRecords.ServiceRecord(
                    name: "kube-dns", namespace: "kube-system", clusterIPs: [IPAddress(ipv4: 0x0A01_000A)], externalName: nil, ports: [],
                    endpoints: []),
            ]))
}()

private let rows = [
    Row("WEB.a.SVC.cluster.LOCAL A", "0 aa | WEB.a.SVC.cluster.LOCAL A 10.1.0.1", "the question's letters come back"),
    Row("WEB.a.svc.CLUSTER.local MX", "0 aa | | CLUSTER.local SOA", "the zone's, too"),
    Row(
        "_http._tcp.hl.a.svc.cluster.local SRV",
        "0 aa | SRV 80 x.hl.a.svc.cluster.local, SRV 8080 10-9-0-4.hl.a.svc.cluster.local | | "
            + "x.hl.a.svc.cluster.local A 10.9.0.3, 10-9-0-4.hl.a.svc.cluster.local A 10.9.0.4",
        "each slice has port numbers of its own"),
    Row("two.web.a.svc.cluster.local A", "0 aa | A 10.9.0.2", "an endpoint of a Service with an address has a name, too"),
    Row("2.0.9.10.in-addr.arpa PTR", "0 aa | PTR two.web.a.svc.cluster.local", "and its address leads back"),
    Row("2.0.9.10.in-addr.arpa A", "0 aa | | in-addr.arpa SOA", "a reverse name has a PTR and nothing else"),
    Row("9.0.9.10.IN-addr.arpa PTR", "3 aa | | IN-addr.arpa SOA", "no reverse name, and who says so"),
    Row("9.10.in-addr.arpa PTR", "3 aa | | in-addr.arpa SOA", "half an address"),
    Row("007.0.9.10.in-addr.arpa PTR", "3 aa | | in-addr.arpa SOA", "no address"),
    Row("2.0.9.10.in-addr.arpa ANY", "2", "of all that there is of an address not all is known here"),
    Row("7.0.9.10.in-addr.arpa PTR", "0 aa | PTR g.ghost.a.svc.cluster.local", "a slice whose Service is not there"),
    Row("g.ghost.a.svc.cluster.local A", "3 aa | | cluster.local SOA", "whose name is nobody's"),
    Row(
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR", "0 aa | PTR fd00--1.six.a.svc.cluster.local",
        "a reverse name of IPv6"),
    Row("six.a.svc.cluster.local AAAA", "0 aa | AAAA fd00::1", "an endpoint with an IPv6 address"),
    Row("six.a.svc.cluster.local A", "0 aa | | cluster.local SOA", "which is no other"),
    Row("1--2.a.pod.cluster.local AAAA", "0 aa | AAAA 1::2", "a pod's IPv6 address in its name"),
    Row("x.10-9-0-1.a.pod.cluster.local A", "3 aa | | cluster.local SOA", "nothing lies below a pod's name"),
    Row(
        "_._tcp.unnamed.a.svc.cluster.local SRV",
        "0 aa | SRV 9000 10-9-0-5.unnamed.a.svc.cluster.local | | 10-9-0-5.unnamed.a.svc.cluster.local A 10.9.0.5",
        "a port without a name"),
    Row("_http._tcp.noport.a.svc.cluster.local SRV", "3 aa | | cluster.local SOA", "an endpoint without ports serves none by name"),
    Row("noport.a.svc.cluster.local A", "0 aa | A 10.9.0.6", "it has an address"),
    Row("in.a.svc.cluster.local A", "0 aa | CNAME web.a.svc.cluster.local, web.a.svc.cluster.local A 10.1.0.1", "an alias, followed"),
    Row("out.a.svc.cluster.local A", "0 aa | CNAME www.example.org", "an alias that leads out"),
    Row("number.a.svc.cluster.local A", "3 aa | | cluster.local SOA", "an address is no name"),
    Row("ns.dns.CLUSTER.local A", "0 aa | | CLUSTER.local SOA", "which CoreDNS has in small letters only"),
    Row("ns.dns.cluster.local A", "0 aa | A 10.1.0.10", "the server that SOA records name"),
    Row(
        "cluster.local NS",
        "0 aa | NS kube-dns.kube-system.svc.cluster.local | | kube-dns.kube-system.svc.cluster.local A 10.1.0.10", "the zone's server"),
    Row("web.a.svc.cluster.local CH A", "5", "a class that is not the Internet's"),
    Row("cluster.local AXFR", "5", "a zone is not given away whole"),
    Row("www.example.org A", "2", "somebody else's name"),
    Row("cluster.local.org A", "2", "the zone's labels in front"),
    Row("xcluster.local A", "2", "the zone's letters inside a label"),
]

@Suite("DNS: a question and its answer, by what once went wrong")
struct DNSProtocolTests {
    private static let types: [String: UInt16] = [
        "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "AXFR": 252, "ANY": 255,
    ]

    private func text(_ record: DNSRecord, owner: DNSName? = nil) -> String {
        let data =
            switch record.data {
            case .a(let address): "\(address.family == .ipv4 ? "A" : "AAAA") \(address)"
            case .ns(let name): "NS \(name)"
            case .cname(let name): "CNAME \(name)"
            case .ptr(let name): "PTR \(name)"
            case .srv(_, let port, let target): "SRV \(port) \(target)"
            case .txt(let text): "TXT \(text)"
            case .soa: "SOA"
            case .other(let type, _): "TYPE\(type)"
            }
        return record.name == owner ? data : "\(record.name) \(data)"
    }

    @Test("its answer", arguments: rows)
    private func answer(_ row: Row) throws {
        let words = row.query.split(separator: " ").map(String.init)
        let type = try #require(Self.types[words[words.count - 1]])
        var bytes: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in words[0].split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
        bytes += [0, 0, UInt8(type), 0, words.contains("CH") ? 3 : 1]
        guard case .query(let query) = DNSQuery.read(bytes) else {
            Issue.record("no query")
            return
        }
        let answer = zone.resolve(query.question)
        // A name that is not in capitals need not be said again.
        let owner = words[0] == words[0].lowercased() ? query.question.name : nil
        let sections = [answer.answers, answer.authority, answer.additional].map { records in
            " | " + records.map { text($0, owner: owner) }.joined(separator: ", ")
        }
        let expected = row.answer.split(separator: "|", omittingEmptySubsequences: false).map { String($0.trimmingSpaces) }
        let found = ["\(answer.code.rawValue)\(answer.isAuthoritative ? " aa" : "")"] + sections.map { String($0.dropFirst(3)) }
        #expect(found == expected + [String](repeating: "", count: 4 - expected.count))
    }

    @Test("of several addresses another comes first each time")
    func turns() throws {
        var bytes: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in "hl.a.svc.cluster.local".split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
        bytes += [0, 0, 1, 0, 1]
        let last = (0..<4).map { turn -> UInt8? in
            guard case .bytes(let reply) = DNSReply.to(bytes, from: zone, isDatagram: true, turn: turn) else { return nil }
            return reply.last
        }
        #expect(last == [4, 3, 4, 3])
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}

import DNS
import Model
import PolicyCases
import Testing

/// A ClusterIP Service, a headless one with a named and an unnamed endpoint, an idle headless one and an ExternalName.
func dnsRecords() throws -> DNSRecords {
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
    try DNSZone(dnsRecords()).resolve(DNSQuestion(name: name, type: type))
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
        #expect(answer.answers.map(\.name.description) == [name.hasSuffix(".") ? String(name.dropLast()) : name])
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
        let targets: [DNSName] = ["db-0.db.data.svc.cluster.local", "10-244-2-6.db.data.svc.cluster.local"]
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

    @Test(
        "of a name outside the zone nothing is known here",
        arguments: ["www.example.org", "local", "web.default.svc.notcluster.local", "web", ""])
    func outsideZone(_ name: String) throws {
        let answer = try ask(name, .a)
        #expect(answer.code == .serverFailure && !answer.isAuthoritative && answer.elsewhere == DNSName(name))
    }

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
        let known = try dnsRecords()
        let read = DNSRecords(try JSON(parsing: known.json.text()))
        #expect(read == known)
        #expect(read.services.count == 6)
    }
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

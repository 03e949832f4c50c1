import Model

/// A question about a name in a zone: its labels before the zone's, and the answers that repeat it as it was spelled.
struct Asked {
    let question: DNSQuestion
    /// Where the zone's name begins.
    let end: Int
    private let starts: [Int]

    init(_ question: DNSQuestion, _ end: Int) {
        self.question = question
        self.end = end
        starts = question.key.starts.filter { $0 < end } + [end]
    }

    /// How many labels there are before the zone's.
    var count: Int { starts.count - 1 }

    func labels(_ range: Range<Int>) -> DNSLabels { DNSLabels(question.key.wire, starts[range.lowerBound]..<starts[range.upperBound]) }

    /// One label, in small letters.
    func text(_ index: Int) -> String { String(decoding: question.key.wire[starts[index] + 1..<starts[index + 1]], as: UTF8.self) }

    /// The zone, spelled as in the question.
    var zone: DNSName { question.name.suffix(from: end) }

    /// The address that a reverse name spells (RFC 1035, 3.5; RFC 3596, 2.5).
    func address(_ family: IPFamily) -> IPAddress? {
        switch family {
        case .ipv4: return count == 4 ? IPAddress((0..<4).reversed().map { text($0) }.joined(separator: "."), .ipv4) : nil
        case .ipv6:
            let digits = (0..<count).reversed().compactMap { text($0).utf8.count == 1 ? text($0) : nil }
            guard count == 32, digits.count == 32 else { return nil }
            return IPAddress(
                stride(from: 0, to: 32, by: 4).map { digits[$0..<$0 + 4].joined() }.joined(separator: ":"), .ipv6)
        }
    }

    // MARK: Answers

    private var authority: DNSRecord { DNSRecord(name: zone, data: .soa(zone: zone)) }

    /// No such name.
    var missing: DNSAnswer { DNSAnswer(code: .nameError, authority: [authority]) }

    /// Without data: the name is there, and has nothing of what was asked for (RFC 2308, 2.2).
    func answer(_ data: [RecordData], additional: [DNSRecord] = []) -> DNSAnswer {
        if data.isEmpty { return DNSAnswer(code: .noError, authority: [authority]) }
        return DNSAnswer(code: .noError, answers: data.map { DNSRecord(name: question.name, data: $0) }, additional: additional)
    }

    func answer(_ type: RecordType?, _ targets: [Target]) -> DNSAnswer {
        switch type {
        case .a, .any: return answer(addresses(targets, .ipv4))
        case .aaaa: return answer(addresses(targets, .ipv6))
        case .srv:
            let zone = zone.wire, weight = max(1, 100 / targets.count)
            var seen: Set<RecordData> = [], data: [RecordData] = [], known: Set<DNSRecord> = [], additional: [DNSRecord] = []
            for target in targets {
                guard let port = target.port else { continue }
                let name = DNSName(wire: target.labels + zone)
                // Every port of every endpoint counts, and what comes out twice is said once, as CoreDNS does.
                let record = RecordData.srv(weight: weight, port: port, target: name)
                if seen.insert(record).inserted { data.append(record) }
                let address = DNSRecord(name: name, data: .a(target.address))
                if known.insert(address).inserted { additional.append(address) }
            }
            return answer(data, additional: additional)
        default: return answer([])
        }
    }

    private func addresses(_ targets: [Target], _ family: IPFamily) -> [RecordData] {
        if targets.count == 1 { return targets[0].address.family == family ? [.a(targets[0].address)] : [] }
        var seen: Set<IPAddress> = []
        return targets.compactMap { $0.address.family == family && seen.insert($0.address).inserted ? .a($0.address) : nil }
    }
}

/// One thing that a name leads to: an address with a port, at the name that SRV records call it.
struct Target: Hashable {
    let address: IPAddress
    /// nil: it serves no port.
    let port: Int?
    /// Its name up to the zone's.
    let labels: [UInt8]
}

extension DNSZone.Entry {
    /// What a name of this Service leads to: `[endpoint.|_port._protocol.]service.namespace.svc`. Nothing: there is no such name.
    func targets(_ asked: Asked) -> [Target] {
        switch asked.count {
        case 3: record.clusterIPs.isEmpty ? served(record.endpoints.indices, nil) : virtual(nil)
        case 4: served(endpoints[asked.labels(0..<1)] ?? [], nil)
        case 5:
            record.clusterIPs.isEmpty
                ? served(record.endpoints.indices) { isNamed($0, asked) } : virtual { isNamed($0, asked) }
        default: []
        }
    }

    /// As CoreDNS has it, an underscore alone is any port, or any protocol.
    private func isNamed(_ port: DNSRecords.Port, _ asked: Asked) -> Bool {
        func word(_ label: String) -> Substring { label.hasPrefix("_") ? label.dropFirst() : label[...] }
        let name = word(asked.text(0)), proto = word(asked.text(1))
        return (name.isEmpty || port.name.lowercased() == name) && (proto.isEmpty || port.proto == proto)
    }

    private func virtual(_ isAsked: ((DNSRecords.Port) -> Bool)?) -> [Target] {
        let ports = record.ports.filter { isAsked?($0) ?? true }
        return record.clusterIPs.flatMap { address -> [Target] in
            if ports.isEmpty, isAsked == nil { return [Target(address: address, port: nil, labels: labels)] }
            return ports.map { Target(address: address, port: $0.number, labels: labels) }
        }
    }

    private func served(_ indices: some Sequence<Int>, _ isAsked: ((DNSRecords.Port) -> Bool)?) -> [Target] {
        indices.flatMap { index -> [Target] in
            let endpoint = record.endpoints[index], name = DNSZone.labels(self, endpoint)
            if endpoint.ports.isEmpty { return isAsked == nil ? [Target(address: endpoint.address, port: nil, labels: name)] : [] }
            return endpoint.ports.filter { isAsked?($0) ?? true }.map { Target(address: endpoint.address, port: $0.number, labels: name) }
        }
    }
}

import Model

/// The answers of CoreDNS' kubernetes plugin (github.com/kubernetes/dns, "Kubernetes DNS-Based Service Discovery", version 1.1.0).
extension DNSZone {
    /// CNAMEs that lead to one another, at most.
    private static let longestChain = 11
    private static let reverseZones = [(DNSName("in-addr.arpa"), IPFamily.ipv4), (DNSName("ip6.arpa"), IPFamily.ipv6)]
    private static let svc = DNSLabels("svc"), pod = DNSLabels("pod"), dns = DNSLabels("ns", "dns"), version = DNSLabels("dns-version")

    package func resolve(_ question: DNSQuestion) -> DNSAnswer { resolve(question, depth: 0) }

    private func resolve(_ question: DNSQuestion, depth: Int) -> DNSAnswer {
        let type = RecordType(rawValue: question.type)
        guard question.dnsClass == DNSQuestion.internet, type != .axfr, type != .ixfr else { return .failure(.refused) }
        if let start = question.key.start(of: name) { return Asked(question, start).resolve(self, type, depth) }
        for (zone, family) in Self.reverseZones {
            if let start = question.key.start(of: zone) { return reverse(Asked(question, start), type, family) }
        }
        return .unknown(question)
    }

    // MARK: Reverse names

    private func reverse(_ asked: Asked, _ type: RecordType?, _ family: IPFamily) -> DNSAnswer {
        // Not all that there is of an address is known here, so nothing is said of it (RFC 8482).
        guard type != .any else { return .unknown(asked.question) }
        guard let address = asked.address(family), let owners = owners(of: address) else {
            var answer = asked.missing
            answer.elsewhere = asked.question.name
            return answer
        }
        guard type == .ptr else { return asked.answer([]) }
        // An address of a Service's is nobody else's.
        return asked.answer((owners.services.isEmpty ? Array(owners.endpoints.keys) : Array(owners.services.keys)).map { .ptr($0) })
    }

    // MARK: Names of the zone

    fileprivate func answer(_ asked: Asked, _ type: RecordType?, _ depth: Int) -> DNSAnswer {
        let count = asked.count
        if count == 0 { return apex(asked, type) }
        if count == 1, asked.labels(0..<1) == Self.version { return asked.answer(type == .txt ? [.txt("1.1.0")] : []) }
        if count == 2, asked.labels(0..<2) == Self.dns { return server(asked, type) }
        let kind = asked.labels(count - 1..<count)
        guard kind == Self.svc || kind == Self.pod else { return asked.missing }
        if count == 1 { return asked.answer([]) }
        guard hasNamespace(asked.labels(count - 2..<count - 1)) else { return asked.missing }
        // Names that only have others below them.
        if count == 2 { return asked.answer([]) }
        if kind == Self.pod { return pod(asked, type) }
        guard let entry = service(asked.labels(count - 3..<count - 1)) else { return asked.missing }
        guard entry.record.isService else { return asked.missing }
        if let external = entry.record.externalName { return count == 3 ? alias(asked, type, external, depth) : asked.missing }
        let targets = entry.targets(asked)
        return targets.isEmpty ? asked.missing : asked.answer(type, targets)
    }

    private func apex(_ asked: Asked, _ type: RecordType?) -> DNSAnswer {
        switch type {
        case .soa, .any: return asked.answer([.soa(zone: asked.zone)])
        case .ns: return nameServer(asked) { name, addresses in ([.ns(name)], addresses.map { DNSRecord(name: name, data: .a($0)) }) }
        default: return asked.answer([])
        }
    }

    /// The name that SOA records have for the server.
    private func server(_ asked: Asked, _ type: RecordType?) -> DNSAnswer {
        switch type {
        case .a: nameServer(asked) { (Self.data($1, .ipv4), []) }
        case .aaaa: nameServer(asked) { (Self.data($1, .ipv6), []) }
        case .srv:
            nameServer(asked) { name, addresses in
                ([.srv(weight: 100, port: 0, target: name)], addresses.map { DNSRecord(name: name, data: .a($0)) })
            }
        default: asked.answer([])
        }
    }

    private static func data(_ addresses: [IPAddress], _ family: IPFamily) -> [RecordData] {
        addresses.filter { $0.family == family }.map { .a($0) }
    }

    /// Of the zone's server, by its Service's name and addresses. As with CoreDNS there is one where the zone is spelled in small letters.
    private func nameServer(_ asked: Asked, _ records: (DNSName, [IPAddress]) -> ([RecordData], [DNSRecord])) -> DNSAnswer {
        guard asked.zone == name, let server else { return asked.answer([]) }
        let (data, additional) = records(DNSName(wire: DNSName(server.name).wire.dropLast() + name.wire), server.addresses)
        return asked.answer(data, additional: additional)
    }

    /// The address that the name spells, whoever has it ("pods insecure").
    private func pod(_ asked: Asked, _ type: RecordType?) -> DNSAnswer {
        let label = asked.text(asked.count - 3)
        let isIPv4 = label.utf8.count { $0 == UInt8(ascii: "-") } == 3 && !label.contains("--")
        guard asked.count == 3, let address = IPAddress(label.replacing("-", with: isIPv4 ? "." : ":")) else { return asked.missing }
        return asked.answer(type, [Target(address: address, port: nil, labels: Array(asked.question.key.wire[..<asked.end]))])
    }

    /// Who asks for an address wants one: what the other name has comes with it, as far as it is ours to say.
    private func alias(_ asked: Asked, _ type: RecordType?, _ external: String, _ depth: Int) -> DNSAnswer {
        // An address is no name that an alias could lead to.
        guard IPAddress(external) == nil else { return asked.missing }
        guard type == .a || type == .aaaa || type == .cname || type == .any else { return asked.answer([]) }
        let other = DNSName(external)
        var answer = asked.answer([.cname(other)])
        guard type != .cname, depth + 1 < Self.longestChain else { return answer }
        let next = resolve(DNSQuestion(other, type: asked.question.type, dnsClass: DNSQuestion.internet), depth: depth + 1)
        answer.answers += next.answers
        answer.elsewhere = next.elsewhere
        return answer
    }
}

extension Asked {
    fileprivate func resolve(_ zone: DNSZone, _ type: RecordType?, _ depth: Int) -> DNSAnswer { zone.answer(self, type, depth) }
}

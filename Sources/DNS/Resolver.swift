import Model

extension DNSRecords {
    /// Answers a question from the records alone (github.com/kubernetes/dns, "Kubernetes DNS-Based Service Discovery").
    package func resolve(_ question: DNSQuestion) -> DNSAnswer { resolve(question, depth: 0) }

    /// CNAMEs that lead to one another, at most.
    private static let longestChain = 8

    private func resolve(_ question: DNSQuestion, depth: Int) -> DNSAnswer {
        guard question.dnsClass == 1 else { return DNSAnswer(code: .refused) }
        let name = question.name.joined(separator: ".")
        if name.hasSuffix(".in-addr.arpa") { return reverse(question.name, name) }
        let zoneLabels = zone.split(separator: ".").map(String.init)
        guard question.name.count >= zoneLabels.count, Array(question.name.suffix(zoneLabels.count)) == zoneLabels else {
            return DNSAnswer(code: .nameError)  // the lab has no way out, so there are no other names
        }
        let relative = Array(question.name.dropLast(zoneLabels.count))
        guard let found = lookup(relative, name) else { return noSuchName }
        let matching = found.answers.filter { question.type == RecordType.any.rawValue || $0.data.type.rawValue == question.type || $0.data.type == .cname }
        if matching.isEmpty { return DNSAnswer(code: .noError, authority: [authority]) }
        if case .cname(let target)? = matching.first?.data, question.type != RecordType.cname.rawValue {
            // Who asks for an address wants one: what the other name has comes with it, as far as it is ours to say.
            let next = DNSQuestion(
                labels: target.lowercased().split(separator: ".").map(String.init), type: question.type, dnsClass: question.dnsClass)
            let further = depth < Self.longestChain ? resolve(next, depth: depth + 1).answers : []
            return DNSAnswer(code: .noError, answers: matching + further)
        }
        let isService = question.type == RecordType.srv.rawValue
        return DNSAnswer(code: .noError, answers: matching, additional: isService ? found.additional : [])
    }

    private var authority: DNSRecord { DNSRecord(name: zone, data: .soa(zone: zone)) }
    private var noSuchName: DNSAnswer { DNSAnswer(code: .nameError, authority: [authority]) }

    /// Every record at a name relative to the zone; nil when there is no such name, empty when names lie below it only.
    private func lookup(_ labels: [String], _ name: String) -> (answers: [DNSRecord], additional: [DNSRecord])? {
        if labels.isEmpty { return ([authority], []) }
        if labels == ["dns-version"] { return ([DNSRecord(name: name, data: .txt("1.1.0"))], []) }
        if labels.last == "pod" { return pod(labels, name) }
        guard labels.last == "svc" else { return nil }
        let path = Array(labels.dropLast())
        if path.isEmpty { return ([], []) }
        guard let namespace = path.last else { return nil }
        if path.count == 1 { return services.contains { $0.namespace == namespace } ? ([], []) : nil }
        guard let service = services.first(where: { $0.namespace == namespace && $0.name == path[path.count - 2] }) else { return nil }
        let rest = Array(path.dropLast(2))
        if let external = service.externalName { return rest.isEmpty ? ([DNSRecord(name: name, data: .cname(external))], []) : nil }
        switch rest.count {
        case 0:
            let addresses = service.clusterIP.map { [$0] } ?? service.endpoints.map(\.address)
            if addresses.isEmpty { return nil }
            let ports = service.ports.flatMap { server(service, $0, name) }
            return (addresses.map { DNSRecord(name: name, data: .a($0)) } + ports.map(\.0), ports.flatMap(\.1))
        case 1:
            let chosen = service.endpoints.filter { host($0) == rest[0] }
            return chosen.isEmpty ? nil : (chosen.map { DNSRecord(name: name, data: .a($0.address)) }, [])
        case 2:
            guard rest[0].hasPrefix("_"), rest[1].hasPrefix("_"),
                let port = service.ports.first(where: { $0.name == rest[0].dropFirst() && $0.proto == rest[1].dropFirst() })
            else { return nil }
            let records = server(service, port, name)
            return records.isEmpty ? nil : (records.map(\.0), records.flatMap(\.1))
        default: return nil
        }
    }

    private func server(_ service: ServiceRecord, _ port: Port, _ name: String) -> [(DNSRecord, [DNSRecord])] {
        let home = "\(service.name).\(service.namespace).svc.\(zone)"
        if let address = service.clusterIP {
            return [(DNSRecord(name: name, data: .srv(port: port.number, target: home)), [DNSRecord(name: home, data: .a(address))])]
        }
        return service.endpoints.map { endpoint in
            let target = "\(host(endpoint)).\(home)"
            return (DNSRecord(name: name, data: .srv(port: port.number, target: target)), [DNSRecord(name: target, data: .a(endpoint.address))])
        }
    }

    private func host(_ endpoint: Endpoint) -> String { endpoint.hostname ?? endpoint.address.description.replacing(".", with: "-") }

    /// `10-244-1-5.default.pod`: the address that the name spells.
    private func pod(_ labels: [String], _ name: String) -> (answers: [DNSRecord], additional: [DNSRecord])? {
        guard labels.count == 3, let address = IPv4Address(labels[0].replacing("-", with: ".")) else { return labels.count < 3 ? ([], []) : nil }
        return ([DNSRecord(name: name, data: .a(address))], [])
    }

    private func reverse(_ labels: [String], _ name: String) -> DNSAnswer {
        guard labels.count == 6, let address = IPv4Address(labels.prefix(4).reversed().joined(separator: ".")) else { return DNSAnswer(code: .nameError) }
        var names: [String] = []
        for service in services {
            let home = "\(service.name).\(service.namespace).svc.\(zone)"
            if service.clusterIP == address { names.append(home) }
            for endpoint in service.endpoints where endpoint.address == address && (service.clusterIP == nil || endpoint.hostname != nil) {
                names.append("\(host(endpoint)).\(home)")
            }
        }
        if names.isEmpty { return DNSAnswer(code: .nameError) }
        return DNSAnswer(code: .noError, answers: names.map { DNSRecord(name: name, data: .ptr($0)) })
    }
}

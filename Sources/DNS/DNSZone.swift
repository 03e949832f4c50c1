import Model

/// The records, found by name: what one question costs does not grow with the cluster. Answers are those of CoreDNS' kubernetes
/// plugin (github.com/kubernetes/dns, "Kubernetes DNS-Based Service Discovery", version 1.1.0).
package struct DNSZone: Sendable {
    /// One thing that a name leads to: an address with a port, at the name that SRV records and reverse look-ups call it.
    private struct Target: Hashable {
        let address: IPAddress
        /// nil: it serves no port.
        let port: Int?
        let home: String
    }

    private let zone: String
    private let zoneLabels: [String]
    /// Namespaces that are there whether or not something in them has a name.
    private var namespaces: Set<String>
    private var services: [String: [String: DNSRecords.ServiceRecord]] = [:]
    private var namesByAddress: [IPAddress: [String]] = [:]

    package init(_ records: DNSRecords) {
        zone = records.zone
        zoneLabels = records.zone.split(separator: ".").map(String.init)
        namespaces = Set(records.namespaces)
        for namespace in namespaces { services[namespace] = [:] }
        for service in records.services { apply(.service(service)) }
    }

    /// Takes a change in: what is asked from now on is answered so.
    package mutating func apply(_ change: DNSChange) {
        switch change {
        case .namespace(let name, true):
            namespaces.insert(name)
            if services[name] == nil { services[name] = [:] }
        case .namespace(let name, false):
            namespaces.remove(name)
            if services[name]?.isEmpty ?? false { services[name] = nil }
        case .service(let record):
            if let before = services[record.namespace]?[record.name] { forget(before) }
            services[record.namespace, default: [:]][record.name] = record
            for (address, name) in names(record) { namesByAddress[address, default: []].append(name) }
        case .gone(let key):
            guard let before = services[key.namespace]?.removeValue(forKey: key.name) else { return }
            forget(before)
            if services[key.namespace]?.isEmpty ?? false, !namespaces.contains(key.namespace) { services[key.namespace] = nil }
        }
    }

    private mutating func forget(_ record: DNSRecords.ServiceRecord) {
        for (address, name) in names(record) {
            if let index = namesByAddress[address]?.firstIndex(of: name) { namesByAddress[address]?.remove(at: index) }
            if namesByAddress[address]?.isEmpty ?? false { namesByAddress[address] = nil }
        }
    }

    /// What addresses are called because of a Service.
    private func names(_ record: DNSRecords.ServiceRecord) -> [(IPAddress, String)] {
        let home = "\(record.name).\(record.namespace).svc.\(zone)"
        return (record.clusterIP.map { [($0, home)] } ?? []) + record.endpoints.map { ($0.address, "\($0.label).\(home)") }
    }

    package func resolve(_ question: DNSQuestion) -> DNSAnswer { resolve(question, depth: 0) }

    /// CNAMEs that lead to one another, at most.
    private static let longestChain = 8

    private func resolve(_ question: DNSQuestion, depth: Int) -> DNSAnswer {
        let type = RecordType(rawValue: question.type)
        guard question.dnsClass == 1, type != .axfr, type != .ixfr else { return DNSAnswer(code: .refused) }
        if question.name.suffix(2) == ["in-addr", "arpa"] { return reverse(question) }
        guard question.name.count >= zoneLabels.count, Array(question.name.suffix(zoneLabels.count)) == zoneLabels else {
            return DNSAnswer(code: .nameError)  // the lab has no way out, so there are no other names
        }
        let labels = Array(question.name.dropLast(zoneLabels.count))
        if labels.isEmpty { return apex(question, type) }
        if labels == ["dns-version"] { return answer(question, type == .txt ? [.txt("1.1.0")] : []) }
        if labels == ["ns", "dns"] { return answer(question, type == .a ? nameServers.map { .a($0.address) } : []) }
        if let external = external(labels) { return chain(question, external, depth) }
        guard let targets = targets(labels) else { return DNSAnswer(code: .nameError, authority: [authority]) }
        return answer(question, type, targets)
    }

    private var authority: DNSRecord { DNSRecord(name: zone, data: .soa(zone: zone)) }

    private func answer(_ question: DNSQuestion, _ data: [RecordData], additional: [DNSRecord] = []) -> DNSAnswer {
        if data.isEmpty { return DNSAnswer(code: .noError, authority: [authority]) }
        return DNSAnswer(code: .noError, answers: data.map { DNSRecord(name: question.spelling, data: $0) }, additional: additional)
    }

    private func answer(_ question: DNSQuestion, _ type: RecordType?, _ targets: [Target]) -> DNSAnswer {
        switch type {
        case .a: return answer(question, unique(targets.map { .a($0.address) }))
        case .srv:
            // Every port of every endpoint counts, and what comes out twice is said once, as CoreDNS does.
            let weight = max(1, 100 / max(1, targets.count))
            let served = targets.filter { $0.port != nil }
            return answer(
                question, unique(served.compactMap { target in target.port.map { .srv(weight: weight, port: $0, target: target.home) } }),
                additional: unique(served.map { DNSRecord(name: $0.home, data: .a($0.address)) }))
        case .any: return answer(question, unique(targets.map { .a($0.address) }))
        default: return answer(question, [])
        }
    }

    private func unique<T: Hashable>(_ values: [T]) -> [T] {
        var seen: Set<T> = []
        return values.filter { seen.insert($0).inserted }
    }

    // MARK: The zone itself

    /// Where this zone's own server answers: the Service that every cluster has for it.
    private var nameServers: [(name: String, address: IPAddress)] {
        guard let address = services["kube-system"]?["kube-dns"]?.clusterIP else { return [] }
        return [("kube-dns.kube-system.svc.\(zone)", address)]
    }

    private func apex(_ question: DNSQuestion, _ type: RecordType?) -> DNSAnswer {
        switch type {
        case .soa, .any: answer(question, [.soa(zone: zone)])
        case .ns:
            answer(
                question, nameServers.map { .ns($0.name) }, additional: nameServers.map { DNSRecord(name: $0.name, data: .a($0.address)) })
        default: answer(question, [])
        }
    }

    // MARK: Services and pods

    /// The other name of an ExternalName Service.
    private func external(_ labels: [String]) -> String? {
        guard labels.count == 3, labels[2] == "svc" else { return nil }
        return services[labels[1]]?[labels[0]]?.externalName
    }

    /// Who asks for an address wants one: what the other name has comes with it, as far as it is ours to say.
    private func chain(_ question: DNSQuestion, _ name: String, _ depth: Int) -> DNSAnswer {
        let type = RecordType(rawValue: question.type)
        guard type == .a || type == .aaaa || type == .cname || type == .any else { return answer(question, []) }
        var answer = answer(question, [.cname(name)])
        if type != .cname, depth < Self.longestChain {
            let next = DNSQuestion(labels: name.split(separator: ".").map(String.init), type: question.type, dnsClass: question.dnsClass)
            answer.answers += resolve(next, depth: depth + 1).answers
        }
        return answer
    }

    /// What a name below the zone leads to: nil when there is no such name, nothing when names lie below it only.
    /// Names are `[endpoint.|_port._protocol.]service.namespace.svc` and `a-b-c-d.namespace.pod`.
    private func targets(_ labels: [String]) -> [Target]? {
        guard let kind = labels.last, kind == "svc" || kind == "pod" else { return nil }
        if labels.count == 1 { return [] }
        guard let inside = services[labels[labels.count - 2]] else { return nil }
        if labels.count == 2 { return [] }
        if kind == "pod" {
            // The address that the name spells, whoever has it ("pods insecure").
            guard labels.count == 3, let address = IPAddress(labels[0].replacing("-", with: "."), .ipv4) else { return nil }
            return [Target(address: address, port: nil, home: "\(labels[0]).\(labels[1]).pod.\(zone)")]
        }
        guard let service = inside[labels[labels.count - 3]] else { return nil }
        let home = "\(service.name).\(service.namespace).svc.\(zone)"
        let found =
            switch labels.count {
            case 3: service.clusterIP == nil ? endpoints(service, home) { _ in true } : virtual(service, home)
            case 4: endpoints(service, home, labelled: labels[0]) { _ in true }
            case 5:
                service.clusterIP == nil ? endpoints(service, home) { isNamed($0, labels) } : virtual(service, home) { isNamed($0, labels) }
            default: [] as [Target]
            }
        return found.isEmpty ? nil : found
    }

    private func isNamed(_ port: DNSRecords.Port, _ labels: [String]) -> Bool {
        func word(_ label: String) -> Substring { label.hasPrefix("_") ? label.dropFirst() : label[...] }
        return port.name.lowercased() == word(labels[0]) && port.proto == word(labels[1])
    }

    private func virtual(_ service: DNSRecords.ServiceRecord, _ home: String, _ isAsked: ((DNSRecords.Port) -> Bool)? = nil) -> [Target] {
        guard let address = service.clusterIP else { return [] }
        let ports = service.ports.filter { isAsked?($0) ?? true }
        if ports.isEmpty, isAsked == nil { return [Target(address: address, port: nil, home: home)] }
        return ports.map { Target(address: address, port: $0.number, home: home) }
    }

    private func endpoints(
        _ service: DNSRecords.ServiceRecord, _ home: String, labelled label: String? = nil, _ isAsked: (DNSRecords.Port) -> Bool
    ) -> [Target] {
        service.endpoints.filter { label == nil || $0.label.lowercased() == label }.flatMap { endpoint -> [Target] in
            let name = "\(endpoint.label).\(home)"
            if endpoint.ports.isEmpty { return [Target(address: endpoint.address, port: nil, home: name)] }
            return endpoint.ports.filter(isAsked).map { Target(address: endpoint.address, port: $0.number, home: name) }
        }
    }

    private func reverse(_ question: DNSQuestion) -> DNSAnswer {
        let labels = question.name
        guard labels.count == 6, let address = IPAddress(labels.prefix(4).reversed().joined(separator: "."), .ipv4),
            let names = namesByAddress[address]
        else { return DNSAnswer(code: .nameError) }
        guard question.type == RecordType.ptr.rawValue || question.type == RecordType.any.rawValue else { return DNSAnswer(code: .noError) }
        return DNSAnswer(code: .noError, answers: unique(names).map { DNSRecord(name: question.spelling, data: .ptr($0)) })
    }
}

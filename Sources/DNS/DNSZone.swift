import Model

/// The records, found by name: what one question costs does not grow with the cluster. `DNSLookup` answers from it.
package struct DNSZone: Sendable {
    /// A Service, as its names are looked up.
    struct Entry: Sendable {
        let record: DNSRecords.ServiceRecord
        /// `service.namespace.svc`, what its names end in before the zone's.
        let labels: [UInt8]
        /// Which endpoints a label leads to.
        let endpoints: [DNSLabels: [Int]]
    }

    /// Who an address belongs to, and for how many reasons.
    struct Owners: Sendable {
        var services: [DNSName: Int] = [:]
        var endpoints: [DNSName: Int] = [:]
    }

    let name: DNSName
    private let zone: String
    /// How many reasons there are for a namespace to be there: itself, and what in it has a name.
    private var namespaces: [DNSLabels: Int] = [:]
    private var declared: Set<String> = []
    private var services: [DNSLabels: Entry] = [:]
    private var owners: [IPAddress: Owners] = [:]

    package init(_ records: DNSRecords) {
        zone = records.zone
        name = DNSName(records.zone.lowercased())
        for namespace in records.namespaces { apply(.namespace(namespace, isThere: true)) }
        for service in records.services { apply(.service(service)) }
    }

    /// Takes a change in: what is asked from now on is answered so.
    package mutating func apply(_ change: DNSChange) {
        switch change {
        case .namespace(let name, true): if declared.insert(name).inserted { count(name, 1) }
        case .namespace(let name, false): if declared.remove(name) != nil { count(name, -1) }
        case .service(let record):
            remove(record.name, record.namespace)
            let entry = Entry(
                record: record, labels: Array(DNSName("\(record.name).\(record.namespace).svc".lowercased()).wire.dropLast()),
                endpoints: Dictionary(grouping: record.endpoints.indices) { DNSLabels(record.endpoints[$0].label) })
            services[DNSLabels(record.name, record.namespace)] = entry
            count(record.namespace, 1)
            for address in record.clusterIPs { owners[address, default: Owners()].services[home(entry), default: 0] += 1 }
            for endpoint in record.endpoints {
                owners[endpoint.address, default: Owners()].endpoints[home(entry, endpoint), default: 0] += 1
            }
        case .gone(let key): remove(key.name, key.namespace)
        case .whole: break
        }
    }

    private mutating func remove(_ name: String, _ namespace: String) {
        guard let entry = services.removeValue(forKey: DNSLabels(name, namespace)) else { return }
        count(namespace, -1)
        for address in entry.record.clusterIPs { disown(address, \.services, home(entry)) }
        for endpoint in entry.record.endpoints { disown(endpoint.address, \.endpoints, home(entry, endpoint)) }
    }

    private mutating func disown(_ address: IPAddress, _ names: WritableKeyPath<Owners, [DNSName: Int]>, _ name: DNSName) {
        // Taken out: with two owners, all names would be copied.
        guard var found = owners.removeValue(forKey: address) else { return }
        if let count = found[keyPath: names][name] { found[keyPath: names][name] = count > 1 ? count - 1 : nil }
        if !found.services.isEmpty || !found.endpoints.isEmpty { owners[address] = found }
    }

    private mutating func count(_ namespace: String, _ difference: Int) {
        let key = DNSLabels(namespace), count = namespaces[key, default: 0] + difference
        namespaces[key] = count > 0 ? count : nil
    }

    private func home(_ entry: Entry, _ endpoint: DNSRecords.Endpoint? = nil) -> DNSName {
        DNSName(wire: Self.labels(entry, endpoint) + name.wire)
    }

    /// What a Service, or an endpoint of its, is called, up to the zone.
    static func labels(_ entry: Entry, _ endpoint: DNSRecords.Endpoint? = nil) -> [UInt8] {
        (endpoint.map { Array(DNSName($0.label.lowercased()).wire.dropLast()) } ?? []) + entry.labels
    }

    // MARK: What is there

    func service(_ labels: DNSLabels) -> Entry? { services[labels] }
    func hasNamespace(_ label: DNSLabels) -> Bool { namespaces[label] != nil }
    func owners(of address: IPAddress) -> Owners? { owners[address] }

    /// Where this zone's own server answers: the Service that every cluster has for it.
    var server: (name: String, addresses: [IPAddress])? {
        guard let record = services[DNSLabels("kube-dns", "kube-system")]?.record, !record.clusterIPs.isEmpty else { return nil }
        return ("kube-dns.kube-system.svc", record.clusterIPs)
    }
}

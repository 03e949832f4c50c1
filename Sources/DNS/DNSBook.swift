import Model

/// What has been written of the zone, whole and by changes, and what of it differs from what is.
package struct DNSBook: Sendable {
    /// A whole is not worth writing for less.
    private static let fewChanges = 1000

    package let zone: String
    package private(set) var serial: Int
    private var namespaces: Set<String>
    private var services: [ObjectKey: DNSRecords.ServiceRecord]
    /// About how much there is to say of all, and how much has been said since the whole: one for each name and endpoint.
    private var size = 0, said = 0

    /// Begins with what stands there.
    package init(_ records: DNSRecords) {
        zone = records.zone
        serial = records.serial
        namespaces = Set(records.namespaces)
        services = Dictionary(records.services.map { (ObjectKey($0.namespace, $0.name), $0) }, uniquingKeysWith: { $1 })
        size = services.values.reduce(namespaces.count) { $0 + Self.weight($1) }
    }

    private static func weight(_ record: DNSRecords.ServiceRecord) -> Int { 1 + record.endpoints.count }

    /// Changes are more than the whole would be: written then, the wholes cost each change about what it costs itself.
    package var isWholeDue: Bool { said > max(Self.fewChanges, size) }

    /// What is new about a namespace; nil: nothing.
    package mutating func set(namespace: String, isThere: Bool) -> DNSChange? {
        guard namespaces.contains(namespace) != isThere else { return nil }
        if isThere { namespaces.insert(namespace) } else { namespaces.remove(namespace) }
        size += isThere ? 1 : -1
        said += 1
        return .namespace(namespace, isThere: isThere)
    }

    /// What is new about a Service's name; nil: nothing.
    package mutating func set(_ key: ObjectKey, _ record: DNSRecords.ServiceRecord?) -> DNSChange? {
        let before = services[key]
        guard before != record else { return nil }
        services[key] = record
        size += (record.map(Self.weight) ?? 0) - (before.map(Self.weight) ?? 0)
        said += record.map(Self.weight) ?? 1
        return record.map(DNSChange.service) ?? .gone(key)
    }

    /// Takes in what somebody has written.
    package mutating func take(_ change: DNSChange) {
        switch change {
        case .namespace(let name, let isThere): _ = set(namespace: name, isThere: isThere)
        case .service(let record): _ = set(ObjectKey(record.namespace, record.name), record)
        case .gone(let key): _ = set(key, nil)
        case .whole(let serial): begin(serial)
        }
    }

    private mutating func begin(_ serial: Int) {
        self.serial = serial
        said = 0
    }

    /// All that has to be said so that the book says what `records` do.
    package mutating func become(_ records: DNSRecords) -> [DNSChange] {
        let wanted = Set(records.namespaces)
        var changes = namespaces.union(wanted).sorted().compactMap { set(namespace: $0, isThere: wanted.contains($0)) }
        let found = Dictionary(records.services.map { (ObjectKey($0.namespace, $0.name), $0) }, uniquingKeysWith: { $1 })
        for key in Set(services.keys).union(found.keys).sorted() {
            if let change = set(key, found[key]) { changes.append(change) }
        }
        return changes
    }

    /// The whole as it is now, under a serial of its own.
    package mutating func whole(_ serial: Int? = nil) -> DNSRecords {
        begin(serial ?? self.serial + 1)
        var records = DNSRecords(zone: zone, namespaces: namespaces.sorted(), services: services.sorted { $0.key < $1.key }.map(\.value))
        records.serial = self.serial
        return records
    }
}

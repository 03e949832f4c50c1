import Model

/// What becomes of one name, as a line of the file of changes: what has changed costs what it says, not the whole zone.
package enum DNSChange: Sendable, Hashable {
    case namespace(String, isThere: Bool)
    case service(DNSRecords.ServiceRecord)
    case gone(ObjectKey)

    /// nil for what is no change that this program knows.
    package init?(_ json: JSON) {
        if let name = json["namespace"].string, let isThere = json["isThere"].bool {
            self = .namespace(name, isThere: isThere)
        } else if !json["service"].isNull {
            self = .service(DNSRecords.ServiceRecord(json["service"]))
        } else if let name = json["gone"]["name"].string, let namespace = json["gone"]["namespace"].string {
            self = .gone(ObjectKey(namespace, name))
        } else {
            return nil
        }
    }

    package var json: JSON {
        switch self {
        case .namespace(let name, let isThere): ["namespace": .string(name), "isThere": .bool(isThere)]
        case .service(let record): ["service": record.json]
        case .gone(let key): ["gone": ["namespace": .string(key.namespace), "name": .string(key.name)]]
        }
    }

    /// Where the changes since the whole of this serial are, beside the whole.
    package static func file(_ serial: Int) -> String { "changes-\(serial).jsonl" }
}

/// What has been written of the zone, whole and by changes, and what of it differs from what is.
package struct DNSBook: Sendable {
    private let zone: String
    package private(set) var serial: Int
    private var namespaces: Set<String>
    private var services: [ObjectKey: DNSRecords.ServiceRecord]

    /// Begins with the whole, under a serial of its own.
    package init(_ records: DNSRecords) {
        zone = records.zone
        serial = records.serial
        namespaces = Set(records.namespaces)
        services = Dictionary(records.services.map { (ObjectKey($0.namespace, $0.name), $0) }, uniquingKeysWith: { $1 })
    }

    /// What is new about a namespace; nil: nothing.
    package mutating func set(namespace: String, isThere: Bool) -> DNSChange? {
        guard namespaces.contains(namespace) != isThere else { return nil }
        if isThere { namespaces.insert(namespace) } else { namespaces.remove(namespace) }
        return .namespace(namespace, isThere: isThere)
    }

    /// What is new about a Service's name; nil: nothing.
    package mutating func set(_ key: ObjectKey, _ record: DNSRecords.ServiceRecord?) -> DNSChange? {
        guard services[key] != record else { return nil }
        services[key] = record
        return record.map(DNSChange.service) ?? .gone(key)
    }

    /// The whole as it is now, under the next serial.
    package mutating func whole() -> DNSRecords {
        serial += 1
        var records = DNSRecords(zone: zone, namespaces: namespaces.sorted(), services: services.sorted { $0.key < $1.key }.map(\.value))
        records.serial = serial
        return records
    }
}

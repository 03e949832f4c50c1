import Model

/// What becomes of one name, as a line of the file of changes: what has changed costs what it says, not the whole zone.
package enum DNSChange: Sendable, Hashable {
    case namespace(String, isThere: Bool)
    case service(DNSRecords.ServiceRecord)
    case gone(ObjectKey)
    /// The last line: the whole of this serial says what has been said up to here. What changes from here on stands beside that one.
    case whole(Int)

    /// nil for what is no change that this program knows.
    package init?(_ json: JSON) {
        if let name = json["namespace"].string, let isThere = json["isThere"].bool {
            self = .namespace(name, isThere: isThere)
        } else if !json["service"].isNull {
            self = .service(DNSRecords.ServiceRecord(json["service"]))
        } else if let name = json["gone"]["name"].string, let namespace = json["gone"]["namespace"].string {
            self = .gone(ObjectKey(namespace, name))
        } else if let serial = json["whole"].int {
            self = .whole(serial)
        } else {
            return nil
        }
    }

    package var json: JSON {
        switch self {
        case .namespace(let name, let isThere): ["namespace": .string(name), "isThere": .bool(isThere)]
        case .service(let record): ["service": record.json]
        case .gone(let key): ["gone": ["namespace": .string(key.namespace), "name": .string(key.name)]]
        case .whole(let serial): ["whole": .int(serial)]
        }
    }

    /// As a line of a file.
    package var line: [UInt8] { json.bytes() + [0x0A] }

    /// Where the changes since the whole of this serial are, beside the whole.
    package static func file(_ serial: Int) -> String { "changes-\(serial).jsonl" }

    /// The serial in the name of a file of changes.
    package static func serial(ofFile name: String) -> Int? {
        name.hasPrefix("changes-") && name.hasSuffix(".jsonl") ? Int(name.dropFirst(8).dropLast(6)) : nil
    }
}

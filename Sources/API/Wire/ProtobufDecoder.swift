import Model

/// Reads `application/vnd.kubernetes.protobuf` by the tables of the API's types.
/// (kubernetes.io/docs/reference/using-api/api-concepts, "Kubernetes Protobuf encoding"; protobuf.dev/programming-guides/encoding)
package enum ProtobufDecoder {
    package static let magic: [UInt8] = [0x6B, 0x38, 0x73, 0x00]

    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    /// The envelope: which kind it holds, and the object's bytes.
    package static func envelope(_ bytes: [UInt8]) throws(Malformed) -> (apiVersion: String, kind: String, raw: ArraySlice<UInt8>) {
        guard bytes.starts(with: magic) else {
            throw Malformed(description: "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
        }
        var reader = Reader(bytes: bytes[4...])
        var apiVersion = "", kind = "", raw: ArraySlice<UInt8> = []
        while let field = try reader.next() {
            switch field.number {
            case 1:
                var meta = Reader(bytes: field.bytes)
                while let part = try meta.next() {
                    if part.number == 1 { apiVersion = part.text }
                    if part.number == 2 { kind = part.text }
                }
            case 2: raw = field.bytes
            default: break
            }
        }
        return (apiVersion, kind, raw)
    }

    /// An object of type `type`.
    package static func decode(_ bytes: ArraySlice<UInt8>, _ type: ObjectSchema, depth: Int = 0) throws(Malformed) -> JSON {
        guard depth < 64 else { throw Malformed(description: "the message nests too deep") }
        var object = JSONMembers(), maps: [String: JSONMembers] = [:]
        try decode(bytes, type, wrapper: nil, depth, into: &object, &maps)
        for (name, map) in maps { object[name] = .object(map.object) }
        return .object(object.object)
    }

    private static func decode(
        _ bytes: ArraySlice<UInt8>, _ type: ObjectSchema, wrapper: Int?, _ depth: Int, into object: inout JSONMembers,
        _ maps: inout [String: JSONMembers]
    ) throws(Malformed) {
        var reader = Reader(bytes: bytes)
        while let part = try reader.next() {
            if wrapper == nil, type.fields.contains(where: { $0.wrapper == part.number }) {
                try decode(part.bytes, type, wrapper: part.number, depth, into: &object, &maps)
                continue
            }
            // A field of a later version than ours is passed over, as Go's decoder does.
            guard let field = type.fields.first(where: { $0.number == part.number && $0.wrapper == wrapper }) else { continue }
            switch field.schema {
            case .list(let element, _):
                // Taken out, so that it grows where it is: a copy an element would be quadratic.
                var items = object.take(field.name)?.items ?? []
                if part.wire == 2, element.isVarint {
                    var packed = Reader(bytes: part.bytes)
                    while !packed.bytes.isEmpty {
                        items.append(try value(Part(number: 0, wire: 0, varint: try packed.varint(), bytes: []), element, depth))
                    }
                } else {
                    items.append(try value(part, element, depth))
                }
                object[field.name] = .array(items)
            case .map(let element):
                var entry = Reader(bytes: part.bytes)
                var key = "", member: JSON = element.zero
                while let side = try entry.next() {
                    if side.number == 1 { key = side.text } else if side.number == 2 { member = try value(side, element, depth) }
                }
                if maps[field.name] == nil { object[field.name] = .emptyObject }
                maps[field.name, default: JSONMembers()][key] = member
            default:
                let decoded = try value(part, field.schema, depth)
                object[field.name] = decoded.isNull || field.isUnset(by: decoded) ? nil : decoded
            }
        }
    }

    private static func value(_ part: Part, _ schema: Schema, _ depth: Int) throws(Malformed) -> JSON {
        switch schema {
        case .string: return .string(part.text)
        case .int: return .int(Int(Int32(truncatingIfNeeded: part.varint)))
        case .int64: return .int(Int(Int64(bitPattern: part.varint)))
        case .bool: return .bool(part.varint != 0)
        case .number: return .double(Double(bitPattern: part.varint))
        case .bytes: return .string(Base64.encode(Array(part.bytes)))
        case .time(let micro):
            var reader = Reader(bytes: part.bytes)
            var seconds = 0, nanos = 0
            while let side = try reader.next() {
                if side.number == 1 {
                    seconds = Int(Int64(bitPattern: side.varint))
                } else if side.number == 2 {
                    nanos = Int(Int32(truncatingIfNeeded: side.varint))
                }
            }
            // An empty message is no time.
            guard seconds != 0 || nanos != 0, abs(seconds) < 1 << 40, (0..<1_000_000_000).contains(nanos) else { return .null }
            let time = Timestamp(seconds: seconds, nanoseconds: nanos)
            return .string(micro ? "\(time.precise.dropLast(4))Z" : time.description)
        case .quantity: return .string(try text(part.bytes, number: 1))
        case .intOrString:
            var reader = Reader(bytes: part.bytes)
            var isText = false, number = 0, text = ""
            while let side = try reader.next() {
                switch side.number {
                case 1: isText = side.varint == 1
                case 2: number = Int(Int32(truncatingIfNeeded: side.varint))
                case 3: text = side.text
                default: break
                }
            }
            return isText ? .string(text) : .int(number)
        case .any:
            let raw = try raw(part.bytes, number: 1)
            return (try? JSON(parsing: raw)) ?? .null
        case .jsonSchema(.whole): return try decode(part.bytes, Schema.schemaMembers, depth: depth + 1)
        case .jsonSchema(let form): return try alternative(part, form, depth)
        case .object(let type): return try decode(part.bytes, type, depth: depth + 1)
        case .list(let element, _):
            // A list inside a map is a message with `items`.
            var reader = Reader(bytes: part.bytes)
            var items: [JSON] = []
            while let side = try reader.next() { items.append(try value(side, element, depth)) }
            return .array(items)
        case .map: return .emptyObject
        }
    }

    /// A schema, or what may stand in its place: a message with either.
    private static func alternative(_ part: Part, _ form: Schema.SchemaForm, _ depth: Int) throws(Malformed) -> JSON {
        var reader = Reader(bytes: part.bytes)
        var flag = false, whole: JSON?, list: [JSON] = []
        while let side = try reader.next() {
            switch (form, side.number) {
            case (.orFlag, 1): flag = side.varint != 0
            case (.orFlag, 2), (.orList, 1): whole = try value(side, .jsonSchema(.whole), depth)
            default: list.append(try value(side, .jsonSchema(.whole), depth))
            }
        }
        return whole ?? (form == .orFlag ? .bool(flag) : .array(list))
    }

    private static func raw(_ bytes: ArraySlice<UInt8>, number: Int) throws(Malformed) -> ArraySlice<UInt8> {
        var reader = Reader(bytes: bytes)
        while let part = try reader.next() { if part.number == number { return part.bytes } }
        return []
    }

    private static func text(_ bytes: ArraySlice<UInt8>, number: Int) throws(Malformed) -> String {
        String(decoding: try raw(bytes, number: number), as: UTF8.self)
    }

    private struct Part {
        let number: Int
        let wire: Int
        var varint: UInt64 = 0
        var bytes: ArraySlice<UInt8>
        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func varint() throws(Malformed) -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), through: 63, by: 7) {
                guard let byte = bytes.popFirst() else { throw Malformed(description: "unexpected EOF") }
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
            }
            throw Malformed(description: "proto: integer overflow")
        }

        private mutating func fixed(_ count: Int) throws(Malformed) -> UInt64 {
            guard bytes.count >= count else { throw Malformed(description: "unexpected EOF") }
            let value = bytes.prefix(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            bytes = bytes.dropFirst(count)
            return value
        }

        mutating func next() throws(Malformed) -> Part? {
            if bytes.isEmpty { return nil }
            let tag = try varint()
            guard tag >> 3 <= Int32.max, tag >> 3 > 0 else { throw Malformed(description: "proto: illegal tag \(tag >> 3)") }
            let number = Int(tag >> 3), wire = Int(tag & 7)
            switch wire {
            case 0: return Part(number: number, wire: wire, varint: try varint(), bytes: [])
            case 1: return Part(number: number, wire: wire, varint: try fixed(8), bytes: [])
            case 5: return Part(number: number, wire: wire, varint: try fixed(4), bytes: [])
            case 2:
                let length = try varint()
                guard length <= UInt64(bytes.count) else { throw Malformed(description: "unexpected EOF") }
                defer { bytes = bytes.dropFirst(Int(length)) }
                return Part(number: number, wire: wire, bytes: bytes.prefix(Int(length)))
            default: throw Malformed(description: "proto: illegal wireType \(wire)")
            }
        }
    }
}

extension Schema {
    fileprivate var isVarint: Bool {
        switch self {
        case .int, .int64, .bool: true
        default: false
        }
    }

    /// What a map's entry without a value holds.
    fileprivate var zero: JSON {
        switch self {
        case .string, .bytes: ""
        case .int, .int64: 0
        case .bool: false
        case .quantity: "0"
        case .object, .jsonSchema: .emptyObject
        default: .null
        }
    }
}

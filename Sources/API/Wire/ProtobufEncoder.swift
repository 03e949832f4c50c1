import Model

/// Writes objects as `application/vnd.kubernetes.protobuf`, for clients that read nothing else.
package enum ProtobufEncoder {
    package static func object(_ json: JSON, _ type: ObjectSchema) -> [UInt8] {
        envelope(apiVersion: json["apiVersion"].string ?? "", kind: json["kind"].string ?? "", message(json, type))
    }

    /// A list: its metadata is field 1, its items field 2, in every kind's list.
    package static func list(_ json: JSON, of type: ObjectSchema) -> [UInt8] {
        let items = json["items"].items.flatMap { bytes(2, message($0, type)) }
        return envelope(
            apiVersion: json["apiVersion"].string ?? "", kind: json["kind"].string ?? "",
            bytes(1, message(json["metadata"], SchemaTable.type("meta:ListMeta"))) + items)
    }

    private static func envelope(apiVersion: String, kind: String, _ raw: [UInt8]) -> [UInt8] {
        let meta = text(1, apiVersion) + text(2, kind)
        return ProtobufDecoder.magic + bytes(1, meta) + bytes(2, raw) + text(3, "") + text(4, "")
    }

    private static func message(_ json: JSON, _ type: ObjectSchema) -> [UInt8] {
        var out: [UInt8] = []
        var wrapped: [Int: [UInt8]] = [:]
        for field in type.fields where field.number > 0 {
            let member = json[field.name]
            if member.isNull { continue }
            let encoded = Self.field(field.number, member, field.schema)
            if let wrapper = field.wrapper { wrapped[wrapper, default: []] += encoded } else { out += encoded }
        }
        for (wrapper, content) in wrapped.sorted(by: { $0.key < $1.key }) { out += bytes(wrapper, content) }
        return out
    }

    private static func field(_ number: Int, _ json: JSON, _ schema: Schema) -> [UInt8] {
        switch schema {
        case .string: return text(number, json.string ?? "")
        case .int, .int64: return varint(UInt64(number) << 3) + varint(UInt64(bitPattern: Int64(json.int ?? 0)))
        case .bool: return varint(UInt64(number) << 3) + [json.bool == true ? 1 : 0]
        case .number:
            let value = json.int.map(Double.init) ?? { if case .double(let value) = json { value } else { 0 } }()
            return varint(UInt64(number) << 3 | 1) + (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) }
        case .bytes: return bytes(number, Base64.decode(json.string ?? "") ?? [])
        case .time:
            guard let time = json.string.flatMap(Timestamp.init) else { return [] }
            return bytes(number, [0x08] + varint(UInt64(bitPattern: Int64(time.seconds))) + [0x10] + varint(UInt64(time.nanoseconds)))
        case .quantity: return bytes(number, text(1, json.string ?? ""))
        case .intOrString:
            if let value = json.int { return bytes(number, [0x08, 0, 0x10] + varint(UInt64(bitPattern: Int64(value))) + text(3, "")) }
            return bytes(number, [0x08, 1, 0x10, 0] + text(3, json.string ?? ""))
        case .any: return bytes(number, bytes(1, json.bytes()))
        case .jsonSchema(.whole): return bytes(number, message(json, Schema.schemaMembers))
        case .jsonSchema(.orList):
            let parts = json.array.map { $0.flatMap { bytes(2, message($0, Schema.schemaMembers)) } }
            return bytes(number, parts ?? bytes(1, message(json, Schema.schemaMembers)))
        case .jsonSchema(.orFlag):
            let flag = [0x08, json.bool == false ? 0 : 1] as [UInt8]
            return bytes(number, json.object == nil ? flag : flag + bytes(2, message(json, Schema.schemaMembers)))
        case .object(let type): return bytes(number, message(json, type))
        case .list(let element, _): return json.items.flatMap { field(number, $0, element) }
        case .map(let element):
            return (json.object ?? JSONObject()).flatMap { key, value -> [UInt8] in
                let side: [UInt8]
                if case .list(let inner, _) = element {
                    side = bytes(2, value.items.flatMap { field(1, $0, inner) })
                } else {
                    side = field(2, value, element)
                }
                return bytes(number, text(1, key) + side)
            }
        }
    }

    private static func text(_ number: Int, _ value: String) -> [UInt8] { bytes(number, Array(value.utf8)) }
    private static func bytes(_ number: Int, _ content: [UInt8]) -> [UInt8] {
        varint(UInt64(number) << 3 | 2) + varint(UInt64(content.count)) + content
    }
    private static func varint(_ value: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }
}

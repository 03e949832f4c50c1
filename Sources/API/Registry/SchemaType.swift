import Model

/// Whether a value is of the type and the format that a custom kind's schema asks for. (kube-openapi, pkg/validation)
enum SchemaType {
    static func cause(_ value: JSON, _ schema: JSON, _ path: String) -> StatusError.Cause? {
        if value.isNull {
            return schema["nullable"].bool == true || schema["type"].isNull ? nil : mismatch(path, "null", schema["type"].string ?? "")
        }
        if schema["x-kubernetes-int-or-string"].bool == true {
            switch value {
            case .int, .string: return nil
            default: return mismatch(path, name(of: value), "integer,string")
            }
        }
        if let type = schema["type"].string, !fits(value, type) {
            // Of a number with a format the formats are told.
            if case .double = value, type == "integer", schema["format"].string == "int64" { return mismatch(path, "float64", "int64") }
            return mismatch(path, name(of: value), type)
        }
        guard let text = value.string, let format = schema["format"].string, !hasFormat(text, format) else { return nil }
        return mismatch(path, text, format)
    }

    /// A number that its type or format cannot hold, which upstream tells of the whole. (kube-openapi, IsValueValidAgainstRange)
    static func rangeCauses(_ value: JSON, _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        guard schema["type"].string == "integer" else { return [] }
        let format = schema["format"].string ?? "", isOut: Bool
        switch value {
        case .int(let number): isOut = format == "int32" && Int32(exactly: number) == nil
        case .double(let number): isOut = number.rounded() != number || abs(number) >= 9.3e18
        default: return []
        }
        guard isOut else { return [] }
        let words = format.isEmpty ? "integer (default format)" : "integer with format \(format)"
        return [.invalid("<nil>", "", "Checked value must be of type \(words) in \(path)")]
    }

    private static func mismatch(_ path: String, _ given: String, _ wanted: String) -> StatusError.Cause {
        let value = JSON.string(given).text()
        return StatusError.Cause(
            reason: "FieldValueTypeInvalid", message: "Invalid value: \(value): \(path) in body must be of type \(wanted): \(value)",
            field: path)
    }

    private static func name(of value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .int: "integer"
        case .double: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    private static func fits(_ value: JSON, _ type: String) -> Bool {
        switch (type, value) {
        case ("object", .object), ("array", .array), ("string", .string), ("boolean", .bool), ("integer", .int), ("number", .int),
            ("number", .double):
            true
        // A whole number is one, however it is written.
        case ("integer", .double(let number)): number.rounded() == number && abs(number) < 9.3e18
        case ("object", _), ("array", _), ("string", _), ("boolean", _), ("integer", _), ("number", _): false
        default: true
        }
    }

    private static func hasFormat(_ text: String, _ format: String) -> Bool {
        switch format {
        case "date-time": Timestamp(text) != nil
        case "date": text.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) != nil && Timestamp("\(text)T00:00:00Z") != nil
        case "ipv4": IPAddress(text)?.family == .ipv4
        case "ipv6": IPAddress(text)?.family == .ipv6
        case "cidr": isNetwork(text)
        case "uuid": text.wholeMatch(of: /(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/) != nil
        case "byte": text.utf8.count % 4 == 0 && Base64.decode(text) != nil
        case "duration": text.wholeMatch(of: /[-+]?(\d+(\.\d*)?\s*(ns|us|µs|ms|s|m|h|d|w))+|0/) != nil
        case "email": text.wholeMatch(of: /[^@\s]+@[^@\s]+/) != nil
        case "uri": text.wholeMatch(of: /(?i)([a-z][a-z0-9+.-]*:\S+|\/\S*)/) != nil
        default: true
        }
    }

    /// An address and the length of a prefix, whatever the bits behind it.
    private static func isNetwork(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]) else { return false }
        return (0...(address.family == .ipv4 ? 32 : 128)).contains(length)
    }
}

/// What is wrong with a JSON text, and at which byte.
package struct JSONError: Error, CustomStringConvertible, Equatable {
    package let message: String
    package let offset: Int
    package var description: String { "\(message) at byte \(offset)" }
}

extension JSON {
    /// Parses one JSON document (RFC 8259). Depth is bounded, so that a hostile text cannot exhaust the stack.
    package init(parsing bytes: some Collection<UInt8>) throws(JSONError) {
        var parser = JSONParser(bytes: Array(bytes))
        self = try parser.document()
    }

    package init(parsing text: String) throws(JSONError) {
        try self.init(parsing: text.utf8)
    }
}

extension JSON {
    /// Parses a document in which a member may stand twice: the last one counts, as Go's decoder has it. `duplicates` hears
    /// the paths of the first hundred others.
    package init(parsing bytes: [UInt8], duplicates: inout [String]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes)
        parser.toleratesDuplicates = true
        self = try parser.document()
        duplicates = parser.duplicates
    }
}

/// A recursive-descent parser over bytes.
private struct JSONParser {
    static let maximumDepth = 512, mostDuplicates = 100
    let bytes: [UInt8]
    var position = 0
    var depth = 0
    var toleratesDuplicates = false
    var duplicates: [String] = []
    /// Where the parser stands, while it tolerates duplicates.
    var path: [String] = []

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONError) -> JSON {
        let value = try self.value()
        skipSpace()
        guard position == bytes.count else { throw fail("text after the document") }
        return value
    }

    func fail(_ message: String) -> JSONError { JSONError(message: message, offset: position) }

    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    mutating func value() throws(JSONError) -> JSON {
        skipSpace()
        guard position < bytes.count else { throw fail("unexpected end of JSON input") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fail("invalid character")
        }
    }

    mutating func literal(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let length = text.utf8CodeUnitCount
        guard position + length <= bytes.count else { throw fail("invalid literal") }
        for index in 0..<length where bytes[position + index] != text.utf8Start[index] { throw fail("invalid literal") }
        position += length
        return value
    }

    mutating func enter() throws(JSONError) {
        depth += 1
        guard depth <= Self.maximumDepth else { throw fail("exceeded max depth") }
        position += 1
        skipSpace()
    }

    mutating func object() throws(JSONError) -> JSON {
        try enter()
        defer { depth -= 1 }
        var keys: [String] = []
        var values: [JSON] = []
        var places: [String: Int]? = nil  // only for large objects: small ones scan
        if position < bytes.count, bytes[position] == UInt8(ascii: "}") {
            position += 1
            return .object(JSONObject())
        }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { throw fail("expected a key") }
            let key = try string()
            if places == nil, keys.count == 16 { places = Dictionary(uniqueKeysWithValues: zip(keys, keys.indices)) }
            let place = if let places { places[key] } else { keys.firstIndex(of: key) }
            guard place == nil || toleratesDuplicates else { throw fail("duplicate field \"\(key)\"") }
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { throw fail("expected ':'") }
            position += 1
            if toleratesDuplicates { path.append(path.isEmpty ? key : ".\(key)") }
            let member = try value()
            if let place {
                if duplicates.count < Self.mostDuplicates { duplicates.append(path.joined()) }
                values[place] = member
            } else {
                if places != nil { places?[key] = keys.count }
                keys.append(key)
                values.append(member)
            }
            if toleratesDuplicates { path.removeLast() }
            skipSpace()
            guard position < bytes.count else { throw fail("unexpected end of JSON input") }
            defer { position += 1 }
            if bytes[position] == UInt8(ascii: ",") { continue }
            if bytes[position] == UInt8(ascii: "}") { break }
            throw fail("expected ',' or '}'")
        }
        return .object(JSONObject(uniqueKeys: keys, values: values))
    }

    mutating func array() throws(JSONError) -> JSON {
        try enter()
        defer { depth -= 1 }
        var items: [JSON] = []
        if position < bytes.count, bytes[position] == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            if toleratesDuplicates { path.append("[\(items.count)]") }
            items.append(try value())
            if toleratesDuplicates { path.removeLast() }
            skipSpace()
            guard position < bytes.count else { throw fail("unexpected end of JSON input") }
            defer { position += 1 }
            if bytes[position] == UInt8(ascii: ",") { continue }
            if bytes[position] == UInt8(ascii: "]") { break }
            throw fail("expected ',' or ']'")
        }
        return .array(items)
    }

    mutating func number() throws(JSONError) -> JSON {
        let start = position
        var isInteger = true
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
            case UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): isInteger = false
            default: return try finish(start, isInteger)
            }
            position += 1
        }
        return try finish(start, isInteger)
    }

    func finish(_ start: Int, _ isInteger: Bool) throws(JSONError) -> JSON {
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        let digits = text.first == "-" ? text.dropFirst() : text[...]
        guard let first = digits.first, first.isNumber, !(first == "0" && digits.dropFirst().first?.isNumber == true)
        else { throw fail("invalid number") }
        if isInteger, let value = Int(text) { return .int(value) }
        guard let value = Double(text), value.isFinite, text.last != ".", !text.contains(".e"), !text.contains(".E") else {
            throw fail("invalid number")
        }
        return .double(value)
    }

    mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                defer { position += 1 }
                return String(decoding: bytes[start..<position], as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw fail("control character in a string") }
            position += 1
        }
        throw fail("unexpected end of JSON input")
    }

    mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var out = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                return String(decoding: out, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard position < bytes.count else { throw fail("unexpected end of JSON input") }
                let escape = bytes[position]
                position += 1
                switch escape {
                case UInt8(ascii: "n"): out.append(0x0A)
                case UInt8(ascii: "t"): out.append(0x09)
                case UInt8(ascii: "r"): out.append(0x0D)
                case UInt8(ascii: "b"): out.append(0x08)
                case UInt8(ascii: "f"): out.append(0x0C)
                case UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "\""): out.append(escape)
                case UInt8(ascii: "u"): out.append(contentsOf: String(try unicodeScalar()).utf8)
                default: throw fail("invalid escape")
                }
            case 0..<0x20: throw fail("control character in a string")
            default: out.append(byte)
            }
        }
        throw fail("unexpected end of JSON input")
    }

    mutating func hex4() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count,
            bytes[position] != UInt8(ascii: "+"), bytes[position] != UInt8(ascii: "-"),
            let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw fail("invalid \\u escape") }
        position += 4
        return value
    }

    /// A `\u` escape, with its second half where the first is a surrogate; a lone half becomes U+FFFD as in Go.
    mutating func unicodeScalar() throws(JSONError) -> Unicode.Scalar {
        let first = try hex4()
        let replacement: Unicode.Scalar = "\u{FFFD}"
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? replacement }
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
        else { return replacement }
        let mark = position
        position += 2
        let second = try hex4()
        guard (0xDC00..<0xE000).contains(second) else {
            position = mark
            return replacement
        }
        return Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) ?? replacement
    }
}

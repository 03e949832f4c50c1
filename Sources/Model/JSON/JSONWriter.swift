extension JSON {
    /// The document as JSON text: compact, or indented by four spaces as `kubectl -o json` prints.
    package func text(indented: Bool = false) -> String {
        var out: [UInt8] = []
        write(to: &out, indent: indented ? 0 : nil)
        return String(decoding: out, as: UTF8.self)
    }

    /// The document as compact UTF-8 JSON.
    package func bytes() -> [UInt8] {
        var out: [UInt8] = []
        write(to: &out, indent: nil)
        return out
    }

    package func write(to out: inout [UInt8], indent: Int?) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .int(let value): out.append(contentsOf: String(value).utf8)
        case .double(let value):
            out.append(contentsOf: (Int(exactly: value).map(String.init) ?? String(value)).utf8)
        case .string(let value): JSON.quote(value, to: &out)
        case .array(let items):
            JSON.container(items.count, "[", "]", indent, &out) { index, inner, out in
                items[index].write(to: &out, indent: inner)
            }
        case .object(let object):
            JSON.container(object.count, "{", "}", indent, &out) { index, inner, out in
                JSON.quote(object.members[index].key, to: &out)
                out.append(UInt8(ascii: ":"))
                if inner != nil { out.append(0x20) }
                object.members[index].value.write(to: &out, indent: inner)
            }
        }
    }

    private static func container(
        _ count: Int, _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ indent: Int?, _ out: inout [UInt8],
        _ element: (Int, Int?, inout [UInt8]) -> Void
    ) {
        out.append(UInt8(ascii: open))
        let inner = indent.map { $0 + 4 }
        for index in 0..<count {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            if let inner { newLine(inner, &out) }
            element(index, inner, &out)
        }
        if let indent, count > 0 { newLine(indent, &out) }
        out.append(UInt8(ascii: close))
    }

    private static func newLine(_ indent: Int, _ out: inout [UInt8]) {
        out.append(0x0A)
        out.append(contentsOf: repeatElement(0x20, count: indent))
    }

    private static func quote(_ text: String, to out: inout [UInt8]) {
        var text = text
        out.append(UInt8(ascii: "\""))
        text.withUTF8 { bytes in
            // Most texts have nothing to be escaped.
            if bytes.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
                out.append(contentsOf: bytes)
            } else {
                for byte in bytes { escape(byte, to: &out) }
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func escape(_ byte: UInt8, to out: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            out.append(UInt8(ascii: "\\"))
            out.append(byte)
        case 0x0A: out.append(contentsOf: "\\n".utf8)
        case 0x0D: out.append(contentsOf: "\\r".utf8)
        case 0x09: out.append(contentsOf: "\\t".utf8)
        case 0..<0x20:
            let digits = String(byte, radix: 16)
            out.append(contentsOf: ("\\u00" + (digits.count == 1 ? "0" : "") + digits).utf8)
        default: out.append(byte)
        }
    }

    /// The same document with the keys of every object sorted, as `kubectl -o yaml` prints and as hashes need it.
    package var sorted: JSON {
        switch self {
        case .array(let items): return .array(items.map(\.sorted))
        case .object(let object):
            var result = JSONObject()
            for key in object.keys.sorted() { result[key] = object[key]?.sorted }
            return .object(result)
        default: return self
        }
    }
}

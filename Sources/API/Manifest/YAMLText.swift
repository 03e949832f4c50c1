import Model

/// JSON as YAML in kubectl's manner: keys sorted, lists at their key's column, text quoted only where it must be.
package enum YAMLText {
    package static func of(_ json: JSON) -> String {
        var out = ""
        write(json.sorted, 0, &out)
        return out
    }

    private static func write(_ json: JSON, _ indent: Int, _ out: inout String) {
        let pad = String(repeating: " ", count: indent)
        switch json {
        case .object(let object) where !object.isEmpty:
            for (key, value) in object {
                out += "\(pad)\(scalar(.string(key))):"
                follow(value, indent, &out)
            }
        case .array(let items) where !items.isEmpty:
            for item in items {
                switch item {
                case .object(let object) where !object.isEmpty:
                    var inner = ""
                    write(item, indent + 2, &inner)
                    out += "\(pad)- " + inner.dropFirst(indent + 2)
                case .array(let inner) where !inner.isEmpty:
                    out += "\(pad)-\n"
                    write(item, indent + 2, &out)
                default: out += "\(pad)- \(scalar(item, indent: indent + 2))\n"
                }
            }
        default: out += "\(pad)\(scalar(json))\n"
        }
    }

    private static func follow(_ value: JSON, _ indent: Int, _ out: inout String) {
        switch value {
        case .object(let object) where !object.isEmpty:
            out += "\n"
            write(value, indent + 2, &out)
        case .array(let items) where !items.isEmpty:
            out += "\n"
            write(value, indent, &out)
        default: out += " \(scalar(value, indent: indent + 2))\n"
        }
    }

    private static func scalar(_ json: JSON, indent: Int = 0) -> String {
        guard case .string(let text) = json else {
            if case .object = json { return "{}" }
            if case .array = json { return "[]" }
            return json.text()
        }
        if text.contains("\n"), !text.contains("\t"), text.first?.isWhitespace == false {
            let pad = String(repeating: " ", count: indent)
            let chomp = text.hasSuffix("\n\n") ? "+" : text.hasSuffix("\n") ? "" : "-"
            let body = text.hasSuffix("\n") ? String(text.dropLast()) : text
            return "|\(chomp)\n"
                + body.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : pad + $0 }.joined(separator: "\n")
        }
        return isPlain(text) ? text : json.text()
    }

    /// Text that reads back as itself without quotes.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.first, let last = text.last, !first.isWhitespace, !last.isWhitespace else { return false }
        if "-?:,[]{}#&*!|>'\"%@`".contains(first),
            !(first == "-" && text.dropFirst().first.map { !$0.isWhitespace } == true && Double(text) == nil && text != "---")
        {
            return false
        }
        if text.contains(": ") || text.contains(" #") || last == ":"
            || text.contains(where: { $0.isNewline || $0 == "\t" || ($0.asciiValue ?? 32) < 32 })
        {
            return false
        }
        let words: Set = ["true", "false", "yes", "no", "on", "off", "null", "~", "y", "n"]
        if words.contains(text.lowercased()) || Double(text) != nil || text.hasPrefix("0x") || text.hasPrefix("0o") { return false }
        // What older parsers take for a date or a sexagesimal number.
        return
            !(first.isNumber && text.allSatisfy { $0.isNumber || "-:.TZ_".contains($0) }
            && (text.contains(":") || text.filter { $0 == "-" }.count == 2))
    }
}

import CYaml
import Model

/// Reads YAML's documents as JSON, event by event. An alias is the value that its anchor has, not a copy of it, and counts as all
/// that it stands for: a document that is mostly aliases is refused before anybody walks through it.
package struct YAMLReader {
    package struct Document {
        package let json: JSON
        package let line: Int
        /// Field path (`spec.ports[0].nodePort`) -> line.
        package let lines: [String: Int]
    }

    private static let deepest = 256, mostDirectives = 64
    /// Paths longer than this have the line of what encloses them, and so have those beyond so many.
    private static let longestPath = 1024, mostLines = 1 << 20

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let file: String
    private let keepsLines: Bool
    private var lines: [String: Int] = [:]
    private var anchors: [String: (value: JSON, size: Int)] = [:]
    private var depth = 0
    /// Values met, and those of them that an alias stands for.
    private var decoded = 0, aliased = 0

    /// Keys that stand twice in a map, in the words of Kubernetes' decoder; nil: they are an error.
    private var repeated: [String]?

    /// Every document of `text` that holds anything.
    package static func documents(_ text: String, file: String, keepsLines: Bool) throws(YAMLError) -> [Document] {
        try read(text, file: file, keepsLines: keepsLines, toleratesRepeats: false).documents
    }

    /// The first document of what a client sent, of which no other counts. Where a key stands twice the last one does; `repeated` hears.
    package static func body(_ text: String, repeated: inout [String]) throws(YAMLError) -> JSON {
        let text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
        let (documents, found) = try read(text, file: "body", keepsLines: false, toleratesRepeats: true)
        repeated = found
        return documents.first?.json ?? .null
    }

    private static func read(_ text: String, file: String, keepsLines: Bool, toleratesRepeats: Bool) throws(YAMLError) -> (
        documents: [Document], repeated: [String]
    ) {
        let bytes = Array(text.utf8)
        // libyaml compares each directive with all before it.
        let directives = bytes.indices.lazy.filter {
            bytes[$0] == UInt8(ascii: "%") && ($0 == 0 || bytes[$0 - 1] == 0x0A || bytes[$0 - 1] == 0x0D)
        }
        guard directives.prefix(mostDirectives + 1).count <= mostDirectives else {
            throw YAMLError(file: file, line: 1, message: "too many directives: at most \(mostDirectives) are read")
        }
        // On the heap: libyaml's parser holds its own address.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { throw YAMLError(file: file, line: 1, message: "no memory for a YAML parser") }
        defer { yaml_parser_delete(parser) }
        return try bytes.withUnsafeBufferPointer { (bytes) throws(YAMLError) in
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
            var reader = YAMLReader(parser: parser, file: file, keepsLines: keepsLines)
            if toleratesRepeats { reader.repeated = [] }
            let documents = try reader.documents(onlyFirst: toleratesRepeats)
            return (documents, reader.repeated ?? [])
        }
    }

    private init(parser: UnsafeMutablePointer<yaml_parser_t>, file: String, keepsLines: Bool) {
        (self.parser, self.file, self.keepsLines) = (parser, file, keepsLines)
    }

    private mutating func documents(onlyFirst: Bool) throws(YAMLError) -> [Document] {
        var documents: [Document] = []
        while true {
            let event = try next()
            switch event.kind {
            case .streamEnd: return documents
            case .documentStart:
                (lines, anchors) = ([:], [:])
                let root = try next()
                let json = try value(root, path: keepsLines ? "" : nil)
                if !json.isNull { documents.append(Document(json: json, line: root.line, lines: lines)) }
                if onlyFirst { return documents }
            default: break
            }
        }
    }

    private func fail(_ line: Int, _ message: String) -> YAMLError { YAMLError(file: file, line: line, message: message) }

    private mutating func value(_ event: Event, path: String?) throws(YAMLError) -> JSON {
        note(path, event.line)
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.deepest else { throw fail(event.line, "nested too deeply") }
        let before = decoded
        decoded += 1
        let value: JSON
        switch event.kind {
        case .scalar(let text, let isPlain): value = isPlain ? Self.plain(text) : .string(text)
        case .sequenceStart: value = try sequence(path)
        case .mappingStart: value = try mapping(path)
        case .alias(let name): return try alias(name, event.line)
        default: throw fail(event.line, "did not find expected node content")
        }
        if let anchor = event.anchor { anchors[anchor] = (value, decoded - before) }
        return value
    }

    private mutating func sequence(_ path: String?) throws(YAMLError) -> JSON {
        var items: [JSON] = []
        while true {
            let event = try next()
            if case .sequenceEnd = event.kind { return .array(items) }
            items.append(try value(event, path: path.flatMap { Self.path("\($0)[\(items.count)]") }))
        }
    }

    private mutating func mapping(_ path: String?) throws(YAMLError) -> JSON {
        var keys: [String] = []
        var values: [JSON] = []
        var places: [String: Int] = [:], seen: Set<String> = []
        var merged: [JSON] = []
        while true {
            var event = try next()
            if case .mappingEnd = event.kind { break }
            if case .alias(let name) = event.kind, case .string(let text)? = anchors[name]?.value {
                event.kind = .scalar(text, isPlain: false)
            }
            guard case .scalar(let key, let isPlain) = event.kind else { throw fail(event.line, "a key must be a plain word") }
            if let anchor = event.anchor { anchors[anchor] = (.string(key), 1) }
            decoded += 1
            if isPlain, key == "<<" {
                merged.append(try value(try next(), path: nil))
                continue
            }
            if isPlain, repeated != nil, Self.plain(key).isNull { throw fail(event.line, "unsupported map key of type: null") }
            if !seen.insert(key).inserted { try note(repeat: key, event.line) }
            let here = path.flatMap { Self.path($0.isEmpty ? key : "\($0).\(key)") }
            note(here, event.line)
            // JSON null is a value to an API; an empty YAML value means the field is not there.
            let member = try value(try next(), path: here)
            if let place = places[key] {
                values[place] = member
            } else if !member.isNull {
                places[key] = keys.count
                keys.append(key)
                values.append(member)
            }
        }
        try merge(merged, &keys, &values, &seen)
        return .object(JSONObject(uniqueKeys: keys, values: values))
    }

    private static let mostRepeats = 100

    private mutating func note(repeat key: String, _ line: Int) throws(YAMLError) {
        guard let count = repeated?.count else { throw fail(line, "key \"\(key)\" already set in map") }
        if count < Self.mostRepeats { repeated?.append("line \(line): key \"\(key)\" already set in map") }
    }

    /// What `<<` brings: the members of a map, or of several, that the map itself does not have. (yaml.org/type/merge.html)
    private mutating func merge(_ sources: [JSON], _ keys: inout [String], _ values: inout [JSON], _ seen: inout Set<String>)
        throws(YAMLError)
    {
        for source in sources {
            for map in source.array ?? [source] {
                guard let members = map.object else { throw fail(1, "map merge requires map or sequence of maps as the value") }
                for (key, value) in members where seen.insert(key).inserted {
                    decoded += 1
                    keys.append(key)
                    values.append(value)
                }
            }
        }
    }

    /// As yaml.v3's decoder has it, whose words these are: 99 of 100 values may come from aliases in a small document, 10 in a large one.
    private mutating func alias(_ name: String, _ line: Int) throws(YAMLError) -> JSON {
        guard let (value, size) = anchors[name] else { throw fail(line, "unknown anchor '\(name)' referenced") }
        decoded += size
        aliased += size
        let low = 400_000.0, high = 4_000_000.0, count = Double(decoded)
        let allowed = count <= low ? 0.99 : count >= high ? 0.10 : 0.99 - 0.89 * (count - low) / (high - low)
        guard aliased <= 100 || decoded <= 1000 || Double(aliased) / count <= allowed else {
            throw fail(line, "document contains excessive aliasing")
        }
        return value
    }

    // MARK: Lines

    private static func path(_ path: String) -> String? { path.utf8.count <= longestPath ? path : nil }

    private mutating func note(_ path: String?, _ line: Int) {
        guard let path, !path.isEmpty, lines.count < Self.mostLines, lines[path] == nil else { return }
        lines[path] = line
    }

    // MARK: Scalars

    /// Plain scalars as YAML 1.1 in Kubernetes' dialect reads them: each is what it looks like.
    private static func plain(_ text: String) -> JSON {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N": return .bool(false)
        default: break
        }
        let isNumeric = text.first.map { ($0.isASCII && $0.isNumber) || $0 == "-" || $0 == "+" || $0 == "." } ?? false
        if !isNumeric { return .string(text) }
        if let value = integer(text) { return .int(value) }
        if isDecimal(text), let value = Double(text.filter { $0 != "_" }), value.isFinite {
            // In JSON, 30.0 is 30: whoever reads the document as that finds a whole number.
            return Int(exactly: value).map(JSON.int) ?? .double(value)
        }
        return .string(text)
    }

    /// As Go reads a number whose base is told by how it begins: `0x1f`, `0b11`, `0o17`, `017`, and `_` between digits.
    private static func integer(_ text: String) -> Int? {
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        var base = 10
        if rest.first == "0", rest.count > 1 {
            switch rest.dropFirst().first {
            case "x", "X": (base, rest) = (16, rest.dropFirst(2))
            case "b", "B": (base, rest) = (2, rest.dropFirst(2))
            case "o", "O": (base, rest) = (8, rest.dropFirst(2))
            default: (base, rest) = (8, rest.dropFirst())
            }
        }
        let digits = rest.filter { $0 != "_" }
        guard let first = digits.first, first.isHexDigit, rest.last != "_" else { return nil }
        return Int((isNegative ? "-" : "") + digits, radix: base)
    }

    /// Digits with at most one point among them, and an exponent or none.
    private static func isDecimal(_ text: String) -> Bool {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        let mantissa = rest.prefix { $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }
        let digits = mantissa.count { (0x30...0x39).contains($0) }, points = mantissa.count { $0 == UInt8(ascii: ".") }
        guard digits > 0, points < 2, digits + points == mantissa.count else { return false }
        if mantissa.count == rest.count { return true }
        var exponent = rest.dropFirst(mantissa.count + 1)
        if exponent.first == UInt8(ascii: "-") || exponent.first == UInt8(ascii: "+") { exponent = exponent.dropFirst() }
        return !exponent.isEmpty && exponent.allSatisfy { (0x30...0x39).contains($0) }
    }
}

// MARK: Events

extension YAMLReader {
    private struct Event {
        enum Kind {
            case streamEnd, documentStart, sequenceStart, sequenceEnd, mappingStart, mappingEnd, other
            case alias(String)
            case scalar(String, isPlain: Bool)
        }
        var kind: Kind
        var anchor: String?
        let line: Int
    }

    private func next() throws(YAMLError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else {
            let problem = parser.pointee.problem.map { String(cString: $0) } ?? "this is no YAML"
            throw fail(parser.pointee.problem_mark.line + 1, problem)
        }
        defer { yaml_event_delete(&event) }
        func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? { bytes.map { String(cString: $0) } }
        let line = event.start_mark.line + 1
        switch event.type {
        case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return Event(kind: .streamEnd, line: line)
        case YAML_DOCUMENT_START_EVENT: return Event(kind: .documentStart, line: line)
        case YAML_SEQUENCE_START_EVENT: return Event(kind: .sequenceStart, anchor: text(event.data.sequence_start.anchor), line: line)
        case YAML_SEQUENCE_END_EVENT: return Event(kind: .sequenceEnd, line: line)
        case YAML_MAPPING_START_EVENT: return Event(kind: .mappingStart, anchor: text(event.data.mapping_start.anchor), line: line)
        case YAML_MAPPING_END_EVENT: return Event(kind: .mappingEnd, line: line)
        case YAML_ALIAS_EVENT: return Event(kind: .alias(text(event.data.alias.anchor) ?? ""), line: line)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let content = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return Event(kind: .scalar(content, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), anchor: text(scalar.anchor), line: line)
        default: return Event(kind: .other, line: line)
        }
    }
}

import Model
import Yams

/// One document of a file, and where each of its fields stands.
package struct Manifest: Sendable {
    package let json: JSON
    package let file: String
    package let line: Int
    /// Field path (`spec.ports[0].nodePort`) -> line.
    private let lines: [String: Int]

    /// The line of `field`, or of the nearest enclosing field that is written down.
    package func line(of field: String) -> Int {
        var path = field
        while !path.isEmpty {
            if let line = lines[path] { return line }
            guard let cut = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { break }
            path = String(path[..<cut])
        }
        return line
    }

    package var kind: String { json["kind"].string ?? "" }
    package var apiVersion: String { json["apiVersion"].string ?? "" }
}

/// Input that cannot be used: file, line, and what is wrong with it.
package struct ManifestError: Error, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let message: String
    package var description: String { "\(file):\(line): \(message)" }

    package init(file: String, line: Int, message: String) {
        self.file = file
        self.line = line
        self.message = message
    }
}

extension Manifest {
    /// Every document of a YAML (or JSON) text. Empty documents are passed over; a `v1 List` is taken apart.
    package static func read(_ text: String, file: String) throws -> [Manifest] {
        var documents: [Manifest] = []
        do {
            var nodes = try Yams.compose_all(yaml: text, .basic)
            while let node = nodes.next() {
                var reader = NodeReader(file: file)
                let json = try reader.json(node, path: "")
                if json.isNull { continue }
                let line = node.mark?.line ?? 1
                guard json.object != nil else { throw ManifestError(file: file, line: line, message: "a document must be a mapping with apiVersion and kind") }
                if json["kind"].string == "List" {
                    for (index, item) in json["items"].items.enumerated() {
                        let prefix = "items[\(index)]"
                        let inner = reader.lines.filter { $0.key.hasPrefix(prefix + ".") }.map { (String($0.key.dropFirst(prefix.count + 1)), $0.value) }
                        documents.append(
                            Manifest(json: item, file: file, line: reader.lines[prefix] ?? line, lines: Dictionary(inner) { first, _ in first }))
                    }
                    continue
                }
                documents.append(Manifest(json: json, file: file, line: line, lines: reader.lines))
            }
            // The sequence ends at an error and keeps it.
            if let error = nodes.error { throw error }
        } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
            let key = keys.first ?? ""
            throw ManifestError(file: file, line: secondLine(of: key, in: text, after: context.mark), message: "key \"\(key)\" already set in map")
        } catch let error as YamlError {
            throw ManifestError(file: file, line: error.line, message: error.words)
        }
        for document in documents {
            for field in ["apiVersion", "kind"] where document.json[field].string?.isEmpty ?? true {
                throw ManifestError(file: file, line: document.line, message: "\(field) not set")
            }
        }
        return documents
    }
}

extension Manifest {
    /// Where a key is written again: the parser tells the first place only.
    private static func secondLine(of key: String, in text: String, after mark: Mark) -> Int {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated().dropFirst(mark.line) {
            let start = line.drop { $0 == " " || $0 == "-" || $0 == "{" }
            if start.hasPrefix("\(key):") || start.hasPrefix("\"\(key)\":") { return index + 1 }
        }
        return mark.line
    }
}

private struct NodeReader {
    let file: String
    var lines: [String: Int] = [:]
    var depth = 0

    mutating func json(_ node: Yams.Node, path: String) throws -> JSON {
        let line = node.mark?.line ?? 1
        if !path.isEmpty, lines[path] == nil { lines[path] = line }
        depth += 1
        defer { depth -= 1 }
        guard depth < 256 else { throw ManifestError(file: file, line: line, message: "nested too deeply") }
        switch node {
        case .scalar(let scalar): return value(scalar)
        case .sequence(let sequence):
            return .array(try sequence.enumerated().map { try json($1, path: "\(path)[\($0)]") })
        case .mapping(let mapping):
            var object = JSONObject()
            for (keyNode, member) in mapping {
                guard case .scalar(let scalar) = keyNode else {
                    throw ManifestError(file: file, line: keyNode.mark?.line ?? line, message: "a key must be a plain word")
                }
                let key = scalar.string
                let here = path.isEmpty ? key : "\(path).\(key)"
                let keyLine = keyNode.mark?.line ?? line
                guard object[key] == nil else {
                    throw ManifestError(file: file, line: keyLine, message: "key \"\(key)\" already set in map (field \(here))")
                }
                if lines[here] == nil { lines[here] = keyLine }
                let value = try json(member, path: here)
                // JSON null is a value to an API; an empty YAML value means the field is not there.
                if !value.isNull { object[key] = value }
            }
            return .object(object)
        case .alias:
            throw ManifestError(file: file, line: line, message: "an alias to an unknown anchor")
        }
    }

    /// Scalars as YAML 1.1 in Kubernetes' dialect reads them: quoted is text, plain is what it looks like.
    private func value(_ scalar: Yams.Node.Scalar) -> JSON {
        let text = scalar.string
        guard scalar.style == .plain || scalar.style == .any else { return .string(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
        default: break
        }
        if let value = Int(text), text.first != "+", !(text.count > 1 && text.first == "0") { return .int(value) }
        let isNumeric = text.first.map { $0.isNumber || $0 == "-" || $0 == "." } ?? false
        if isNumeric, text.contains(where: { $0 == "." || $0 == "e" || $0 == "E" }), let value = Double(text), value.isFinite { return .double(value) }
        return .string(text)
    }
}

extension YamlError {
    fileprivate var line: Int {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        default: 1
        }
    }

    fileprivate var words: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _): problem
        default: "\(self)"
        }
    }
}

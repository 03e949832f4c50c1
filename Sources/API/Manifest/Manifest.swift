import Model
import YAML

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

    /// What is written below `field`, as paths from there, in no order; also what has no value, which is not in `json`.
    package func written(below field: String) -> [String] {
        lines.keys.filter { $0.hasPrefix("\(field).") }.map { String($0.dropFirst(field.count + 1)) }
    }

    /// The same place in the file, with another object.
    package func with(_ json: JSON) -> Manifest { Manifest(json: json, file: file, line: line, lines: lines) }

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
    package static func read(_ text: String, file: String) throws(ManifestError) -> [Manifest] {
        try read(text, file: file, keepsLines: true)
    }

    /// Without the lines of fields, which nobody asks for: what a client sent is no file.
    static func read(_ text: String, file: String, keepsLines: Bool) throws(ManifestError) -> [Manifest] {
        let found: [YAMLReader.Document]
        do { found = try YAMLReader.documents(text, file: file, keepsLines: keepsLines) } catch {
            throw ManifestError(file: error.file, line: error.line, message: error.message)
        }
        var documents: [Manifest] = []
        for document in found {
            guard document.json.object != nil else {
                throw ManifestError(file: file, line: document.line, message: "a document must be a mapping with apiVersion and kind")
            }
            if document.json["kind"].string == "List" {
                documents += items(document, file)
            } else {
                documents.append(Manifest(json: document.json, file: file, line: document.line, lines: document.lines))
            }
        }
        for document in documents {
            for field in ["apiVersion", "kind"] where document.json[field].string?.isEmpty ?? true {
                throw ManifestError(file: file, line: document.line, message: "\(field) not set")
            }
        }
        return documents
    }

    /// The items of a `v1 List`, each with the lines of its own fields.
    private static func items(_ list: YAMLReader.Document, _ file: String) -> [Manifest] {
        var lines: [Substring: [String: Int]] = [:]
        for (path, line) in list.lines where path.hasPrefix("items[") {
            guard let end = path.firstIndex(of: "]") else { continue }
            let rest = path[path.index(after: end)...]
            if rest.isEmpty || rest.hasPrefix(".") { lines[path[...end], default: [:]][String(rest.dropFirst())] = line }
        }
        return list.json["items"].items.enumerated().map { index, item in
            var own = lines["items[\(index)]"] ?? [:]
            let line = own.removeValue(forKey: "") ?? list.line
            return Manifest(json: item, file: file, line: line, lines: own)
        }
    }
}

import Model

/// A column of `kubectl get`.
package struct Column: Sendable {
    package let name: String
    /// Shown with `-o wide` only.
    package let isWide: Bool
    package let cell: @Sendable (JSON, Timestamp) -> String

    /// As OpenAPI types it.
    package let type: String
    /// A number in a cell, whatever the column's type says.
    var isNumber = false
    /// What is not there is no text, either.
    var omitsEmpty = false

    /// Upstream's columns of some kinds hold numbers and say that they hold text.
    static func number(_ name: String, wide: Bool = false, _ cell: @escaping @Sendable (JSON) -> Int) -> Column {
        var column = Column(name, wide: wide) { object, _ in "\(cell(object))" }
        column.isNumber = true
        return column
    }

    package init(_ name: String, wide: Bool = false, type: String = "string", _ cell: @escaping @Sendable (JSON, Timestamp) -> String) {
        self.name = name
        isWide = wide
        self.type = type
        self.cell = cell
    }

    /// The cell as JSON: a number where the column's type says so.
    func value(_ object: JSON, _ now: Timestamp) -> JSON {
        let text = cell(object, now)
        if omitsEmpty, text.isEmpty { return .null }
        if isNumber { return Int(text).map(JSON.int) ?? .string(text) }
        switch type {
        case "integer": return Int(text).map(JSON.int) ?? (text.isEmpty ? .null : .string(text))
        case "number": return Double(text).map(JSON.double) ?? .string(text)
        case "boolean": return text == "true" ? .bool(true) : text == "false" ? .bool(false) : .string(text)
        default: return .string(text)
        }
    }

    package static let name = Column("Name") { object, _ in object["metadata"]["name"].string ?? "" }
    package static let createdAt = Column("Created At", type: "date") { object, _ in object["metadata"]["creationTimestamp"].string ?? "" }
    package static let age = Column("Age") { object, now in
        guard let created = object["metadata"]["creationTimestamp"].string.flatMap(Timestamp.init) else { return "<unknown>" }
        return humanDuration(seconds: now.seconds - created.seconds)
    }

    /// The first three of a list, and how many more there are, as kubectl shortens.
    static func shortened(_ all: [String]) -> String {
        if all.isEmpty { return "<none>" }
        return all.prefix(3).joined(separator: ",") + (all.count > 3 ? " + \(all.count - 3) more..." : "")
    }

    /// `a=b,c=d`, or `<none>`.
    static func labels(_ labels: JSON) -> String {
        let map = labels.stringMap
        return map.isEmpty ? "<none>" : map.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }
}

/// The simple JSON paths of printer columns and subresources: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.a[0]`.
package struct JSONPath: Sendable {
    private enum Step: Sendable { case member(String), index(Int), all, filter(path: [String], value: String) }
    private let steps: [Step]

    package init(_ text: String) {
        var steps: [Step] = []
        var rest = text[...]
        if rest.hasPrefix("$") { rest = rest.dropFirst() }
        while let first = rest.first {
            if first == "[" {
                guard let end = rest.firstIndex(of: "]") else { break }
                let inner = rest[rest.index(after: rest.startIndex)..<end]
                rest = rest[rest.index(after: end)...]
                if let index = Int(inner) {
                    steps.append(.index(index))
                } else if inner == "*" {
                    steps.append(.all)
                } else if inner.hasPrefix("?("), let equals = inner.firstRange(of: "==") {
                    let path = inner[..<equals.lowerBound].dropFirst(2).trimmed.split(separator: ".").map(String.init).filter { $0 != "@" }
                    steps.append(
                        .filter(
                            path: path, value: String(inner[equals.upperBound...].dropLast().trimmed.filter { $0 != "\"" && $0 != "'" })))
                } else {
                    steps.append(.member(inner.filter { $0 != "'" && $0 != "\"" }))
                }
                continue
            }
            if first == "." { rest = rest.dropFirst() }
            var name = ""
            while let character = rest.first, character != ".", character != "[" {
                rest = rest.dropFirst()
                if character == "\\", let next = rest.first {
                    name.append(next)
                    rest = rest.dropFirst()
                } else {
                    name.append(character)
                }
            }
            if !name.isEmpty { steps.append(.member(name)) }
        }
        self.steps = steps
    }

    package func all(in document: JSON) -> [JSON] {
        steps.reduce([document]) { found, step in
            found.flatMap { value -> [JSON] in
                switch step {
                case .member(let name): return value[name].isNull ? [] : [value[name]]
                case .index(let index): return value[index].isNull ? [] : [value[index]]
                case .all: return value.items
                case .filter(let path, let wanted):
                    return value.items.filter { item in
                        let member = path.reduce(item) { $0[$1] }
                        return (member.string ?? member.text()) == wanted
                    }
                }
            }
        }
    }

    package func first(in document: JSON) -> JSON { all(in: document).first ?? .null }

    /// The members on the way, whatever chooses elements between them.
    package var fields: [String] {
        steps.compactMap { if case .member(let name) = $0 { name } else { nil } }
    }

    /// The members on the way, when the path is nothing but members.
    package var members: [String]? {
        var names: [String] = []
        for step in steps {
            guard case .member(let name) = step else { return nil }
            names.append(name)
        }
        return names
    }
}

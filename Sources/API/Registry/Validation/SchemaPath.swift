import Model

/// A way from a schema to one of its members: `.spec.color`, `.spec['a.b']`.
struct SchemaPath {
    let names: [String]

    /// nil: it is none.
    init?(_ text: String) {
        var rest = text[...], names: [String] = []
        while let first = rest.first {
            rest.removeFirst()
            if first == "." {
                let name = rest.prefix { $0 != "." && $0 != "[" }
                guard !name.isEmpty else { return nil }
                names.append(String(name))
                rest = rest.dropFirst(name.count)
            } else if first == "[", rest.first == "'", let end = rest.dropFirst().firstIndex(of: "'") {
                names.append(String(rest[rest.index(after: rest.startIndex)..<end]))
                rest = rest[rest.index(after: end)...]
                guard rest.popFirst() == "]" else { return nil }
            } else {
                return nil
            }
        }
        guard !names.isEmpty else { return nil }
        self.names = names
    }

    /// The schema of what it leads to; nil: `schema` has no such member.
    func leads(into schema: JSON) -> JSON? {
        var place = schema
        for name in names {
            let property = place["properties"][name]
            place = property.isNull ? place["additionalProperties"] : property
            guard place.object != nil else { return nil }
        }
        return place
    }
}

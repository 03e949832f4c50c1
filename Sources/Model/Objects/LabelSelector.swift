/// One requirement on labels: `key op values`.
package struct LabelRequirement: Hashable, Sendable, CustomStringConvertible {
    package enum Operator: String, Hashable, Sendable {
        case `in` = "In", notIn = "NotIn", exists = "Exists", doesNotExist = "DoesNotExist"
    }
    package let key: String
    package let op: Operator
    package let values: [String]

    package init(key: String, op: Operator, values: [String]) {
        self.key = key
        self.op = op
        self.values = values
    }

    /// As kubectl writes it: `app=web`, `tier in (a,b)`, `!debug`.
    package var description: String {
        switch op {
        case .in where values.count == 1: "\(key)=\(values[0])"
        case .in: "\(key) in (\(values.joined(separator: ",")))"
        case .notIn: "\(key) notin (\(values.joined(separator: ",")))"
        case .exists: key
        case .doesNotExist: "!\(key)"
        }
    }

    package func matches(_ labels: [String: String]) -> Bool { matches(value: labels[key]) }

    fileprivate func matches(value: String?) -> Bool {
        switch op {
        case .in: value.map(values.contains) ?? false
        case .notIn: value.map { !values.contains($0) } ?? true
        case .exists: value != nil
        case .doesNotExist: value == nil
        }
    }
}

/// A metav1.LabelSelector: every requirement must hold; no requirement selects everything.
package struct LabelSelector: Hashable, Sendable {
    package var requirements: [LabelRequirement]

    package init(requirements: [LabelRequirement]) { self.requirements = requirements }

    package init(matching labels: [String: String]) {
        requirements = labels.sorted { $0.key < $1.key }.map { LabelRequirement(key: $0.key, op: .in, values: [$0.value]) }
    }

    /// Reads `{matchLabels, matchExpressions}`. An expression with an unknown operator selects nothing.
    package init(_ json: JSON) {
        self.init(matching: json["matchLabels"].stringMap)
        for expression in json["matchExpressions"].items {
            let op = expression["operator"].string.flatMap(LabelRequirement.Operator.init)
            requirements.append(
                LabelRequirement(
                    key: expression["key"].string ?? "", op: op ?? .in,
                    values: op == nil ? [] : expression["values"].items.compactMap(\.string)))
        }
    }

    /// Reads what `-l` takes: `a=b,c!=d,e in (f,g),!h`. Throws a message that names the bad part.
    package init(parsing text: String) throws(SelectorError) {
        requirements = []
        var depth = 0
        let parts = text.split(omittingEmptySubsequences: true) { character in
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            return character == "," && depth == 0
        }
        for part in parts { requirements.append(try Self.requirement(part.trimmed)) }
    }

    private static func requirement(_ part: String) throws(SelectorError) -> LabelRequirement {
        let parsed = try unchecked(part)
        guard !parsed.key.isEmpty else { throw SelectorError(part: part) }
        return parsed
    }

    private static func unchecked(_ part: String) throws(SelectorError) -> LabelRequirement {
        for (separator, op) in [("!=", LabelRequirement.Operator.notIn), ("==", .in), ("=", .in)] {
            if let range = part.firstRange(of: separator) {
                return LabelRequirement(
                    key: part[..<range.lowerBound].trimmed, op: op, values: [part[range.upperBound...].trimmed])
            }
        }
        for (word, op) in [(" notin ", LabelRequirement.Operator.notIn), (" in ", .in)] {
            guard let range = part.firstRange(of: word) else { continue }
            let list = part[range.upperBound...].trimmed
            guard list.hasPrefix("("), list.hasSuffix(")") else { throw SelectorError(part: part) }
            let values = list.dropFirst().dropLast().split(separator: ",").map { $0.trimmed }
            return LabelRequirement(key: part[..<range.lowerBound].trimmed, op: op, values: values)
        }
        if part.hasPrefix("!") { return LabelRequirement(key: part.dropFirst().trimmed, op: .doesNotExist, values: []) }
        guard !part.isEmpty, !part.contains(" ") else { throw SelectorError(part: part) }
        return LabelRequirement(key: part, op: .exists, values: [])
    }

    package func matches(_ labels: [String: String]) -> Bool { requirements.allSatisfy { $0.matches(labels) } }

    /// The same of `metadata` as it stands in an object.
    package func matches(_ metadata: ObjectMeta) -> Bool {
        requirements.allSatisfy { $0.matches(value: metadata.json["labels"][$0.key].string) }
    }
}

package struct SelectorError: Error, CustomStringConvertible {
    package let part: String
    package var description: String { "unable to parse requirement: found '\(part)', expected: =, !=, ==, in, notin" }
}

extension StringProtocol {
    /// Without the white space at both ends.
    package var trimmed: String {
        var slice = self[...]
        while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
        while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
        return String(slice)
    }
}

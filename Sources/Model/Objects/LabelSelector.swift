/// One requirement on labels: `key op values`.
package struct LabelRequirement: Hashable, Sendable, CustomStringConvertible {
    package enum Operator: String, Hashable, Sendable {
        case `in` = "In", notIn = "NotIn", exists = "Exists", doesNotExist = "DoesNotExist"
        /// Of whole numbers; in texts only, an object's selector has neither.
        case greaterThan = "Gt", lessThan = "Lt"
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
        case .in: "\(key) in (\(values.sorted().joined(separator: ",")))"
        case .notIn: "\(key) notin (\(values.sorted().joined(separator: ",")))"
        case .exists: key
        case .doesNotExist: "!\(key)"
        case .greaterThan: "\(key)>\(values.first ?? "")"
        case .lessThan: "\(key)<\(values.first ?? "")"
        }
    }

    package func matches(_ labels: [String: String]) -> Bool { matches(value: labels[key]) }

    fileprivate func matches(value: String?) -> Bool {
        switch op {
        case .in: value.map(values.contains) ?? false
        case .notIn: value.map { !values.contains($0) } ?? true
        case .exists: value != nil
        case .doesNotExist: value == nil
        case .greaterThan: compares(value, by: >)
        case .lessThan: compares(value, by: <)
        }
    }

    private func compares(_ value: String?, by holds: (Int, Int) -> Bool) -> Bool {
        guard let number = value.flatMap({ Int($0) }), let bound = values.first.flatMap({ Int($0) }) else { return false }
        return holds(number, bound)
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
                .flatMap { [.greaterThan, .lessThan].contains($0) ? nil : $0 }
            requirements.append(
                LabelRequirement(
                    key: expression["key"].string ?? "", op: op ?? .in,
                    values: op == nil ? [] : expression["values"].items.compactMap(\.string)))
        }
    }

    package func matches(_ labels: [String: String]) -> Bool { requirements.allSatisfy { $0.matches(labels) } }

    /// The same of `metadata` as it stands in an object.
    package func matches(_ metadata: ObjectMeta) -> Bool {
        requirements.allSatisfy { $0.matches(value: metadata.json["labels"][$0.key].string) }
    }
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

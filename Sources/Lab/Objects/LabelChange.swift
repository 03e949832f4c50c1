import Model

/// What `minik label` is asked to do to an object's labels: KEY=VALUE sets, KEY- removes.
package struct LabelChange {
    private let words: [String]

    /// The words of `arguments` that are changes, and the others, which name objects.
    package static func split(_ arguments: [String]) -> (change: LabelChange, objects: [String]) {
        let isChange = { (text: String) in text.contains("=") || text.hasSuffix("-") }
        return (LabelChange(words: arguments.filter(isChange)), arguments.filter { !isChange($0) })
    }

    package var isEmpty: Bool { words.isEmpty }

    /// The merge patch of an object that has the labels `old`; one that is there changes only with `overwrite`.
    package func patch(of old: [String: String], overwrite: Bool) throws -> JSON {
        var labels = JSONObject()
        for word in words {
            if word.hasSuffix("-") {
                labels[String(word.dropLast())] = .null
                continue
            }
            let sides = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if let value = old[sides[0]], value != sides[1], !overwrite {
                throw UserError("error: '\(sides[0])' already has a value (\(value)), and --overwrite is false")
            }
            labels[sides[0]] = .string(sides[1])
        }
        return .object(Self.nested("metadata", Self.nested("labels", labels)))
    }

    /// What is said of an object whose labels went from `old` to `new`.
    package func outcome(from old: [String: String], to new: [String: String]) -> String {
        if new == old { return "not labeled" }
        return words.allSatisfy { $0.hasSuffix("-") } ? "unlabeled" : "labeled"
    }

    /// `{key: object}`, nulls kept: they are what removes.
    private static func nested(_ key: String, _ object: JSONObject) -> JSONObject {
        var outer = JSONObject()
        outer[key] = .object(object)
        return outer
    }
}

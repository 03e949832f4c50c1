import Model

/// Which indexes have to succeed for an Indexed Job to have succeeded. (KEP-3998)
struct SuccessPolicy {
    private let rules: [JSON]

    /// Nil where a job has none.
    init?(_ json: JSON) {
        guard !json.isNull else { return nil }
        rules = json["rules"].items
    }

    /// The message of the condition SuccessCriteriaMet, once a rule is met.
    func match(_ succeeded: CompletionIndexes, completions: Int) -> String? {
        guard !succeeded.isEmpty, let index = rules.firstIndex(where: { Self.isMet($0, succeeded, completions) }) else { return nil }
        return "Matched rules at index \(index)"
    }

    private static func isMet(_ rule: JSON, _ succeeded: CompletionIndexes, _ completions: Int) -> Bool {
        let count = rule["succeededCount"].int
        guard let text = rule["succeededIndexes"].string else { return count.map { succeeded.count >= $0 } ?? false }
        let required = CompletionIndexes(text, completions: completions)
        let met = required.intersection(succeeded).count
        return !required.isEmpty && met >= min(count ?? required.count, required.count)
    }
}

import Model

/// Where two networks differ, as diff(1) tells it: what only the first has, what only the second has.
package struct FactsDifference: Sendable {
    package struct Change: Sendable, Hashable {
        package let subject: String
        package let removed: [String]
        package let added: [String]
    }

    package let titles: (String, String)
    /// Subjects that do not differ are not among them.
    package let changes: [Change]

    package init(_ first: NetworkFacts, _ second: NetworkFacts) {
        titles = (first.title, second.title)
        let names = first.subjects.map(\.name) + second.subjects.map(\.name).filter { name in !first.subjects.contains { $0.name == name } }
        changes = names.compactMap { name in
            let before = first.subjects.first { $0.name == name }?.lines ?? [],
                after = second.subjects.first { $0.name == name }?.lines ?? []
            let removed = before.filter { !after.contains($0) }, added = after.filter { !before.contains($0) }
            return removed.isEmpty && added.isEmpty ? nil : Change(subject: name, removed: removed, added: added)
        }
    }

    package var text: String {
        if changes.isEmpty { return "\(titles.0) and \(titles.1): no difference\n" }
        var lines = ["--- \(titles.0)", "+++ \(titles.1)"]
        for change in changes { lines += ["@@ \(change.subject)"] + change.removed.map { "-\($0)" } + change.added.map { "+\($0)" } }
        return lines.joined(separator: "\n") + "\n"
    }

    package var json: JSON {
        [
            "apiVersion": "minik.dev/v1", "kind": "PluginDifference", "plugins": [.string(titles.0), .string(titles.1)],
            "changes": .array(
                changes.map { change in
                    [
                        "subject": .string(change.subject), "removed": .array(change.removed.map(JSON.string)),
                        "added": .array(change.added.map(JSON.string)),
                    ]
                }),
        ]
    }
}

import Rules

/// How a table of the kernel differs from what it should hold, in words for an event.
package struct TableDifference: Sendable, Hashable, CustomStringConvertible {
    package let table: TableID
    /// "was missing", or what in it was: "chain forward was missing, rules of chain ingress were different".
    package let description: String

    /// nil when nothing differs. Both in the form of `Ruleset.asKept`; a ruleset that is nil is a table that is not there.
    package init?(table: TableID, found: Ruleset?, wanted: Ruleset?) {
        self.table = table
        switch (found, wanted) {
        case (nil, nil): return nil
        case (nil, _?): description = "table \(table) was missing"
        case (_?, nil): description = "table \(table) was there and should not be"
        case (let found?, let wanted?):
            let words = Self.words(found, wanted)
            if words.isEmpty { return nil }
            description = "table \(table): " + words.joined(separator: ", ")
        }
    }

    private static func words(_ found: Ruleset, _ wanted: Ruleset) -> [String] {
        func names(_ noun: String, _ names: [String], _ state: String) -> [String] {
            let shown = 3
            guard let first = names.sorted().prefix(shown).first else { return [] }
            if names.count == 1 { return ["\(noun) \(first) was \(state)"] }
            let more = names.count > shown ? " and \(names.count - shown) more" : ""
            return ["\(noun)s \(names.sorted().prefix(shown).joined(separator: ", "))\(more) were \(state)"]
        }
        func elements(_ count: Int, _ state: String) -> [String] {
            count == 0 ? [] : ["\(count) element\(count == 1 ? " was" : "s were") \(state)"]
        }
        let hooksDiffer = wanted.chains.filter { name, chain in found.chains[name].map { $0.hook != chain.hook } ?? false }.map(\.key)
        let rulesDiffer = wanted.chains.filter { name, chain in
            found.chains[name].map { $0.hook == chain.hook && $0.rules != chain.rules } ?? false
        }
        let typesDiffer = wanted.sets.filter { name, set in found.sets[name].map { !$0.hasType(of: set) } ?? false }.map(\.key)
        var missing = 0, strange = 0
        for (set, members) in wanted.elements { missing += members.count { found.elements[set]?[$0.key] != $0.value } }
        for (set, members) in found.elements { strange += members.count { wanted.elements[set]?[$0.key] == nil } }
        return names("chain", wanted.chains.keys.filter { found.chains[$0] == nil }, "missing")
            + names("set", wanted.sets.keys.filter { found.sets[$0] == nil }, "missing")
            + names("chain", hooksDiffer, "hooked elsewhere") + names("chain", rulesDiffer.map(\.key), "changed")
            + names("set", typesDiffer, "of another type") + elements(missing, "missing")
            + names("chain", found.chains.keys.filter { wanted.chains[$0] == nil }, "foreign")
            + names("set", found.sets.keys.filter { wanted.sets[$0] == nil }, "foreign") + elements(strange, "foreign")
    }
}

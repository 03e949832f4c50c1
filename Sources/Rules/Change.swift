import Model

/// One command of a transaction: verb and object.
package enum Change: Hashable, Sendable {
    case addTable
    /// A table that the kernel deletes when the socket that made it is closed, be it by a process's death. (Linux 5.12)
    case addOwnedTable
    case deleteTable
    case addChain(String, Hook?)
    case flushChain(String)
    case deleteChain(String)
    case addRule(chain: String, Rule)
    case addSet(String, NamedSet)
    case deleteSet(String, NamedSet)
    case addElement(set: String, NamedSet, [Value], ElementData)
    case deleteElement(set: String, NamedSet, [Value], ElementData)

    /// The command as nft(8) reads it.
    package func text(table: TableID) -> String {
        switch self {
        case .addTable: "add table \(table)"
        case .addOwnedTable: "add table \(table) { flags owner; }"
        case .deleteTable: "delete table \(table)"
        case .addChain(let name, let hook): "add chain \(table) \(name)" + (hook.map { " { \($0.text) }" } ?? "")
        case .flushChain(let name): "flush chain \(table) \(name)"
        case .deleteChain(let name): "delete chain \(table) \(name)"
        case .addRule(let chain, let rule): "add rule \(table) \(chain) \(rule.text)"
        case .addSet(let name, let set): "add \(Change.noun(set)) \(table) \(name) { \(set.text) }"
        case .deleteSet(let name, let set): "delete \(Change.noun(set)) \(table) \(name)"
        case .addElement(let name, _, let key, let data):
            "add element \(table) \(name) { \(Ruleset.elementText(key, data)) }"
        case .deleteElement(let name, _, let key, let data):
            "delete element \(table) \(name) { \(Ruleset.elementText(key, ElementData(verdict: data.verdict, data: data.data))) }"
        }
    }

    private static func noun(_ set: NamedSet) -> String { set.isMap ? "map" : "set" }
}

extension Ruleset {
    /// The transaction that turns `old` into `new`; empty when nothing differs.
    ///
    /// The order keeps every reference valid at every step: what is new is declared before anything names it, what goes
    /// is deleted after the last that named it. A chain whose rules differ is flushed and filled again, so that no rule
    /// handle has to be remembered; inside a transaction nobody sees it empty. `declared` are sets of the table that
    /// `old` and `new` put elements into without declaring them, as a part of a table does. `patches` are what else changes: how it was,
    /// and how it will be, of the same names.
    package static func diff(
        _ old: Ruleset, _ new: Ruleset, patches: [(before: RulesetPatch, after: RulesetPatch)] = [], declared: [String: NamedSet] = [:]
    ) -> [Change] {
        var changes: [Change] = [], old = old, new = new
        var gone: [String: Elements] = [:], come: [String: Elements] = [:]
        for (name, members) in old.elements { gone[name] = Self.elements(members, notIn: new.elements[name]) }
        for (name, members) in new.elements { come[name] = Self.elements(members, notIn: old.elements[name]) }
        for (before, after) in patches {
            old.takeFrame(of: before)
            new.takeFrame(of: after)
            for (name, members) in after.elements {
                Self.compare(before.elements[name] ?? [:], members, &gone[name, default: []], &come[name, default: []])
            }
        }
        func definition(_ name: String) -> NamedSet? { new.sets[name] ?? old.sets[name] ?? declared[name] }

        for (name, set) in new.sets.sorted(by: { $0.key < $1.key }) {
            guard let before = old.sets[name] else {
                changes.append(.addSet(name, set))
                continue
            }
            precondition(before.hasType(of: set), "a named set keeps its type for life: \(name)")
        }

        let chains = new.chains.sorted { $0.key < $1.key }
        for (name, chain) in chains where old.chains[name] == nil { changes.append(.addChain(name, chain.hook)) }
        let removed = old.chains.keys.filter { new.chains[$0] == nil }.sorted()
        for name in removed { changes.append(.flushChain(name)) }
        for (name, chain) in chains {
            if let before = old.chains[name] {
                if before.rules == chain.rules { continue }
                changes.append(.flushChain(name))
            }
            changes += chain.rules.map { .addRule(chain: name, $0) }
        }

        for (name, members) in gone.sorted(by: { $0.key < $1.key }) {
            guard let set = definition(name) else { continue }
            for (key, data) in Self.ordered(members) { changes.append(.deleteElement(set: name, set, key, data)) }
        }
        for (name, members) in come.sorted(by: { $0.key < $1.key }) {
            guard let set = definition(name) else { continue }
            for (key, data) in Self.ordered(members) { changes.append(.addElement(set: name, set, key, data)) }
        }
        for name in removed { changes.append(.deleteChain(name)) }
        for (name, set) in old.sets.sorted(by: { $0.key < $1.key }) where new.sets[name] == nil {
            changes.append(.deleteSet(name, set))
        }
        return changes
    }

    private typealias Elements = [(key: [Value], value: ElementData)]

    private static func elements(_ members: [[Value]: ElementData], notIn others: [[Value]: ElementData]?) -> Elements {
        guard let others else { return Array(members) }
        return members.filter { others[$0.key] != $0.value }.map { $0 }
    }

    private static func compare(
        _ before: [[Value]: ElementData?], _ after: [[Value]: ElementData?], _ gone: inout Elements, _ come: inout Elements
    ) {
        for (key, data) in after {
            let was = before[key] ?? nil
            if was == data { continue }
            if let was { gone.append((key, was)) }
            if let data { come.append((key, data)) }
        }
    }

    /// In order, so that people can read it, where they would: more than they read costs more to bring into order than to send.
    private static func ordered(_ members: Elements) -> Elements {
        members.count < 2 || members.count > 100 ? members : members.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    /// Takes in a patch's chains and sets, as far as they are there.
    private mutating func takeFrame(of patch: RulesetPatch) {
        for (name, chain) in patch.chains { if let chain { chains[name] = chain } }
        for (name, set) in patch.sets { if let set { sets[name] = set } }
    }
}

/// Somewhere tables can be changed: a kernel, or a test's memory.
package protocol RulesetTarget: Sendable {
    /// Applies all of the changes to `table`, or none of them.
    func apply(_ changes: [Change], table: TableID) async throws
    /// The table as it stands, in the form of `Ruleset.asKept`; nil when there is none.
    func read(_ table: TableID) async throws -> Ruleset?
}

/// Some of what a ruleset holds, as it should be from now on: nil for what goes. What it does not name stays.
package struct RulesetPatch: Hashable, Sendable {
    package var chains: [String: Chain?] = [:]
    package var sets: [String: NamedSet?] = [:]
    package var elements: [String: [[Value]: ElementData?]] = [:]

    package init() {}

    package var isEmpty: Bool { chains.isEmpty && sets.isEmpty && elements.isEmpty }

    /// Names what `other` names, too. Where both name the same, `keepsOwn` says whose word counts.
    package mutating func merge(_ other: RulesetPatch, keepsOwn: Bool) {
        chains.merge(other.chains) { keepsOwn ? $0 : $1 }
        sets.merge(other.sets) { keepsOwn ? $0 : $1 }
        for (set, members) in other.elements { elements[set, default: [:]].merge(members) { keepsOwn ? $0 : $1 } }
    }
}

extension Ruleset {
    /// Takes a patch in, and gives the patch that takes it back. What it says costs, however much is here.
    @discardableResult
    package mutating func apply(_ patch: RulesetPatch) -> RulesetPatch {
        var before = RulesetPatch()
        for (name, chain) in patch.chains {
            before.chains.updateValue(chains[name], forKey: name)
            chains[name] = chain
        }
        for (name, set) in patch.sets {
            before.sets.updateValue(sets[name], forKey: name)
            sets[name] = set
        }
        for (set, members) in patch.elements {
            // Most that comes is new: nothing was there.
            var found = members.mapValues { _ in ElementData?.none }
            var here = elements.removeValue(forKey: set) ?? [:]
            for (key, data) in members {
                let was: ElementData?
                if let data { was = here.updateValue(data, forKey: key) } else { was = here.removeValue(forKey: key) }
                if let was { found.updateValue(was, forKey: key) }
            }
            if !here.isEmpty { elements[set] = here }
            before.elements[set] = found
        }
        return before
    }
}

/// What becomes of a part of a table.
package enum PartChange: Hashable, Sendable {
    case whole(Ruleset)
    case patch(RulesetPatch)
}

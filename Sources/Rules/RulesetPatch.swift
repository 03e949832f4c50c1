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

    /// What stays, as a ruleset.
    package var ruleset: Ruleset {
        var rules = Ruleset()
        rules.chains = chains.compactMapValues { $0 }
        rules.sets = sets.compactMapValues { $0 }
        for (set, members) in elements {
            let kept = members.compactMapValues { $0 }
            if !kept.isEmpty { rules.elements[set] = kept }
        }
        return rules
    }
}

extension Ruleset {
    /// Takes a patch in. What it says costs, however much is here.
    package mutating func apply(_ patch: RulesetPatch) {
        for (name, chain) in patch.chains { chains[name] = chain }
        for (name, set) in patch.sets { sets[name] = set }
        for (set, members) in patch.elements {
            for (key, data) in members { elements[set, default: [:]][key] = data }
            if elements[set]?.isEmpty ?? false { elements[set] = nil }
        }
    }

    /// How what `patch` names stands here: the patch that takes it back.
    package func current(of patch: RulesetPatch) -> RulesetPatch {
        var current = RulesetPatch()
        for name in patch.chains.keys { current.chains.updateValue(chains[name], forKey: name) }
        for name in patch.sets.keys { current.sets.updateValue(sets[name], forKey: name) }
        for (set, members) in patch.elements {
            let here = elements[set]
            var found = [[Value]: ElementData?](minimumCapacity: members.count)
            for key in members.keys { found.updateValue(here?[key], forKey: key) }
            current.elements[set] = found
        }
        return current
    }
}

/// What becomes of a part of a table.
package enum PartChange: Hashable, Sendable {
    case whole(Ruleset)
    case patch(RulesetPatch)
}

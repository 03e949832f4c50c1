import Model

/// Where in the kernel a base chain is attached.
package struct Hook: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case filter, nat }
    package enum Point: String, Hashable, Sendable, CaseIterable { case prerouting, input, forward, output, postrouting }
    package let kind: Kind
    package let point: Point
    package let priority: Int

    package init(_ kind: Kind, _ point: Point, _ priority: Int) {
        self.kind = kind
        self.point = point
        self.priority = priority
    }

    /// The kernel's named priorities (nft(8), "Standard priority names").
    package static let destinationNAT = -100
    package static let filter = 0
    package static let sourceNAT = 100
    /// Before everything else that looks at a bridge's frames, br_netfilter included (NF_BR_PRI_NAT_DST_BRIDGED).
    package static let bridgeFirst = -300

    package var text: String { "type \(kind.rawValue) hook \(point.rawValue) priority \(priority); policy accept;" }
}

package struct Chain: Hashable, Sendable {
    /// nil for a chain that is only jumped to.
    package var hook: Hook?
    package var rules: [Rule]

    package init(hook: Hook? = nil, _ rules: [Rule] = []) {
        self.hook = hook
        self.rules = rules
    }
}

/// A named set, a map to verdicts, or a map to data.
package struct NamedSet: Hashable, Sendable {
    /// How many slots a map's keys may tell apart, in words for people: the number is in the map's type and binds nobody.
    package static let slots = 65536

    package var key: [FieldType]
    package var isVerdictMap: Bool
    /// What a map leads to; empty for what is no map to data.
    package var data: [FieldType]
    /// Elements are ranges or networks.
    package var isInterval: Bool
    /// Seconds after which the kernel drops an element that rules added (`flags dynamic,timeout`).
    package var timeout: Int?
    package var comment: String?

    package init(
        key: [FieldType], data: [FieldType] = [], isVerdictMap: Bool = false, isInterval: Bool = false, timeout: Int? = nil,
        comment: String? = nil
    ) {
        self.key = key
        self.data = data
        self.isVerdictMap = isVerdictMap
        self.isInterval = isInterval
        self.timeout = timeout
        self.comment = comment
    }

    /// True when elements and rules made for `other` fit this one too.
    package func hasType(of other: NamedSet) -> Bool {
        key == other.key && data == other.data && isVerdictMap == other.isVerdictMap && isInterval == other.isInterval
            && timeout == other.timeout
    }

    package var isMap: Bool { isVerdictMap || !data.isEmpty }

    package var text: String {
        func list(_ types: [FieldType]) -> String {
            types.map { key.contains(.slot) ? Field.typeof($0) : $0.text }.joined(separator: " . ")
        }
        let leadsTo = isVerdictMap ? " : verdict" : data.isEmpty ? "" : " : \(list(data))"
        var parts = ["\(key.contains(.slot) ? "typeof" : "type") \(list(key))\(leadsTo);"]
        if isInterval { parts.append("flags interval;") }
        if let timeout { parts.append("size 65535; flags dynamic,timeout; timeout \(timeout)s;") }
        if let comment { parts.append("comment \"\(comment)\";") }
        return parts.joined(separator: " ")
    }
}

/// What an element holds beside its key.
package struct ElementData: Hashable, Sendable {
    package var verdict: Verdict?
    /// Where a map to data leads.
    package var data: [Value]?
    package var comment: String?

    package init(verdict: Verdict? = nil, data: [Value]? = nil, comment: String? = nil) {
        self.verdict = verdict
        self.data = data
        self.comment = comment
    }
}

/// Everything one nftables table holds, or a part of it that is compiled on its own.
package struct Ruleset: Hashable, Sendable {
    package var chains: [String: Chain] = [:]
    package var sets: [String: NamedSet] = [:]
    package var elements: [String: [[Value]: ElementData]] = [:]

    package init() {}

    package mutating func add(_ key: [Value], _ data: ElementData = ElementData(), to set: String) {
        elements[set, default: [:]][key] = data
    }

    /// This and `other` together. Both may add elements to one set; a chain belongs to one of them.
    package mutating func merge(_ other: Ruleset) {
        chains.merge(other.chains) { _, new in new }
        sets.merge(other.sets) { _, new in new }
        for (set, added) in other.elements {
            if elements[set] == nil { elements[set] = added } else { elements[set, default: [:]].merge(added) { _, new in new } }
        }
    }

    /// The ruleset in the form in which the kernel gives it back: keys in canonical form, comments cut to what it keeps.
    package var asKept: Ruleset {
        var kept = self
        for (name, chain) in chains {
            kept.chains[name]?.rules = chain.rules.map { rule in
                Rule(rule.statements, comment: rule.comment.map(Ruleset.keptComment))
            }
        }
        for (name, set) in sets { kept.sets[name]?.comment = set.comment.map(Ruleset.keptComment) }
        for (name, members) in elements {
            kept.elements[name] = Dictionary(
                members.map { key, data in
                    var data = data
                    data.comment = data.comment.map(Ruleset.keptComment)
                    return (key.map(\.canonical), data)
                }, uniquingKeysWith: { $1 })
        }
        return kept
    }

    /// The kernel keeps 128 bytes of a comment, its end included.
    package static func keptComment(_ comment: String) -> String {
        var kept = Substring(comment)
        while kept.utf8.count > 127 { kept.removeLast() }
        return String(kept)
    }

    /// True when a diff can lead from this to `wanted`: sets of one name have one type, chains of one name one hook.
    package func canBecome(_ wanted: Ruleset) -> Bool {
        wanted.sets.allSatisfy { name, set in sets[name].map { $0.hasType(of: set) } ?? true }
            && wanted.chains.allSatisfy { name, chain in chains[name].map { $0.hook == chain.hook } ?? true }
    }

    package var isEmpty: Bool { chains.isEmpty && sets.isEmpty && elements.isEmpty }

    /// The whole as `nft list table` would print it, sets before chains, by name.
    package func text(table: TableID) -> String {
        var lines = ["table \(table) {"]
        for (name, set) in sets.sorted(by: { $0.key < $1.key }) {
            lines.append("\t\(set.isMap ? "map" : "set") \(name) {")
            lines.append("\t\t\(set.text)")
            if let members = elements[name], !members.isEmpty {
                let texts = members.map { Ruleset.elementText($0, $1) }.sorted()
                lines.append("\t\telements = { " + texts.joined(separator: ",\n\t\t\t     ") + " }")
            }
            lines.append("\t}")
        }
        for (name, chain) in chains.sorted(by: { $0.key < $1.key }) {
            lines.append("\tchain \(name) {")
            if let hook = chain.hook { lines.append("\t\t\(hook.text)") }
            lines += chain.rules.map { "\t\t\($0.text)" }
            lines.append("\t}")
        }
        return (lines + ["}", ""]).joined(separator: "\n")
    }

    static func elementText(_ key: [Value], _ data: ElementData) -> String {
        var text = key.map(\.description).joined(separator: " . ")
        if let comment = data.comment { text += " comment \"\(comment)\"" }
        if let verdict = data.verdict { text += " : \(verdict)" }
        if let data = data.data { text += " : \(data.map(\.description).joined(separator: " . "))" }
        return text
    }
}

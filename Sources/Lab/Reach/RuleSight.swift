import Rules

/// A rule that a packet met in a node's kernel, and what came of it.
package struct RuleSight: Sendable, Hashable {
    package let point: String
    package let table: TableID
    package let chain: String
    package let rule: String
    /// The rule's words, or those of the element that the packet was found in.
    package let reason: String?
    package let verdict: String

    /// What leads on to other rules alone is no decision.
    package var isDecision: Bool { reason != nil || ["accept", "drop"].contains(verdict) }

    /// `prerouting, kube-proxy/services: default/web: ...`
    package var words: String {
        let hook = table.family == .bridge ? "bridge \(point)" : point
        // What a rule leads to stands in its words.
        let isSaid = rule.hasSuffix(verdict) || rule.contains(" dnat ") || rule.contains("snat ")
        return "\(hook), \(table.name)/\(chain): \(reason.map { "\($0): " } ?? "")\(rule)\(isSaid ? "" : " -> \(verdict)")"
    }
}

import Model
import Netlink
import Rules

/// Reads what one node's kernel told of its rules: which events are about one packet, and what they say in the rules' own words.
package struct RuleReading: Sendable {
    let outlines: [TableID: TableOutline]
    /// The table that marks packets, whose rules are none of the story.
    let ownTable: TableID

    package init(outlines: [TableID: TableOutline], ownTable: TableID) { (self.outlines, self.ownTable) = (outlines, ownTable) }

    /// The events of each packet that passed the node; each passage begins with our own rule's. The kernel gives a number that was one
    /// packet's to another, later.
    package func passages(_ events: [TraceEvent]) -> [[TraceEvent]] {
        var open: [UInt32: Int] = [:], passages: [[TraceEvent]] = []
        for event in events {
            if let index = open[event.packet], !begins(event) {
                passages[index].append(event)
            } else {
                open[event.packet] = passages.count
                passages.append([event])
            }
        }
        return passages
    }

    /// Of either family.
    private func isOwn(_ event: TraceEvent) -> Bool { event.table.name == ownTable.name }

    private func begins(_ event: TraceEvent) -> Bool {
        guard isOwn(event), event.datagram != nil else { return false }
        return event.chain == Hook.Point.prerouting.rawValue || event.chain == Hook.Point.output.rawValue && event.ruleHandle != nil
    }

    /// A copy of a packet that a bridge would have handed to a port which it is not for: none of the packet's way.
    package func isFlooded(_ passage: [TraceEvent]) -> Bool {
        passage.allSatisfy { $0.table.family == .bridge } && passage.contains { $0.outputDevice != nil }
            && passage.contains { $0.verdict == "drop" }
    }

    /// The hook that each event belongs to: its base chain's.
    package func points(_ passage: [TraceEvent]) -> [Hook.Point?] {
        var point: Hook.Point?
        return passage.map { event in
            if let base = outlines[event.table]?.points[event.chain] { point = base }
            return point
        }
    }

    /// The rules of strangers' tables too. `element`: the words of the set's element that a packet was found in, given the hook, the event
    /// and the rule's text; nil where there is none.
    package func sights(_ passage: [TraceEvent], element: (Hook.Point?, TraceEvent, String) -> String?) -> [RuleSight] {
        zip(passage, points(passage)).compactMap { event, point in
            if isOwn(event) || event.ruleHandle == nil && event.verdict != "drop" { return nil }
            let rule = event.ruleHandle.flatMap { outlines[event.table]?.rules[$0] }
            // The rule of a stranger's table may be one that only nft(8) can read.
            let unknown = event.ruleHandle.map { "rule # handle \($0)" } ?? "policy drop"
            let words = rule.flatMap { $0.statements.isEmpty ? nil : Rule($0.statements).text }
            return RuleSight(
                point: point?.rawValue ?? "", table: event.table, chain: event.chain, rule: words ?? unknown,
                reason: element(point, event, rule?.text ?? "") ?? rule?.comment, verdict: event.verdict)
        }
    }
}

import Model
import Netlink
import Proxy
import Runtime

/// The answer of `minik trace`, for people.
package struct TraceReport {
    let question: FlowQuestion
    let story: PacketStory

    package init(question: FlowQuestion, story: PacketStory) { (self.question, self.story) = (question, story) }

    /// Whether the packet came to somebody.
    package var isDelivered: Bool {
        switch story.ending {
        case .answered, .refused, .arrived: true
        case .dropped, .lost: false
        }
    }

    /// `DROPPED`, and where and why.
    package var verdict: (word: String, words: String) {
        switch story.ending {
        case .answered(let answer, let after): return ("ANSWERED", "\(answer.text), after \(Self.span(after))")
        case .refused(let answer, let after):
            return ("REFUSED", "\(answer.text)\(answer.quoted == nil ? "" : " from \(answer.source)"), after \(Self.span(after))")
        case .arrived: return ("ARRIVED", "nothing came back")
        case .dropped(let rule, let place):
            return ("DROPPED", "on \(place), \(rule.point), \(rule.table.name)/\(rule.chain): \(rule.reason ?? rule.rule)")
        case .lost(let last):
            guard let last else { return ("LOST", "no namespace saw the packet leave") }
            let place = story.places[last.place]
            let which = last.leg == .there ? "the packet" : "the answer"
            return (
                "LOST",
                "\(which) was last seen \(last.isOutgoing ? "leaving" : "entering") \(place.name) by \(place.device(last.device)); --wait gives it longer"
            )
        }
    }

    package var text: String {
        var lines = ["\(verdict.word)  \(question.sourceName) -> \(question.targetName) \(question.probe)", "  \(verdict.words)"]
        var rows: [[String]] = []
        for step in story.steps where Self.isTold(step) {
            rows.append([step.time.map(Self.microseconds) ?? "", step.leg == .there ? ">" : "<", step.place, words(step)])
        }
        lines += TextTable(header: ["   TIME", "", "WHERE", "WHAT"], rows: rows).lines.map { "  \($0)" }
        return lines.joined(separator: "\n")
    }

    /// Rules that decide nothing are the machines' to read.
    static func isTold(_ step: PacketStory.Step) -> Bool { if case .rule(let rule) = step.event { rule.isDecision } else { true } }

    func words(_ step: PacketStory.Step) -> String {
        switch step.event {
        case .resolved(let answer):
            let said = answer.addresses.map(\.description).joined(separator: ", ")
            let answered = said.isEmpty ? (answer.answer == .silence ? "no answer" : "no address") : said
            return "asks \(answer.server) for \(answer.name): \(answered), after \(Self.span(answer.nanoseconds))"
        case .seen(let sight): return words(sight)
        case .route(let route): return "route: \(route)"
        case .bridged(let bridge): return "from port to port of \(bridge)"
        case .rule(let rule): return rule.words
        case .policy(let explanation): return "\(explanation.direction.rawValue): \(Self.words(explanation))"
        case .tracked(let original, let reply): return "connection: \(original.text), answered \(reply.text)"
        }
    }

    private func words(_ sight: PacketStory.Sight) -> String {
        let place = story.places[sight.place], device = place.device(sight.device)
        let neighbour = place.neighbours[sight.device].map { " (\($0))" } ?? ""
        var words = "\(sight.isOutgoing ? "out" : "in") \(device)\(neighbour): \(sight.datagram.text) ttl \(sight.datagram.hops)"
        if let vni = sight.vni, let outer = sight.frame.datagram { words += " in VXLAN \(vni), \(outer.text) ttl \(outer.hops)" }
        return "\(words), \(sight.frame.source) > \(sight.frame.destination)"
    }

    static func words(_ explanation: PolicyExplanation) -> String {
        let passed = explanation.passes.map { "passed on by ClusterNetworkPolicy \($0.rule); " }.joined()
        switch explanation.decision {
        case .open: return "\(passed)no policy isolates \(explanation.pod)"
        case .ownNode: return "\(passed)no NetworkPolicy isolates \(explanation.pod) from its own node"
        case .allowed(let rule): return "\(passed)allowed by \(rule)"
        case .tier(let finding): return "\(passed)\(finding.action == .deny ? "denied" : "allowed") by ClusterNetworkPolicy \(finding.rule)"
        case .isolated:
            return "\(passed)denied: no rule of \(explanation.policies.map { "\($0.policy)" }.joined(separator: ", ")) allows it"
        }
    }

    /// Whole microseconds, right-aligned, with their unit.
    private static func microseconds(_ nanoseconds: UInt64) -> String {
        let digits = String((nanoseconds + 500) / 1000)
        return String(repeating: " ", count: max(0, 6 - digits.count)) + digits + "us"
    }

    private static func span(_ nanoseconds: UInt64) -> String {
        nanoseconds < 10_000_000 ? "\((nanoseconds + 500) / 1000) us" : "\((nanoseconds + 500_000) / 1_000_000) ms"
    }
}

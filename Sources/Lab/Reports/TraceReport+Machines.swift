import Model
import Netlink
import Proxy
import Runtime

/// The answer of `minik trace`, for machines.
extension TraceReport {
    package var json: JSON {
        let verdict = verdict
        return [
            "apiVersion": "minik.dev/v1", "kind": "PacketTrace", "from": .string(question.sourceName), "to": .string(question.targetName),
            "probe": .string(question.probe.description), "verdict": .string(verdict.word.lowercased()), "reason": .string(verdict.words),
            "steps": .array(story.steps.map(json)),
        ]
    }

    private func json(_ step: PacketStory.Step) -> JSON {
        var json: JSON = [
            "place": .string(step.place), "leg": .string(step.leg.rawValue), "text": .string(words(step)),
            "nanoseconds": step.time.map { .int(Int($0)) } ?? .null,
        ]
        let (kind, details) = details(step.event)
        json["step"] = .string(kind)
        json[kind] = details
        return json
    }

    private func details(_ event: PacketStory.Event) -> (String, JSON) {
        switch event {
        case .resolved(let answer):
            return (
                "name",
                [
                    "name": .string(answer.name), "server": .string("\(answer.server)"), "answered": .bool(answer.answer != .silence),
                    "addresses": .array(answer.addresses.map { .string("\($0)") }), "nanoseconds": .int(Int(answer.nanoseconds)),
                ]
            )
        case .seen(let sight): return ("frame", json(sight))
        case .route(let route): return ("route", .string(route))
        case .bridged(let bridge): return ("bridge", .string(bridge))
        case .rule(let rule):
            return (
                "rule",
                [
                    "hook": .string(rule.point), "family": .string(rule.table.family.rawValue), "table": .string(rule.table.name),
                    "chain": .string(rule.chain), "rule": .string(rule.rule), "reason": JSON(rule.reason), "verdict": .string(rule.verdict),
                ]
            )
        case .policy(let explanation):
            return (
                "policy",
                [
                    "pod": .string("\(explanation.pod)"), "direction": .string(explanation.direction.rawValue),
                    "allowed": .bool(explanation.isAllowed), "allowedBy": JSON(explanation.allowedBy),
                    "deniedBy": JSON(explanation.deniedBy?.rule),
                    "isolatedBy": .array(explanation.policies.map { .string("\($0.policy)") }),
                ]
            )
        case .tracked(let original, let reply): return ("connection", ["original": .string(original.text), "reply": .string(reply.text)])
        }
    }

    private func json(_ sight: PacketStory.Sight) -> JSON {
        let place = story.places[sight.place], datagram = sight.datagram
        var json: JSON = [
            "interface": .string(place.device(sight.device)), "direction": .string(sight.isOutgoing ? "out" : "in"),
            "peer": JSON(place.neighbours[sight.device]), "sourceMAC": .string("\(sight.frame.source)"),
            "destinationMAC": .string("\(sight.frame.destination)"), "source": .string("\(datagram.source)"),
            "destination": .string("\(datagram.destination)"), "sourcePort": .int(Int(datagram.sourcePort)),
            "destinationPort": .int(Int(datagram.destinationPort)), "ttl": .int(datagram.hops), "what": .string(datagram.kind),
        ]
        if let vni = sight.vni, let outer = sight.frame.datagram {
            json["tunnel"] = [
                "vni": .int(vni), "source": .string("\(outer.source)"), "destination": .string("\(outer.destination)"),
                "port": .int(Int(outer.destinationPort)), "ttl": .int(outer.hops),
            ]
        }
        return json
    }

    /// A sequence diagram: places are participants, what crosses from one to another is a message, the rest are notes.
    package var mermaid: String {
        var lines = ["sequenceDiagram"], numbers: [String: Int] = [:]
        for step in story.steps where numbers[step.place] == nil {
            numbers[step.place] = numbers.count
            lines.append("  participant p\(numbers.count - 1) as \(Self.quoted(step.place))")
        }
        func name(_ place: String) -> String { "p\(numbers[place] ?? 0)" }
        var left: (place: String, leg: PacketStory.Leg)?
        for step in story.steps where Self.isTold(step) {
            guard case .seen(let sight) = step.event else {
                lines.append("  Note over \(name(step.place)): \(Self.quoted(words(step)))")
                continue
            }
            if sight.isOutgoing {
                left = (step.place, step.leg)
                continue
            }
            guard let from = left, from.place != step.place, from.leg == step.leg else { continue }
            let tunnel = sight.vni.map { " in VXLAN \($0)" } ?? ""
            let arrow = step.leg == .there ? "->>" : "-->>"
            lines.append(
                "  \(name(from.place))\(arrow)\(name(step.place)): \(Self.quoted("\(sight.datagram.text) ttl \(sight.datagram.hops)\(tunnel)"))"
            )
            left = nil
        }
        if let last = story.steps.last {
            lines.append("  Note over \(name(last.place)): \(Self.quoted("\(verdict.word): \(verdict.words)"))")
        }
        return lines.joined(separator: "\n")
    }

    /// What would end a line or begin another statement, by mermaid's own code for it.
    private static func quoted(_ text: String) -> String {
        text.replacing("#", with: "#35;").replacing(";", with: "#59;").replacing("#35#59;", with: "#35;").replacing("\n", with: " ")
    }
}

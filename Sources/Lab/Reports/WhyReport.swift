import Model
import Proxy
import Rules

/// The answer of `minik why`: the verdict of the compiled rules and of the kernel, side by side, and the policies behind it.
package struct WhyReport {
    let question: FlowQuestion
    let journeys: [Journey]
    let finding: LiveTrace.Finding?
    let snapshot: ClusterSnapshot
    /// How it goes on where the cluster ends.
    let beyond: String?

    /// `finding`: what the kernel did; nil when no packet was sent.
    package init(
        question: FlowQuestion, journeys: [Journey], finding: LiveTrace.Finding?, snapshot: ClusterSnapshot, beyond: String? = nil
    ) {
        self.beyond = beyond
        self.question = question
        self.journeys = journeys
        self.finding = finding
        self.snapshot = snapshot
    }

    package var isAllowed: Bool { !journeys.isEmpty && journeys.allSatisfy(isServed) }

    /// A load balancer whose address a packet has come to, at a port that it does not have: the node that answers for the address refuses
    /// it, unless a pod of that node's own network is there.
    private func unserved(_ journey: Journey) -> Service? {
        let packet = journey.packet
        guard journey.isDelivered, packet.destinationPort != 0 else { return nil }
        guard let service = snapshot.services.first(where: { $0.balancerAddresses.contains(packet.destination) }) else { return nil }
        let isNodes = snapshot.pods.contains { pod in
            pod.isHostNetwork && !pod.isFinished && pod.nodeName == journey.hops.last?.node
                && pod.containers.contains { $0.json["ports"].items.contains { $0["containerPort"].int == Int(packet.destinationPort) } }
        }
        return isNodes ? nil : service
    }

    private func isServed(_ journey: Journey) -> Bool { journey.isDelivered && unserved(journey) == nil }

    /// The kernel does on every way what was computed.
    package var agrees: Bool { journeys.allSatisfy { live($0).map { $0 == "allowed" } ?? true == $0.isDelivered } }

    private var verdict: String { isAllowed ? "ALLOWED" : journeys.contains(where: isServed) ? "PARTLY DENIED" : "DENIED" }

    /// What the kernel did on one way: allowed, denied, or nothing that is known.
    private func live(_ journey: Journey) -> String? {
        guard let finding else { return nil }
        let destination = journey.packet.destination
        // A node is listened to where packets come in, before its own rules: what a rule stopped there has not arrived.
        if finding.stops.contains(where: { $0.destination == destination }) { return "denied" }
        if finding.arrivedAt.contains("\(destination)") { return "allowed" }
        // Beyond the cluster nobody listens; inside it, silence on the only way there is is an answer.
        let isKnown = endpoint(journey) != nil || snapshot.cluster.nodes.contains { $0.addresses.contains(destination) }
        return isKnown && journeys.count == 1 ? "denied" : nil
    }

    private func endpoint(_ journey: Journey) -> Pod? {
        snapshot.pods.first { $0.ips.contains(journey.packet.destination) && !$0.isHostNetwork && !$0.isFinished }
    }

    /// The decisions of policies on one way, in the order in which they are made.
    private func explanations(_ journey: Journey) -> [PolicyExplanation] { snapshot.explanations(journey, from: question.source) }

    /// What is said of the policies is what the tables do.
    package var isConsistent: Bool { journeys.allSatisfy { $0.agrees(with: explanations($0)) } }

    // MARK: Text

    package var text: String {
        var lines = ["\(verdict)  \(question.sourceName) -> \(question.targetName) \(question.probe)"]
        for journey in journeys { lines += describe(journey) }
        if journeys.isEmpty { lines.append("  no way there is known") }
        if !isConsistent {
            lines.append("  THE COMPILED RULES DISAGREE with what is said of the policies: this is a defect of minik, please report it")
        }
        if let finding {
            let count = "\(finding.sent) packet\(finding.sent == 1 ? "" : "s")"
            lines.append(agrees ? "  the kernel agrees: \(count) sent" : "  THE KERNEL DISAGREES with what was computed: \(count) sent")
        }
        return lines.joined(separator: "\n")
    }

    private func describe(_ journey: Journey) -> [String] {
        let packet = journey.packet
        let pod = endpoint(journey)
        let place =
            packet.destinationPort == 0 ? "\(packet.destination)" : packet.destination.authority(port: Int(packet.destinationPort))
        let name = pod.map { "\($0.key) (\(place), \($0.nodeName ?? "?"))" } ?? place
        var lines: [String] = []
        if journey.hops.contains(where: { $0.trace.packet.isDestinationTranslated }) {
            lines.append("  endpoint \(name): \(journey.isDelivered ? "allowed" : "denied")")
        }
        lines += explanations(journey).flatMap(describe)
        if let stop = journey.stop, let hop = journey.hops.last {
            let words = stop.element ?? stop.comment ?? stop.text
            lines.append(
                "    computed: \(journey.end == .rejected ? "rejected" : "dropped") on \(hop.node), \(hop.point.rawValue), \(stop.table.name)/\(stop.chain)"
            )
            lines.append("              \(words)")
        } else if let service = unserved(journey) {
            let ports = service.ports.map { "\($0.proto.rawValue)/\($0.port)" }.joined(separator: ", ")
            lines.append("    computed: refused on \(journey.hops.last?.node ?? "?"), where nobody serves this port")
            lines.append("              Service \(service.key) has \(ports.isEmpty ? "no port" : ports)")
            return lines
        } else {
            let way = journey.hops.reduce(into: [String]()) { if $0.last != $1.node { $0.append($1.node) } }
            lines.append("    computed: passes\(way.isEmpty ? "; it never leaves the pod" : " by \(way.joined(separator: ", "))")")
            if let beyond, packet.destination == question.address { lines.append("    beyond:   \(beyond)") }
        }
        guard let finding else { return lines }
        let stops = finding.stops.filter { $0.destination == packet.destination }.sorted { $0.node < $1.node }
        if live(journey) == "allowed" { lines.append("    kernel:   arrived") }
        for stop in stops {
            lines.append("    kernel:   dropped on \(stop.node), \(stop.table.name)/\(stop.chain)")
            lines.append("              \(stop.comment ?? stop.rule)")
        }
        if live(journey) == nil { lines.append("    kernel:   no packet took this way") }
        if live(journey) == "denied", stops.isEmpty { lines.append("    kernel:   did not arrive") }
        return lines
    }

    private func describe(_ explanation: PolicyExplanation) -> [String] {
        let direction = explanation.direction.rawValue
        var lines = explanation.passes.map { "    \(direction): passed on by ClusterNetworkPolicy \($0.rule)" }
        switch explanation.decision {
        case .open:
            lines.append(
                "    \(direction): no policy \(lines.isEmpty ? "isolates \(explanation.pod)" : "after that isolates \(explanation.pod)")")
        case .ownNode: lines.append("    \(direction): NetworkPolicies isolate \(explanation.pod), but no pod from its own node")
        case .allowed(let rule): lines.append("    \(direction): allowed by \(rule)")
        case .tier(let finding):
            lines.append("    \(direction): \(finding.action == .deny ? "denied" : "allowed") by ClusterNetworkPolicy \(finding.rule)")
        case .isolated: lines += isolation(explanation)
        }
        return lines
    }

    /// What each rule would have wanted.
    private func isolation(_ explanation: PolicyExplanation) -> [String] {
        let direction = explanation.direction.rawValue
        var lines = [
            "    \(direction): \(explanation.pod) is isolated by \(explanation.policies.map { "\($0.policy)" }.joined(separator: ", "))"
        ]
        for policy in explanation.policies {
            if policy.rules.isEmpty { lines.append("      \(policy.policy) has no \(direction) rule: it allows nothing") }
            for rule in policy.rules {
                var missing: [String] = []
                if !rule.isPeerMatched { missing.append("\(direction == "ingress" ? "from" : "to") \(rule.peers)") }
                if !rule.isPortMatched { missing.append("at \(rule.ports)") }
                lines.append("      \(policy.policy) \(rule.name) allows only \(missing.joined(separator: ", and only "))")
            }
        }
        return lines
    }

    // MARK: JSON

    package var json: JSON {
        [
            "apiVersion": "minik.dev/v1", "kind": "FlowVerdict", "from": .string(question.sourceName), "to": .string(question.targetName),
            "probe": .string(question.probe.description), "verdict": .string(isAllowed ? "allowed" : "denied"),
            "enforced": .bool(snapshot.isEnforced),
            "agrees": finding == nil ? .null : .bool(agrees), "beyond": JSON(beyond), "paths": .array(journeys.map(json)),
        ]
    }

    private func json(_ journey: Journey) -> JSON {
        let stop = journey.stop
        return [
            "endpoint": .string("\(journey.packet.destination)"), "pod": endpoint(journey).map { .string("\($0.key)") } ?? .null,
            "port": .int(Int(journey.packet.destinationPort)), "computed": .string(isServed(journey) ? "allowed" : "denied"),
            "live": live(journey).map(JSON.string) ?? .null,
            "stoppedBy": stop.map { step in
                [
                    "node": JSON(journey.hops.last?.node), "hook": JSON(journey.hops.last?.point.rawValue),
                    "table": .string(step.table.name),
                    "chain": .string(step.chain), "rule": .string(step.text), "comment": JSON(step.comment ?? step.element),
                ]
            } ?? .null,
            "kernelStops": .array(
                (finding?.stops ?? []).filter { $0.destination == journey.packet.destination }.map { stop in
                    [
                        "node": .string(stop.node), "table": .string(stop.table.name), "chain": .string(stop.chain),
                        "rule": .string(stop.rule),
                        "comment": JSON(stop.comment),
                    ]
                }),
            "policies": .array(
                explanations(journey).map { explanation in
                    [
                        "pod": .string("\(explanation.pod)"), "direction": .string(explanation.direction.rawValue),
                        "allowed": .bool(explanation.isAllowed),
                        "allowedBy": JSON(explanation.allowedBy), "deniedBy": JSON(explanation.deniedBy?.rule),
                        "passedBy": .array(explanation.passes.map { .string($0.rule) }), "ownNode": .bool(explanation.isOwnNode),
                        "isolatedBy": .array(
                            explanation.policies.map { .string("\($0.policy)") }
                                + (explanation.deniedBy.map { [.string("ClusterNetworkPolicy/\($0.policy)")] } ?? [])),
                    ]
                }),
        ]
    }
}

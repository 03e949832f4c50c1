import Model

/// One rule that matched on a packet's way, and what it led to.
package struct TraceStep: Hashable, Sendable {
    package let table: TableID
    package let chain: String
    /// The rule's place in its chain, from 0.
    package let rule: Int
    package let text: String
    package let comment: String?
    /// The comment of the set's or map's element that the packet was found in: who asked for it.
    package let element: String?
    package let verdict: String
}

/// A packet's way through one hook: what matched, how it ended, and the packet as it left.
package struct Trace: Hashable, Sendable {
    package enum Outcome: String, Hashable, Sendable { case accept, drop, reject }

    package var steps: [TraceStep] = []
    package var outcome: Outcome
    package var packet: Packet
}

/// Walks packets through rulesets as nf_tables would (nft(8); net/netfilter/nf_tables_core.c): chains of a hook by priority,
/// verdict maps, sets, jumps and gotos, NAT once a connection. Where the kernel throws dice all the outcomes are told.
package struct Tracer: Sendable {
    private let tables: [TableID: Ruleset]
    private let bases: [(table: TableID, chain: String, hook: Hook)]
    private let ranges: RangeIndex

    package init(tables: [TableID: Ruleset]) {
        self.tables = tables
        ranges = RangeIndex(tables)
        bases = tables.flatMap { table, rules in rules.chains.compactMap { name, chain in chain.hook.map { (table, name, $0) } } }
            .sorted { ($0.hook.priority, $0.table, $0.chain) < ($1.hook.priority, $1.table, $1.chain) }
    }

    /// Sends `packet` through everything of its family that is attached at `point`.
    package func traverse(_ packet: Packet, _ point: Hook.Point) -> [Trace] {
        var traces = [Trace(outcome: .accept, packet: packet)]
        let family = TableFamily(packet.source.family)
        for base in bases where base.hook.point == point && base.table.family == family {
            // NAT looks at the first packet of a connection only, and once: the second chain finds it translated.
            if base.hook.kind == .nat, packet.state != .new { continue }
            traces = traces.flatMap { trace -> [Trace] in
                guard trace.outcome == .accept else { return [trace] }
                if base.hook.kind == .nat, isTranslated(trace, from: packet, point) { return [trace] }
                return Self.distinct(run(base.chain, table: base.table, Flow(trace)).map(\.trace))
            }
        }
        return traces
    }

    /// Of the ways that lead to the same, the first.
    private static func distinct(_ traces: [Trace]) -> [Trace] {
        struct End: Hashable {
            let outcome: Trace.Outcome
            let packet: Packet
        }
        var seen: Set<End> = []
        return traces.filter { seen.insert(End(outcome: $0.outcome, packet: $0.packet)).inserted }
    }

    private func isTranslated(_ trace: Trace, from packet: Packet, _ point: Hook.Point) -> Bool {
        point == .postrouting
            ? trace.packet.source != packet.source : trace.packet.isDestinationTranslated && !packet.isDestinationTranslated
    }

    // MARK: Chains and rules

    private struct Flow {
        var trace: Trace
        /// How evaluation goes on: with the next rule, back in the chain that jumped here, or not at all.
        enum Control { case next, leave, done }
        var control = Control.next

        init(_ trace: Trace) { self.trace = trace }

        /// With its destination translated to what a map's element holds; nil where that is no address and port.
        func led(to data: [Value]) -> Flow? {
            guard data.count == 2, case .address(let address) = data[0], case .port(let port) = data[1] else { return nil }
            var flow = self
            flow.trace.packet.destination = address
            flow.trace.packet.destinationPort = port
            flow.trace.packet.isDestinationTranslated = true
            return flow
        }

        /// Back from another chain, unless the way is over.
        func returned(to control: Control) -> Flow {
            var flow = self
            if flow.control != .done { flow.control = control }
            return flow
        }
    }

    /// Every way a packet can take through a chain; a flow that comes out with `leave` goes on where the chain was jumped from.
    private func run(_ name: String, table: TableID, _ flow: Flow) -> [Flow] {
        guard let chain = tables[table]?.chains[name] else { return [flow] }
        var running = [flow], ended: [Flow] = []
        for (index, rule) in chain.rules.enumerated() {
            let next = running.flatMap { evaluate(rule, Place(table: table, chain: name, index: index), $0) }
            running = next.filter { $0.control == .next }
            ended += next.filter { $0.control != .next }
            if running.isEmpty { break }
        }
        return running + ended
    }

    private struct Place {
        let table: TableID
        let chain: String
        let index: Int
    }

    private func evaluate(_ rule: Rule, _ place: Place, _ start: Flow) -> [Flow] {
        var flow = start
        var element: String?
        func end(_ ending: Ending) -> [Flow] { self.end(flow, ending, rule, place, element) }
        for statement in rule.statements {
            switch statement {
            case .match(let field, let value, let negated):
                if value.contains(flow.trace.packet.value(field)) == negated { return [flow] }
            case .connectionState(let states):
                if states.isDisjoint(with: flow.trace.packet.state) { return [flow] }
            case .destinationWasTranslated: if !flow.trace.packet.isDestinationTranslated { return [flow] }
            case .inSet(let fields, let set):
                guard let found = find(fields, set, place.table, flow.trace.packet) else { return [flow] }
                element = found.comment
            case .verdictMap(let fields, let map):
                guard let found = find(fields, map, place.table, flow.trace.packet), let verdict = found.verdict else { return [flow] }
                element = found.comment
                return end(.verdict(verdict))
            case .randomJump(let chains):
                let thrown = chains.flatMap { self.end(start, .verdict(.jump($0)), rule, place, element) }
                // Those that come back are alike, and one of them stands for all.
                return thrown.filter { $0.control == .done } + thrown.filter { $0.control != .done }.prefix(1)
            case .markUnset(let bits): if flow.trace.packet.mark & bits != 0 { return [flow] }
            case .markHas(let bits): if flow.trace.packet.mark & bits == 0 { return [flow] }
            case .setMark(let bits): flow.trace.packet.mark |= bits
            case .flipMark(let bits): flow.trace.packet.mark ^= bits
            case .setMarkFromMap(let fields, let map):
                guard case .mark(let mark)? = find(fields, map, place.table, flow.trace.packet)?.data?.first else { return [flow] }
                flow.trace.packet.mark = mark
            case .destinationNATFrom(_, let fields, let map):
                guard let found = find(fields, map, place.table, flow.trace.packet), let led = flow.led(to: found.data ?? []) else {
                    return [flow]
                }
                return self.end(led, .outcome(.accept), rule, place, element ?? found.comment)
            case .remember, .forget, .counter, .trace: break
            case .destinationNATMap(_, let fields, let count, let map):
                // Who has several numbers is one way, and so are numbers that nobody has.
                var seen: Set<[Value]?> = []
                return (0..<count).flatMap { number -> [Flow] in
                    let key = fields.map(flow.trace.packet.value) + [.slot(UInt32(number))]
                    let found = tables[place.table]?.elements[map]?[key]
                    guard seen.insert(found?.data).inserted else { return [] }
                    guard let found, let led = flow.led(to: found.data ?? []) else { return [flow] }
                    return self.end(led, .outcome(.accept), rule, place, element ?? found.comment)
                }
            case .destinationNAT(let proto, let address, let port):
                guard flow.trace.packet.proto == proto.number else { return [flow] }
                flow.trace.packet.destination = address
                flow.trace.packet.destinationPort = port
                flow.trace.packet.isDestinationTranslated = true
                return end(.outcome(.accept))
            case .sourceNAT(let address):
                flow.trace.packet.source = address
                return end(.outcome(.accept))
            case .reject, .reset, .masquerade: return end(.outcome(statement == .masquerade ? .accept : .reject))
            case .verdict(let verdict): return end(.verdict(verdict))
            }
        }
        return [flow]
    }

    /// How a rule ends: the packet's way is over, or goes on elsewhere.
    private enum Ending {
        case outcome(Trace.Outcome)
        case verdict(Verdict)
    }

    /// Notes that a rule matched, and follows its verdict.
    private func end(_ start: Flow, _ ending: Ending, _ rule: Rule, _ place: Place, _ element: String?) -> [Flow] {
        var flow = start
        func note(_ verdict: String) {
            flow.trace.steps.append(
                TraceStep(
                    table: place.table, chain: place.chain, rule: place.index, text: rule.text, comment: rule.comment, element: element,
                    verdict: verdict))
        }
        func done(_ outcome: Trace.Outcome) -> [Flow] {
            note(outcome.rawValue)
            flow.trace.outcome = outcome
            flow.control = .done
            return [flow]
        }
        switch ending {
        case .outcome(let outcome): return done(outcome)
        case .verdict(.accept): return done(.accept)
        case .verdict(.drop): return done(.drop)
        case .verdict(.return):
            note("return")
            flow.control = .leave
            return [flow]
        case .verdict(.jump(let chain)):
            note(Verdict.jump(chain).description)
            return run(chain, table: place.table, flow).map { $0.returned(to: .next) }
        case .verdict(.goto(let chain)):
            note(Verdict.goto(chain).description)
            return run(chain, table: place.table, flow).map { $0.returned(to: .leave) }
        }
    }

    private func find(_ fields: [Field], _ set: String, _ table: TableID, _ packet: Packet) -> ElementData? {
        guard let members = tables[table]?.elements[set] else { return nil }
        let key = fields.map(packet.value)
        if let exact = members[key] { return exact }
        guard tables[table]?.sets[set]?.isInterval ?? true else { return nil }
        let candidates = ranges.elements(of: set, table)
        for value in [key.first, nil] {
            if let found = candidates[value]?.first(where: { element, _ in zip(element, key).allSatisfy { $0.contains($1) } }) {
                return found.value
            }
        }
        return nil
    }
}

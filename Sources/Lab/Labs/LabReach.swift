import Model
import Proxy
import Runtime

/// Judges expectations by real packets: connections from where they are to come from, and packets that tell how they arrived. Beside
/// them stands what the compiled rules make of it, which decides nothing.
struct LabReach {
    let paths: ClusterPaths
    let snapshot: ClusterSnapshot
    private let walk: PacketWalk

    init(paths: ClusterPaths, snapshot: ClusterSnapshot) {
        self.paths = paths
        self.snapshot = snapshot
        walk = snapshot.walk()
    }

    /// One line an expectation, or one for each flow that is not as expected.
    func judge(_ expectations: [LabExpectation]) async throws -> [LabFinding] {
        var flows: [LabFlow] = [], findings: [LabFinding] = []
        for expectation in expectations {
            do { flows += try self.flows(expectation) } catch let error as UserError {
                findings.append(LabFinding(holds: false, words: "\(expectation.words): \(error.message)"))
            }
        }
        guard !flows.isEmpty else { return findings }
        let answers = try await ConnectProbe.run(flows.map(knock))
        let arrivals = try await arrivals(flows)
        for (index, flow) in flows.enumerated() {
            let name = try await name(flow)
            findings.append(finding(flow, answers[index], arrivals[index] ?? nil, name))
        }
        return findings
    }

    private func flows(_ expectation: LabExpectation) throws -> [LabFlow] {
        try LabParties(snapshot: snapshot, namespace: expectation.namespace).questions(expectation).map { question in
            let ways = walk.journeys(from: question.source, to: question.address, proto: question.proto, port: question.probe.port)
            return LabFlow(expectation: expectation, question: question, place: place(of: question.source), ways: ways)
        }
    }

    private func place(of source: PacketSource) -> String {
        switch source {
        case .pod(let address, _):
            snapshot.pods.first { $0.ips.contains(address) && !$0.isHostNetwork && !$0.isFinished }.map { paths.podNetns($0.key) }
                ?? paths.outside
        case .node(let name): paths.nodeNetns(name)
        case .outside: paths.outside
        }
    }

    private func knock(_ flow: LabFlow) -> ConnectProbe.Knock {
        ConnectProbe.Knock(
            namespace: flow.place, address: flow.question.address, proto: flow.question.proto, port: flow.question.probe.port,
            isExpected: [.allowed, .refused].contains(flow.expectation.verdict) && flow.question.proto != TransportProtocol.udp.number)
    }

    // MARK: Arrivals

    /// How a packet of each flow came to whom it was for; nil: it did not. Asked where an expectation speaks of it, or the protocol has no
    /// answer of its own.
    private func arrivals(_ flows: [LabFlow]) async throws -> [Int: ReachProbe.Arrival?] {
        let asked = flows.enumerated().filter { _, flow in
            flow.expectation.ttl != nil || flow.expectation.source != nil || flow.question.proto == TransportProtocol.udp.number
        }
        guard !asked.isEmpty else { return [:] }
        let pods = snapshot.pods.filter { !$0.isHostNetwork && !$0.isFinished && !$0.isBeingDeleted && $0.ip != nil }
        let listeners =
            pods.map { (name: "\($0.key)", namespace: paths.podNetns($0.key)) }
            + snapshot.cluster.nodes.map { (name: "node/\($0.name)", namespace: paths.nodeNetns($0.name)) }
        var names: [IPAddress: String] = [:]
        for pod in pods { for address in pod.ips { names[address] = "\(pod.key)" } }
        for node in snapshot.cluster.nodes { for address in node.addresses { names[address] = "node/\(node.name)" } }
        let base = UInt32.random(in: 1...0x7FFF) << 16
        var sendings: [ReachProbe.Sending] = [], expected: Set<UInt32> = []
        for (number, (_, flow)) in asked.enumerated() {
            let question = flow.question, token = base &+ UInt32(number)
            let packet = ProbePacket(
                from: walk.sourceAddress(of: question.source, to: question.address), to: question.address, proto: question.proto,
                port: question.probe.port, token: token)
            sendings.append(ReachProbe.Sending(namespace: flow.place, packet: packet))
            if flow.expectation.verdict == .allowed { expected.insert(token) }
        }
        let arrived = try await ReachProbe(listeners: listeners).run(sendings, expected: expected)
        var found: [Int: ReachProbe.Arrival?] = [:]
        for (number, (index, flow)) in asked.enumerated() {
            let seen = arrived[base &+ UInt32(number)] ?? [:],
                ends = Set(flow.ways.map(\.packet.destination)).union([flow.question.address])
            found.updateValue(ends.lazy.compactMap { names[$0].flatMap { seen[$0] } }.first, forKey: index)
        }
        return found
    }

    // MARK: Names

    /// What `from` is told for the expected name; nil: none is expected.
    private func name(_ flow: LabFlow) async throws -> NameQuestion.Answer? {
        guard let name = flow.expectation.dns else { return nil }
        let home: String
        if case .pod(let address, _) = flow.question.source {
            home = snapshot.pods.first { $0.ips.contains(address) }?.namespace ?? flow.expectation.namespace
        } else {
            home = flow.expectation.namespace
        }
        let domain = snapshot.cluster.dnsDomain
        let question = NameQuestion(
            namespace: flow.place, server: snapshot.cluster.dnsServiceIP, search: ["\(home).svc.\(domain)", "svc.\(domain)", domain])
        return try await question.ask(name, flow.question.address.family)
    }

    // MARK: Findings

    private func finding(
        _ flow: LabFlow, _ result: ConnectProbe.Result, _ arrival: ReachProbe.Arrival?, _ name: NameQuestion.Answer?
    ) -> LabFinding {
        let wanted = flow.expectation, isUDP = flow.question.proto == TransportProtocol.udp.number
        // A datagram that arrives needs no answer.
        let verdict = isUDP && arrival != nil && result.answer == .silence ? .allowed : LabExpectation.Verdict(result.answer)
        var complaints: [String] = []
        if verdict != wanted.verdict { complaints.append("wanted \(wanted.verdict.rawValue), is \(verdict.rawValue)") }
        // Of IPv6's pings the socket does not tell.
        let ttl = result.ttl.flatMap { $0 > 0 ? $0 : nil } ?? arrival?.hops
        if let hops = wanted.ttl, hops != ttl { complaints.append("wanted ttl \(hops), is \(ttl.map(String.init) ?? "unknown")") }
        if let text = wanted.source {
            let address = source(text, flow)
            if address == nil || arrival?.source != address {
                complaints.append(
                    "wanted to come from \(text)\(address.map { " (\($0))" } ?? ""), comes from \(arrival.map { "\($0.source)" } ?? "nobody")"
                )
            }
        }
        if let name { complaints += name.complaint(wanted.dns ?? "", flow.question.address) }
        let computed = flow.computed.map(\.rawValue) ?? "it depends on the endpoint"
        let words = "\(flow.words): \(complaints.isEmpty ? verdict.rawValue : complaints.joined(separator: "; "))"
        return LabFinding(
            holds: complaints.isEmpty, words: words + (computed == verdict.rawValue ? "" : " (computed: \(computed))"),
            verdict: verdict.rawValue, computed: computed)
    }

    private func source(_ text: String, _ flow: LabFlow) -> IPAddress? {
        if text == "self" { return walk.sourceAddress(of: flow.question.source, to: flow.question.address) }
        if let address = IPAddress(text) { return address }
        let name = text.hasPrefix("node/") ? String(text.dropFirst(5)) : text
        return snapshot.cluster.nodes.first { $0.name == name }?.addresses.of(flow.question.address.family)
    }
}

import Model
import Proxy
import Runtime

/// Judges expectations in a cluster that only its API leads into, by what probes there are told. Nothing is computed beside it: what that
/// cluster's network makes of policies and Services is its own.
struct GuestReach {
    let probes: GuestProbes
    let snapshot: ClusterSnapshot

    private struct Flow {
        let wanted: LabExpectation
        let question: FlowQuestion
        /// nil: this machine.
        let source: GuestProbes.Source?

        var asks: [GuestScript.Ask] {
            let address = question.address
            let knock: GuestScript.Ask =
                switch question.proto {
                case TransportProtocol.tcp.number: .tcp(address, question.probe.port)
                case TransportProtocol.udp.number: .nameServer(address)
                default: .ping(address)
                }
            return [knock] + (wanted.dns.map { [.name($0, address.family)] } ?? [])
        }
    }

    /// One line an expectation, or one for each flow that is not as expected.
    func judge(_ expectations: [LabExpectation]) async throws -> [LabFinding] {
        var flows: [Flow] = [], findings: [LabFinding] = []
        for expectation in expectations {
            do {
                flows += try LabParties(snapshot: snapshot, namespace: expectation.namespace).questions(expectation).map {
                    Flow(wanted: expectation, question: $0, source: try source(of: $0))
                }
            } catch let error as UserError { findings.append(LabFinding(holds: false, words: "\(expectation.words): \(error.message)")) }
        }
        var scripts: [GuestProbes.Source: [GuestScript.Ask]] = [:]
        for flow in flows { if let source = flow.source { scripts[source, default: []] += flow.asks } }
        let asked = scripts.mapValues(GuestScript.init)
        async let own = ConnectProbe.run(flows.filter { $0.source == nil }.map(knock))
        let outputs = try await probes.run(asked)
        var answers = try asked.reduce(into: [:]) { $0[$1.key] = try $1.value.answers(outputs[$1.key] ?? "")[...] }
        var ownAnswers = try await own[...]
        for flow in flows {
            guard let source = flow.source else {
                if let result = ownAnswers.popFirst() { findings.append(finding(flow, result, nil)) }
                continue
            }
            guard let first = answers[source]?.popFirst(), let ask = flow.asks.first else { continue }
            let name = flow.wanted.dns == nil ? nil : answers[source]?.popFirst().map(GuestScript.name)
            findings.append(finding(flow, try GuestScript.result(first, to: ask), name))
        }
        return findings
    }

    private func source(of question: FlowQuestion) throws -> GuestProbes.Source? {
        switch question.source {
        case .node(let name): return .node(name)
        case .outside: return nil
        case .pod(let address, _):
            guard let pod = snapshot.pods.first(where: { $0.ips.contains(address) && !$0.isHostNetwork && !$0.isFinished }) else {
                throw UserError("there is no pod \(question.sourceName)")
            }
            let home = snapshot.namespaces.first { $0.name == pod.namespace }
            guard home?.labels[GuestNames.label] != nil else {
                throw UserError("pod \(pod.key) is not the lab's: nothing is put into it")
            }
            return .pod(pod.key)
        }
    }

    private func knock(_ flow: Flow) -> ConnectProbe.Knock {
        ConnectProbe.Knock(
            namespace: nil, address: flow.question.address, proto: flow.question.proto, port: flow.question.probe.port, isExpected: true)
    }

    private func finding(_ flow: Flow, _ result: ConnectProbe.Result, _ name: NameQuestion.Answer?) -> LabFinding {
        let wanted = flow.wanted, question = flow.question
        let verdict = LabExpectation.Verdict(result.answer)
        var complaints: [String] = []
        if verdict != wanted.verdict { complaints.append("wanted \(wanted.verdict.rawValue), is \(verdict.rawValue)") }
        if let hops = wanted.ttl, hops != result.ttl {
            complaints.append("wanted ttl \(hops), is \(result.ttl.map(String.init) ?? "unknown")")
        }
        if let name { complaints += name.complaint(wanted.dns ?? "", question.address) }
        let from = flow.source == nil ? "this machine" : question.sourceName
        let words = complaints.isEmpty ? verdict.rawValue : complaints.joined(separator: "; ")
        return LabFinding(
            holds: complaints.isEmpty, words: "\(from) -> \(question.targetName) \(question.probe): \(words)", verdict: verdict.rawValue)
    }
}

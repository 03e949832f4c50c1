import Model
import Proxy
import Runtime

/// Who is meant by an expectation's words: pods by name, by owner or by label, nodes, the client outside, addresses.
struct LabParties {
    let snapshot: ClusterSnapshot
    let namespace: String

    /// The types that stand for their pods.
    static let owners = ["deployment", "deploy", "daemonset", "ds", "statefulset", "sts", "job"]

    /// Words that each name one party, as `minik why` takes them.
    func named(_ text: String) throws -> [String] {
        if text == "nodes" { return snapshot.cluster.nodes.map { "node/\($0.name)" } }
        if let equals = text.firstIndex(of: "=") {
            let selector = LabelSelector(matching: [String(text[..<equals]): String(text[text.index(after: equals)...])])
            return try pods(text) { selector.matches($0.labels) }
        }
        let sides = text.split(separator: "/", maxSplits: 1).map(String.init)
        guard sides.count == 2, Self.owners.contains(sides[0]) else { return [text] }
        return try pods(text) { pod in
            guard let owner = pod.metadata.controller?["name"].string else { return false }
            let hash = pod.labels["pod-template-hash"].map { "-\($0)" } ?? ""
            return owner == sides[1] || owner == sides[1] + hash
        }
    }

    /// What an expectation asks: each of those that it is from about each that it is to.
    func questions(_ expectation: LabExpectation) throws -> [FlowQuestion] {
        let targets = try named(expectation.to), port = expectation.port.map { ":\($0)" } ?? ""
        return try named(expectation.from).flatMap { from in
            try targets.map { to in
                // An address of IPv6 with a port stands in brackets.
                let target = !port.isEmpty && IPAddress(to)?.family == .ipv6 ? "[\(to)]" : to
                return try FlowQuestion(from: from, to: target + port, namespace: expectation.namespace, snapshot)
            }
        }
    }

    private func pods(_ text: String, _ isMeant: (Pod) -> Bool) throws -> [String] {
        let pods = snapshot.pods.filter { $0.namespace == namespace && !$0.isFinished && !$0.isBeingDeleted && isMeant($0) }
        guard !pods.isEmpty else { throw UserError("there is no pod \(text) in namespace \(namespace)") }
        return pods.map { "pod/\($0.key)" }.sorted()
    }
}

/// One packet's way that an expectation is about.
struct LabFlow {
    let expectation: LabExpectation
    let question: FlowQuestion
    /// Where it leaves from: a network namespace's path.
    let place: String
    let ways: [Journey]

    var words: String {
        "\(question.sourceName) -> \(question.targetName) \(question.probe)"
    }

    /// What the compiled rules make of it; nil where its ways differ.
    var computed: LabExpectation.Verdict? {
        let verdicts = Set(
            ways.map { way -> LabExpectation.Verdict in
                switch way.end {
                case .delivered: .allowed
                case .rejected: .refused
                case .dropped: .timeout
                }
            })
        return ways.isEmpty ? .unreachable : verdicts.count == 1 ? verdicts.first : nil
    }
}

extension NameQuestion.Answer {
    /// What is wrong when a name was to lead to an address.
    func complaint(_ name: String, _ address: IPAddress) -> [String] {
        switch self {
        case .addresses(let found) where found.contains(address): []
        case .addresses(let found): ["the name \(name) leads to \(found.map(\.description).joined(separator: ", ")), not to \(address)"]
        case .unknown: ["there is no name \(name)"]
        case .silence: ["nobody answers who is asked for the name \(name)"]
        }
    }
}

extension LabExpectation.Verdict {
    init(_ answer: ConnectProbe.Answer) {
        switch answer {
        case .answered: self = .allowed
        case .refused: self = .refused
        case .unreachable: self = .unreachable
        case .silence: self = .timeout
        }
    }
}

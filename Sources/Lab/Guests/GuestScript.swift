import Model
import Runtime

/// Knocks, pings and questions for names as a shell of busybox' sends them, all at once, and what comes of each.
package struct GuestScript: Sendable {
    package enum Ask: Sendable, Hashable {
        case tcp(IPAddress, UInt16)
        /// An answer shows that it arrived: so a name server is asked.
        case nameServer(IPAddress)
        case ping(IPAddress)
        /// What a program of the pod's is told for a name.
        case name(String, IPFamily)
    }

    package struct Answer: Sendable, Hashable {
        let code: Int
        let words: String
    }

    package let asks: [Ask]

    package init(_ asks: [Ask]) { self.asks = asks }

    /// Nothing on the way takes as long, in seconds; what does not answer takes it all.
    private static let patience = 2

    /// In busybox' own words: nc connects and runs `true` in its place, ping shows the address that a name has before it sends anything.
    package var text: String {
        let lines = asks.enumerated().map { number, ask in
            let limit = "timeout \(Self.patience + 1)"
            switch ask {
            case .tcp(let address, let port): return "ask \(number) \(limit) nc -w \(Self.patience) \(address) \(port) -e true &"
            case .nameServer(let address):
                return "ask \(number) \(limit) nslookup -type=a kubernetes.default.svc.cluster.local \(address) &"
            case .ping(let address): return "ask \(number) ping -c 1 -W \(Self.patience) \(address) &"
            case .name(let name, let family):
                return "ask \(number) \(limit) ping \(family == .ipv4 ? "-4" : "-6") -c 1 -W 1 \(ScenarioPlaces.quoted(name)) &"
            }
        }
        let head = "set -f; ask() { n=$1; shift; said=$(\"$@\" 2>&1 </dev/null); echo $n $? $said; }"
        return ([head] + lines + ["wait"]).joined(separator: "\n")
    }

    /// In the order of the asks. Throws where one is missing: the shell was not busybox', or did not end.
    package func answers(_ output: String) throws -> [Answer] {
        var found: [Int: Answer] = [:]
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
            guard parts.count >= 2, let number = Int(parts[0]), let code = Int(parts[1]) else { continue }
            found[number] = Answer(code: code, words: parts.count > 2 ? parts[2] : "")
        }
        return try asks.indices.map { index in
            guard let answer = found[index] else {
                throw UserError("a probe said nothing: \(output.trimmed.split(separator: "\n").last ?? "")", hint: Self.hint)
            }
            return answer
        }
    }

    private static let hint = "the probes' image needs sh, nc, ping, nslookup and timeout as busybox has them: --probe-image busybox"

    /// What an answer tells.
    package static func result(_ answer: Answer, to ask: Ask) throws -> ConnectProbe.Result {
        let words = answer.words
        if [126, 127].contains(answer.code) {
            throw UserError("a probe cannot be sent: \(words)", hint: hint)
        }
        if words.contains("are you root") { throw UserError("a ping needs the capability NET_RAW: \(words)") }
        if words.contains("efused") || words.contains("eset by peer") { return ConnectProbe.Result(answer: .refused) }
        if words.contains("unreachable") || words.contains("No route to host") { return ConnectProbe.Result(answer: .unreachable) }
        switch ask {
        case .tcp: return ConnectProbe.Result(answer: answer.code == 0 ? .answered : .silence)
        case .ping, .name:
            let ttl = words.firstMatch(of: /ttl=(\d+)/).flatMap { Int($0.1) }
            return ConnectProbe.Result(answer: answer.code == 0 ? .answered : .silence, ttl: ttl)
        // It may know no such name, and says even that.
        case .nameServer:
            let isSilent = words.contains("timed out") || answer.code >= 124
            return ConnectProbe.Result(answer: isSilent ? .silence : .answered)
        }
    }

    /// What a name leads to.
    package static func name(_ answer: Answer) -> NameQuestion.Answer {
        if let found = answer.words.firstMatch(of: /\(([0-9a-fA-F.:]+)\)/), let address = IPAddress(String(found.1)) {
            return .addresses([address])
        }
        return answer.code >= 124 ? .silence : .unknown
    }
}

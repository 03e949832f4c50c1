import Model

/// What becomes of a message, from bytes to bytes.
package enum DNSReply: Sendable {
    case silence
    case bytes([UInt8])
    /// Somebody else may know: with `answer` if nobody does.
    case elsewhere(DNSQuery, DNSAnswer)

    /// - turn: which of several addresses comes first; counted up by who asks, so that clients which take the first one spread.
    package static func to(_ bytes: [UInt8], from zone: DNSZone, isDatagram: Bool, turn: Int) -> DNSReply {
        switch DNSQuery.read(bytes) {
        case .silence: return .silence
        case .refusal(let header): return .bytes(header.bytes)
        case .query(let query):
            var answer = answer(query, zone)
            answer.turn(turn)
            if answer.elsewhere != nil, query.wantsRecursion { return .elsewhere(query, answer) }
            return .bytes(query.encode(answer, limit: query.limit(isDatagram: isDatagram)))
        }
    }

    private static func answer(_ query: DNSQuery, _ zone: DNSZone) -> DNSAnswer {
        guard query.question.dnsClass == DNSQuestion.internet else { return .failure(.refused) }
        guard query.edns?.version ?? 0 == 0 else { return .failure(.badVersion) }
        return zone.resolve(query.question)
    }
}

extension DNSQuery {
    package var wantsRecursion: Bool { flags & DNSHeader.recursionDesired != 0 }

    /// How long an answer may be (RFC 1035, 4.2.1; RFC 6891, 6.2.5).
    package func limit(isDatagram: Bool) -> Int {
        isDatagram ? min(max(512, edns?.udpSize ?? 512), DNSMessage.largestDatagram) : Int(UInt16.max)
    }
}

extension DNSAnswer {
    /// Puts another address first, when the answer is addresses and nothing else.
    fileprivate mutating func turn(_ turn: Int) {
        guard answers.count > 1, answers.allSatisfy({ if case .a = $0.data { true } else { false } }) else { return }
        let first = Int(UInt(bitPattern: turn) % UInt(answers.count))
        answers = Array(answers[first...] + answers[..<first])
    }
}

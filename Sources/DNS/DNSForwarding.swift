import Model

/// Queries that somebody else has been asked, until there is an answer or no more time. `Client` is who waits.
package struct DNSForwarding<Client: Sendable>: Sendable {
    /// At most: who asks faster than is answered gets the answer that there is without anybody else.
    package static var most: Int { 512 }
    /// Milliseconds to wait.
    package static var patience: Int { 5000 }

    package struct Reply: Sendable {
        package let client: Client
        package let query: DNSQuery
        package let answer: DNSAnswer
    }

    private struct Pending: Sendable {
        let client: Client
        let query: DNSQuery
        /// What is said without them, and before what they say.
        let answer: DNSAnswer
        let question: DNSQuestion
        let deadline: Int
    }

    private var pending: [UInt16: Pending] = [:]

    package init() {}

    package var isEmpty: Bool { pending.isEmpty }

    /// What to ask somebody else; nil when too many wait already. `id` is drawn at random, and again where it is taken.
    package mutating func ask(_ query: DNSQuery, _ answer: DNSAnswer, for client: Client, now: Int, id: () -> UInt16) -> [UInt8]? {
        guard let name = answer.elsewhere, pending.count < Self.most else { return nil }
        var number = id()
        while pending[number] != nil { number &+= 1 }
        let question = DNSQuestion(name, type: query.question.type, dnsClass: query.question.dnsClass)
        pending[number] = Pending(client: client, query: query, answer: answer, question: question, deadline: now + Self.patience)
        var message = DNSMessage(question)
        message.appendOPT(code: .noError, wantsDNSSEC: query.edns?.wantsDNSSEC ?? false)
        let flags = DNSHeader.recursionDesired | query.flags & DNSHeader.checkingDisabled
        return message.bytes(DNSHeader(id: number, flags: flags, counts: [1, 0, 0, 1]))
    }

    /// What the client is told when this comes; nil for what nobody waits for, or cannot be read.
    package mutating func receive(_ bytes: [UInt8]) -> Reply? {
        guard let header = DNSHeader(bytes), header.isReply, let pending = pending[header.id],
            let answer = pending.answer.completed(header, bytes, pending.question)
        else { return nil }
        self.pending[header.id] = nil
        return Reply(client: pending.client, query: pending.query, answer: answer)
    }

    /// Those that have waited long enough: they are told what is known without anybody else.
    package mutating func expire(now: Int) -> [Reply] {
        let late = pending.filter { $0.value.deadline <= now }
        for id in late.keys { pending[id] = nil }
        return late.values.map { Reply(client: $0.client, query: $0.query, answer: $0.answer) }
    }

    /// All of them, when there is nobody any more who could answer.
    package mutating func giveUp() -> [Reply] { expire(now: .max) }
}

extension DNSAnswer {
    /// With what somebody else says of the rest; nil when it is no answer to the question.
    fileprivate func completed(_ header: DNSHeader, _ bytes: [UInt8], _ question: DNSQuestion) -> DNSAnswer? {
        var reader = DNSReader(bytes, at: DNSHeader.size)
        guard header.counts[0] == 1, let name = reader.name(), name.lowercased == question.key, reader.word() == question.type,
            reader.word() == question.dnsClass
        else { return nil }
        var sections: [[DNSRecord]] = []
        for count in header.counts[1...] {
            var records: [DNSRecord] = []
            for _ in 0..<count {
                // One cut short is why TC is set.
                guard let record = reader.record() else {
                    guard header.flags & DNSHeader.truncated != 0 else { return nil }
                    break
                }
                guard record.type != RecordType.opt.rawValue else { continue }
                guard let data = record.spelledOut(in: bytes) else { return nil }
                records.append(DNSRecord(name: record.name, data: .other(type: record.type, data), ttl: record.ttl))
            }
            sections.append(records)
        }
        // An alias of the zone's is ours to tell, whatever becomes of the other name.
        var answer = DNSAnswer(
            code: Code(rawValue: Int(header.code)) ?? .serverFailure, isAuthoritative: false, answers: answers + sections[0],
            authority: sections[1], additional: sections[2])
        answer.isRecursive = true
        answer.isTruncated = header.flags & DNSHeader.truncated != 0
        return answer
    }
}

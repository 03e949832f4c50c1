import Model

/// A query as it came.
package struct DNSQuery: Sendable {
    package let id: UInt16
    package let flags: UInt16
    package let question: DNSQuestion
    /// The question's bytes: an answer repeats them as they are, letters' case included.
    let questionBytes: [UInt8]
    /// The largest UDP answer the client takes (EDNS, RFC 6891), 512 without.
    package let udpSize: Int
    package let hasEDNS: Bool

    /// nil for what is no query with one question.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 12 else { return nil }
        func word(_ offset: Int) -> UInt16 { UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1]) }
        id = word(0)
        flags = word(2)
        guard flags & 0x8000 == 0, word(4) == 1 else { return nil }
        var offset = 12
        var labels: [String] = []
        while true {
            guard offset < bytes.count else { return nil }
            let length = Int(bytes[offset])
            offset += 1
            if length == 0 { break }
            guard length < 64, offset + length <= bytes.count, offset + length - 12 < 255 else { return nil }
            labels.append(String(decoding: bytes[offset..<offset + length], as: UTF8.self))
            offset += length
        }
        guard offset + 4 <= bytes.count else { return nil }
        question = DNSQuestion(labels: labels, type: word(offset), dnsClass: word(offset + 2))
        offset += 4
        questionBytes = Array(bytes[12..<offset])
        // An OPT record has the root as its name; only as the first additional one do clients send it.
        if word(10) > 0, word(6) == 0, word(8) == 0, offset + 11 <= bytes.count, bytes[offset] == 0, word(offset + 1) == 41 {
            udpSize = max(512, Int(word(offset + 3)))
            hasEDNS = true
        } else {
            udpSize = 512
            hasEDNS = false
        }
    }

    /// The answer as bytes, at most `limit`: as many records as fit, and TC when some do not (RFC 2181, section 9).
    package func encode(_ answer: DNSAnswer, limit: Int) -> [UInt8] {
        var message = DNSMessage(question: questionBytes, labels: question.spelled)
        let room = limit - (hasEDNS ? DNSMessage.optRecord.count : 0)
        var counts = [0, 0, 0], isTruncated = false
        sections: for (section, records) in [answer.answers, answer.authority, answer.additional].enumerated() {
            for record in records {
                guard message.append(record, within: room) else {
                    isTruncated = true
                    break sections
                }
                counts[section] += 1
            }
        }
        if hasEDNS { message.append(bytes: DNSMessage.optRecord) }
        // QR, the query's opcode, RD and CD, AA for what is ours to know, TC, and the code.
        let isOurs = answer.code == .noError || answer.code == .nameError
        let header = 0x8000 | Int(flags & 0x7910) | (isOurs ? 0x0400 : 0) | (isTruncated ? 0x0200 : 0) | Int(answer.code.rawValue)
        return message.bytes(header: [Int(id), header, 1, counts[0], counts[1], counts[2] + (hasEDNS ? 1 : 0)])
    }
}

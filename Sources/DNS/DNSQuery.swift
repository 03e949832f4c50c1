import Model

/// A query as it came.
package struct DNSQuery: Sendable {
    /// What a client says with its OPT record (RFC 6891).
    package struct EDNS: Sendable, Hashable {
        package let udpSize: Int
        package let version: UInt8
        /// DNSSEC OK: the answer's OPT says it, too (RFC 3225).
        package let wantsDNSSEC: Bool
    }

    package let id: UInt16
    let flags: UInt16
    package let question: DNSQuestion
    package let edns: EDNS?

    /// What becomes of some bytes.
    package enum Reading: Sendable {
        case query(DNSQuery)
        /// To be answered by a header alone.
        case refusal(DNSHeader)
        /// No query: a reply, or not even a header. Two servers that answer each other would never end.
        case silence
    }

    package static func read(_ bytes: [UInt8]) -> Reading {
        guard let header = DNSHeader(bytes), !header.isReply else { return .silence }
        guard header.opcode == 0 else { return .refusal(header.reply(.notImplemented)) }
        // More than one question is nobody's (RFC 9619); records are at most a signature and an OPT.
        guard header.counts[0] == 1, header.counts[1] <= 1, header.counts[2] <= 1, header.counts[3] <= 2,
            let query = DNSQuery(header, bytes)
        else { return .refusal(header.reply(.formatError)) }
        return .query(query)
    }

    private init?(_ header: DNSHeader, _ bytes: [UInt8]) {
        var reader = DNSReader(bytes, at: DNSHeader.size)
        // Nothing stands before the question's name that it could point to.
        guard let name = reader.name(followsPointers: false), let type = reader.word(), let dnsClass = reader.word() else { return nil }
        question = DNSQuestion(name, type: type, dnsClass: dnsClass)
        var edns: EDNS?
        for section in 1...3 {
            for _ in 0..<header.counts[section] where !reader.isAtEnd {
                guard let record = reader.record() else { return nil }
                guard section == 3, record.type == RecordType.opt.rawValue else { continue }
                // One, of the root's, with whole options (RFC 6891, 6.1.1).
                guard edns == nil, record.name == .root, Self.areOptions(record.data) else { return nil }
                edns = EDNS(
                    udpSize: Int(record.dnsClass), version: UInt8(record.ttl >> 16 & 255), wantsDNSSEC: record.ttl & 0x8000 != 0)
            }
        }
        id = header.id
        flags = header.flags
        self.edns = edns
    }

    private static func areOptions(_ data: ArraySlice<UInt8>) -> Bool {
        var rest = data
        while !rest.isEmpty {
            guard rest.count >= 4 else { return false }
            let length = Int(rest[rest.startIndex + 2]) << 8 | Int(rest[rest.startIndex + 3])
            guard rest.count >= 4 + length else { return false }
            rest = rest.dropFirst(4 + length)
        }
        return true
    }

    /// The answer as bytes, at most `limit`: as many records as fit, and TC when some do not (RFC 2181, 9).
    package func encode(_ answer: DNSAnswer, limit: Int) -> [UInt8] {
        var message = DNSMessage(question)
        let room = limit - (edns == nil ? 0 : DNSMessage.optSize)
        var counts = [1, 0, 0, 0], isTruncated = answer.isTruncated
        sections: for (section, records) in [answer.answers, answer.authority, answer.additional].enumerated() {
            for record in records {
                guard message.append(record, within: room) else {
                    isTruncated = true
                    break sections
                }
                counts[section + 1] += 1
            }
        }
        if let edns {
            message.appendOPT(code: answer.code, wantsDNSSEC: edns.wantsDNSSEC && edns.version == 0)
            counts[3] += 1
        }
        // RD and CD are the client's words (RFC 1035, 4.1.1; RFC 4035, 3.2.2).
        var flags = DNSHeader.reply | self.flags & (DNSHeader.recursionDesired | DNSHeader.checkingDisabled)
        if answer.isAuthoritative { flags |= DNSHeader.authoritative }
        if answer.isRecursive { flags |= DNSHeader.recursionAvailable }
        if isTruncated { flags |= DNSHeader.truncated }
        return message.bytes(DNSHeader(id: id, flags: flags | UInt16(answer.code.rawValue & 15), counts: counts))
    }
}

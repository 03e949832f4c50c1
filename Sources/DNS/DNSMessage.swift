import Model

/// The kinds of record the cluster answers (RFC 1035, 3596, 2782).
package enum RecordType: UInt16, Sendable { case a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, txt = 16, aaaa = 28, srv = 33, any = 255 }

package struct DNSQuestion: Sendable, Hashable {
    /// Labels from left to right, in lower case.
    package let name: [String]
    package let type: UInt16
    package let dnsClass: UInt16

    package init(name: String, type: RecordType) {
        self.name = name.lowercased().split(separator: ".").map(String.init)
        self.type = type.rawValue
        dnsClass = 1
    }

    init(labels: [String], type: UInt16, dnsClass: UInt16) {
        name = labels
        self.type = type
        self.dnsClass = dnsClass
    }
}

package enum RecordData: Sendable, Hashable {
    case a(IPv4Address)
    case cname(String)
    case ptr(String)
    case srv(port: Int, target: String)
    case txt(String)
    case soa(zone: String)

    var type: RecordType {
        switch self {
        case .a: .a
        case .cname: .cname
        case .ptr: .ptr
        case .srv: .srv
        case .txt: .txt
        case .soa: .soa
        }
    }
}

package struct DNSRecord: Sendable, Hashable {
    package let name: String
    package let data: RecordData
}

/// An answer before it is bytes.
package struct DNSAnswer: Sendable, Hashable {
    package enum Code: UInt8, Sendable { case noError = 0, formatError = 1, serverFailure = 2, nameError = 3, notImplemented = 4, refused = 5 }
    package var code: Code
    package var answers: [DNSRecord] = []
    package var authority: [DNSRecord] = []
    package var additional: [DNSRecord] = []

    package init(code: Code, answers: [DNSRecord] = [], authority: [DNSRecord] = [], additional: [DNSRecord] = []) {
        self.code = code
        self.answers = answers
        self.authority = authority
        self.additional = additional
    }
}

/// A query as it came.
package struct DNSQuery: Sendable {
    package let id: UInt16
    package let flags: UInt16
    package let question: DNSQuestion
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
            labels.append(String(decoding: bytes[offset..<offset + length], as: UTF8.self).lowercased())
            offset += length
        }
        guard offset + 4 <= bytes.count else { return nil }
        question = DNSQuestion(labels: labels, type: word(offset), dnsClass: word(offset + 2))
        offset += 4
        // An OPT record has the root as its name; only as the first additional one do clients send it.
        if word(10) > 0, word(6) == 0, word(8) == 0, offset + 11 <= bytes.count, bytes[offset] == 0, word(offset + 1) == 41 {
            udpSize = max(512, Int(word(offset + 3)))
            hasEDNS = true
        } else {
            udpSize = 512
            hasEDNS = false
        }
    }

    /// The answer as bytes; truncated (TC) when it does not fit into `limit`.
    package func encode(_ answer: DNSAnswer, limit: Int) -> [UInt8] {
        var out: [UInt8] = []
        func put(_ value: Int) { out += [UInt8(value >> 8 & 255), UInt8(value & 255)] }
        func put(name: String) {
            for label in name.split(separator: ".") {
                out.append(UInt8(min(63, label.utf8.count)))
                out += label.utf8.prefix(63)
            }
            out.append(0)
        }
        func put(_ record: DNSRecord) {
            put(name: record.name)
            put(Int(record.data.type.rawValue))
            put(1)
            put(0)
            put(5)  // seconds to live: CoreDNS' default for cluster names is 30, and 5 for what may change at once
            let start = out.count
            put(0)
            switch record.data {
            case .a(let address): out += address.bytes
            case .cname(let target), .ptr(let target): put(name: target)
            case .srv(let port, let target):
                put(0)
                put(100)
                put(port)
                put(name: target)
            case .txt(let text):
                out.append(UInt8(min(255, text.utf8.count)))
                out += text.utf8.prefix(255)
            case .soa(let zone):
                put(name: "ns.dns.\(zone)")
                put(name: "hostmaster.\(zone)")
                for number in [1, 7200, 1800, 86400, 5] {
                    put(number >> 16)
                    put(number & 0xFFFF)
                }
            }
            let length = out.count - start - 2
            out[start] = UInt8(length >> 8)
            out[start + 1] = UInt8(length & 255)
        }
        func header(_ truncated: Bool, _ counts: [Int]) {
            put(Int(id))
            // QR, the query's opcode and RD, AA, TC, and the code.
            put(0x8000 | Int(flags & 0x7900) | 0x0400 | (truncated ? 0x0200 : 0) | Int(answer.code.rawValue))
            for count in counts { put(count) }
            put(name: question.name.joined(separator: "."))
            put(Int(question.type))
            put(Int(question.dnsClass))
        }
        func edns() { if hasEDNS { out += [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] } }
        let extra = hasEDNS ? 1 : 0
        header(false, [1, answer.answers.count, answer.authority.count, answer.additional.count + extra])
        for record in answer.answers + answer.authority + answer.additional { put(record) }
        edns()
        if out.count <= limit { return out }
        out = []
        header(true, [1, 0, 0, extra])
        edns()
        return out
    }
}

import Model

/// The bytes of an answer, record by record. Names that stood before are pointed to (RFC 1035, 4.1.4).
struct DNSMessage {
    /// Of an OPT record without options.
    static let optSize = 11
    /// Larger datagrams are cut to pieces on some ways (DNS flag day 2020); who wants more asks by TCP.
    static let largestDatagram = 1232
    private var out: [UInt8]
    private let question: DNSName
    /// Where a name, or its end, stands, by a hash. The question's come in when they are first looked for.
    private var places: [UInt64: Int]?

    init(_ question: DNSQuestion) {
        self.question = question.name
        out = []
        out.reserveCapacity(512)
        out += repeatElement(0, count: DNSHeader.size)
        out += question.name.wire
        put(question.type)
        put(question.dnsClass)
    }

    /// Adds a record unless it ends beyond `limit`: then nothing may follow.
    mutating func append(_ record: DNSRecord, within limit: Int) -> Bool {
        let before = out.count
        put(record.name)
        put(record.data.type)
        put(DNSQuestion.internet)
        put(record.ttl)
        let start = out.count
        put(0 as UInt16)
        put(record.data, record.ttl)
        let length = out.count - start - 2
        out[start] = UInt8(length >> 8 & 255)
        out[start + 1] = UInt8(length & 255)
        if out.count <= limit, length <= 0xFFFF { return true }
        out.removeLast(out.count - before)
        return false
    }

    mutating func appendOPT(code: DNSAnswer.Code, wantsDNSSEC: Bool) {
        out.append(0)
        put(RecordType.opt.rawValue)
        put(UInt16(Self.largestDatagram))
        put(UInt32(code.rawValue >> 4) << 24 | (wantsDNSSEC ? 0x8000 : 0))
        put(0 as UInt16)
    }

    /// The whole message.
    mutating func bytes(_ header: DNSHeader) -> [UInt8] {
        out.replaceSubrange(0..<DNSHeader.size, with: header.bytes)
        return out
    }

    private mutating func put(_ word: UInt16) {
        out.append(UInt8(word >> 8))
        out.append(UInt8(word & 255))
    }

    private mutating func put(_ long: UInt32) {
        put(UInt16(long >> 16))
        put(UInt16(long & 0xFFFF))
    }

    private mutating func put(_ data: RecordData, _ ttl: UInt32) {
        switch data {
        case .a(let address): out += address.bytes
        case .ns(let target), .cname(let target), .ptr(let target): put(target)
        case .srv(let weight, let port, let target):
            for word in [0, weight, port] { put(UInt16(truncatingIfNeeded: word)) }
            put(target, isCompressed: false)  // RFC 2782: no name compression for the target
        case .txt(let text):
            out.append(UInt8(min(255, text.utf8.count)))
            out += text.utf8.prefix(255)
        case .soa(let zone):
            put(DNSName(wire: DNSName("ns.dns").wire.dropLast() + zone.wire))
            put(DNSName(wire: DNSName("hostmaster").wire.dropLast() + zone.wire))
            for number in [1, 7200, 1800, 86400, ttl] { put(number) }
        case .other(_, let bytes): out += bytes
        }
    }

    private mutating func put(_ name: DNSName, isCompressed: Bool = true) {
        if isCompressed, name == question, name != .root { return put(0xC000 | UInt16(DNSHeader.size)) }
        var places = self.places ?? [:]
        self.places = nil
        defer { self.places = places }
        if places.isEmpty {
            let starts = question.starts
            for (start, hash) in zip(starts, hashes(question, starts)) { places[hash] = DNSHeader.size + start }
        }
        let starts = name.starts
        for (start, hash) in zip(starts, hashes(name, starts)) {
            if let place = places[hash], stands(name, from: start, at: place) {
                if isCompressed { return put(0xC000 | UInt16(place)) }
            } else if out.count < 0x4000 {
                places[hash] = out.count
            }
            out += name.wire[start...start + Int(name.wire[start])]
        }
        out.append(0)
    }

    /// Of the name from each label on.
    private func hashes(_ name: DNSName, _ starts: [Int]) -> [UInt64] {
        var hashes = [UInt64](repeating: 0, count: starts.count), hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in starts.indices.reversed() {
            for byte in name.wire[starts[index]...starts[index] + Int(name.wire[starts[index]])] {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            }
            hashes[index] = hash
        }
        return hashes
    }

    /// Whether what is written at a place is this end of a name, letter for letter.
    private func stands(_ name: DNSName, from start: Int, at place: Int) -> Bool {
        var (start, place) = (start, place)
        while place < out.count {
            let length = Int(out[place])
            if length >= 0xC0 {
                place = (length & 63) << 8 | Int(out[place + 1])
                continue
            }
            guard place + length < out.count,
                out[place...place + length] == name.wire[start...start + min(length, name.wire.count - start - 1)]
            else { return false }
            if length == 0 { return true }
            (start, place) = (start + length + 1, place + length + 1)
        }
        return false
    }
}

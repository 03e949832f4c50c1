/// Reads a message from the left to the right; nil is what is no part of a message, or cut short.
struct DNSReader {
    struct Record {
        let name: DNSName
        let type: UInt16
        let dnsClass: UInt16
        let ttl: UInt32
        /// Its place in the message, too: names in it may point to others.
        let data: ArraySlice<UInt8>
    }

    private let bytes: [UInt8]
    private(set) var offset: Int

    init(_ bytes: [UInt8], at offset: Int) {
        self.bytes = bytes
        self.offset = offset
    }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func word() -> UInt16? {
        guard offset + 2 <= bytes.count else { return nil }
        defer { offset += 2 }
        return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }

    /// A name. A pointer leads to what stood before it (RFC 1035, 4.1.4), so that none leads in a circle.
    mutating func name(followsPointers: Bool = true) -> DNSName? {
        var wire: [UInt8] = []
        wire.reserveCapacity(48)
        var at = offset, end: Int?, before = offset
        while at < bytes.count {
            let length = Int(bytes[at])
            if length >= 0xC0 {
                guard followsPointers, at + 1 < bytes.count, case let place = (length & 63) << 8 | Int(bytes[at + 1]),
                    place >= DNSHeader.size, place < before
                else { return nil }
                end = end ?? at + 2
                (at, before) = (place, place)
                continue
            }
            guard length < 64, at + length < bytes.count, wire.count + length + 1 <= DNSName.mostBytes else { return nil }
            wire += bytes[at...at + length]
            at += length + 1
            if length == 0 {
                offset = end ?? at
                return DNSName(wire: wire)
            }
        }
        return nil
    }

    mutating func record() -> Record? {
        guard let name = name(), let type = word(), let dnsClass = word(), let high = word(), let low = word(), let length = word(),
            offset + Int(length) <= bytes.count
        else { return nil }
        defer { offset += Int(length) }
        return Record(
            name: name, type: type, dnsClass: dnsClass, ttl: UInt32(high) << 16 | UInt32(low),
            data: bytes[offset..<offset + Int(length)])
    }
}

extension DNSReader.Record {
    /// Its data without pointers, which only the types of RFC 1035 may have (RFC 3597, 4); nil when it is not what its type says.
    func spelledOut(in message: [UInt8]) -> [UInt8]? {
        let (before, names) =
            switch type {
            case 2, 5, 12, 39: (0, 1)  // NS, CNAME, PTR, DNAME
            case 6: (0, 2)  // SOA
            case 15: (2, 1)  // MX
            case 33: (6, 1)  // SRV
            default: (data.count, 0)
            }
        guard data.count >= before else { return nil }
        var reader = DNSReader(message, at: data.startIndex + before), spelled = Array(data.prefix(before))
        for _ in 0..<names {
            guard let name = reader.name() else { return nil }
            spelled += name.wire
        }
        guard reader.offset <= data.endIndex else { return nil }
        return spelled + message[reader.offset..<data.endIndex]
    }
}

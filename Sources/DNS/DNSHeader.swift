/// The twelve bytes that every message begins with (RFC 1035, 4.1.1).
package struct DNSHeader: Sendable, Hashable {
    package static let size = 12
    static let reply: UInt16 = 0x8000
    static let authoritative: UInt16 = 0x0400
    static let truncated: UInt16 = 0x0200
    static let recursionDesired: UInt16 = 0x0100
    static let recursionAvailable: UInt16 = 0x0080
    static let checkingDisabled: UInt16 = 0x0010

    package let id: UInt16
    let flags: UInt16
    /// Questions, answers, authority, additional records.
    let counts: [Int]

    init(id: UInt16, flags: UInt16, counts: [Int]) {
        self.id = id
        self.flags = flags
        self.counts = counts
    }

    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.size else { return nil }
        func word(_ index: Int) -> UInt16 { UInt16(bytes[index * 2]) << 8 | UInt16(bytes[index * 2 + 1]) }
        self.init(id: word(0), flags: word(1), counts: (2..<6).map { Int(word($0)) })
    }

    var isReply: Bool { flags & Self.reply != 0 }
    var opcode: UInt16 { flags >> 11 & 15 }
    var code: UInt16 { flags & 15 }

    /// An answer to a query of this header, without any record.
    func reply(_ code: DNSAnswer.Code) -> DNSHeader {
        let kept = flags & (0x7800 | Self.recursionDesired | (opcode == 0 ? Self.checkingDisabled : 0))
        return DNSHeader(id: id, flags: Self.reply | kept | UInt16(code.rawValue & 15), counts: [0, 0, 0, 0])
    }

    package var bytes: [UInt8] { ([id, flags] + counts.map { UInt16($0) }).flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
}

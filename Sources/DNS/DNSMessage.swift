import Model

/// The bytes of an answer, record by record. Names that stood before are pointed to (RFC 1035, section 4.1.4).
struct DNSMessage {
    /// An empty OPT record that offers 1,232 bytes (RFC 6891).
    static let optRecord: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
    private static let headerSize = 12
    /// Seconds to live: CoreDNS' default for the cluster's names.
    private static let timeToLive = 5

    private var out: [UInt8]
    /// Where a name, or its end, stands.
    private var offsets: [String: Int] = [:]

    init(question: [UInt8], labels: [String]) {
        out = [UInt8](repeating: 0, count: Self.headerSize) + question
        // A label's bytes may be no text, so it is they that are counted.
        var offset = Self.headerSize
        for index in labels.indices {
            offsets[labels[index...].joined(separator: ".")] = offset
            offset += Int(out[offset]) + 1
        }
    }

    /// Adds a record unless it ends beyond `limit`.
    mutating func append(_ record: DNSRecord, within limit: Int) -> Bool {
        let before = self
        put(name: record.name)
        for word in [Int(record.data.type.rawValue), 1, 0, Self.timeToLive] { put(word) }
        let start = out.count
        put(0)
        put(record.data)
        let length = out.count - start - 2
        out[start] = UInt8(length >> 8)
        out[start + 1] = UInt8(length & 255)
        if out.count <= limit { return true }
        self = before
        return false
    }

    mutating func append(bytes: [UInt8]) { out += bytes }

    /// The message with its header's six words.
    func bytes(header: [Int]) -> [UInt8] {
        header.flatMap { [UInt8($0 >> 8 & 255), UInt8($0 & 255)] } + out[Self.headerSize...]
    }

    private mutating func put(_ word: Int) { out += [UInt8(word >> 8 & 255), UInt8(word & 255)] }

    private mutating func put(_ data: RecordData) {
        switch data {
        case .a(let address): out += address.bytes
        case .ns(let target), .cname(let target), .ptr(let target): put(name: target)
        case .srv(let weight, let port, let target):
            for word in [0, weight, port] { put(word) }
            put(name: target, isCompressed: false)  // RFC 2782: no name compression for the target
        case .txt(let text):
            out.append(UInt8(min(255, text.utf8.count)))
            out += text.utf8.prefix(255)
        case .soa(let zone):
            put(name: "ns.dns.\(zone)")
            put(name: "hostmaster.\(zone)")
            for number in [1, 7200, 1800, 86400, Self.timeToLive] {
                put(number >> 16)
                put(number & 0xFFFF)
            }
        }
    }

    private mutating func put(name: String, isCompressed: Bool = true) {
        var rest = name[...]
        while !rest.isEmpty {
            if isCompressed, let offset = offsets[String(rest)] { return put(0xC000 | offset) }
            if out.count < 0x4000 { offsets[String(rest)] = out.count }
            let dot = rest.firstIndex(of: ".") ?? rest.endIndex
            let label = rest[..<dot]
            out.append(UInt8(min(63, label.utf8.count)))
            out += label.utf8.prefix(63)
            rest = dot < rest.endIndex ? rest[rest.index(after: dot)...] : ""
        }
        out.append(0)
    }
}

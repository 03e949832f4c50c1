/// A domain name as messages have it: each label after its length, and the root's zero at the end. Labels hold any bytes (RFC 2181, 11).
package struct DNSName: Sendable, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    package static let mostBytes = 255
    package static let root = DNSName(wire: [0])

    let wire: [UInt8]

    init(wire: [UInt8]) { self.wire = wire }

    /// A name of the API's: labels between dots. What is longer than a label or a name may be is cut.
    package init(_ text: some StringProtocol) {
        var wire: [UInt8] = []
        for label in text.utf8.split(separator: UInt8(ascii: ".")) where wire.count + min(63, label.count) + 2 <= Self.mostBytes {
            wire.append(UInt8(min(63, label.count)))
            wire += label.prefix(63)
        }
        self.wire = wire + [0]
    }

    package init(stringLiteral text: String) { self.init(text) }

    /// Where each label's length stands, from left to right.
    var starts: [Int] {
        var starts: [Int] = []
        var offset = 0
        while offset < wire.count, wire[offset] > 0 {
            starts.append(offset)
            offset += Int(wire[offset]) + 1
        }
        return starts
    }

    /// With small letters: names are compared without regard to case, in ASCII alone (RFC 4343). No length of a label is a letter.
    var lowercased: DNSName { DNSName(wire: wire.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }) }

    /// The labels from an offset on, and the root.
    func suffix(from offset: Int) -> DNSName { offset == 0 ? self : DNSName(wire: Array(wire[offset...])) }

    /// The offset at which `zone` begins; nil when this is no name in it. Both are in small letters.
    func start(of zone: DNSName) -> Int? {
        let start = wire.count - zone.wire.count
        guard start >= 0, wire[start...].elementsEqual(zone.wire) else { return nil }
        // The bytes may stand inside a label.
        var offset = 0
        while offset < start { offset += Int(wire[offset]) + 1 }
        return offset == start ? start : nil
    }

    package var description: String {
        let labels = starts.map { start in
            wire[start + 1..<start + 1 + Int(wire[start])].map { byte in
                if byte == UInt8(ascii: ".") || byte == UInt8(ascii: "\\") { return "\\\(Character(UnicodeScalar(byte)))" }
                if 0x21..<0x7F ~= byte { return String(UnicodeScalar(byte)) }
                return "\\" + String(1000 + Int(byte)).dropFirst()
            }.joined()
        }
        return labels.joined(separator: ".")
    }
}

/// Some labels of a name, as tables find them: by their bytes, wherever they stand.
struct DNSLabels: Sendable, Hashable {
    private let bytes: [UInt8]
    private let range: Range<Int>

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        self.range = range
    }

    /// Labels of the API's, in small letters.
    init(_ labels: String...) {
        bytes = labels.flatMap { [UInt8(min(63, $0.utf8.count))] + $0.lowercased().utf8.prefix(63) }
        range = bytes.indices
    }

    static func == (a: DNSLabels, b: DNSLabels) -> Bool {
        a.range.count == b.range.count && a.bytes[a.range].elementsEqual(b.bytes[b.range])
    }

    func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

/// Base 64 (RFC 4648, section 4), as the `data` of Secrets is written.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    /// For URLs and tokens (section 5).
    private static let alphabetURL = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let values = values(of: alphabet)
    private static let valuesURL = values(of: alphabetURL)
    private static let padding = UInt8(ascii: "="), none: UInt8 = 255

    /// What each byte stands for; `none` if it is not in the alphabet.
    private static func values(of alphabet: [UInt8]) -> [UInt8] {
        var values = [UInt8](repeating: none, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }

    package static func encode(_ bytes: [UInt8]) -> String { encode(bytes, alphabet, pads: true) }

    /// Base 64 for URLs and tokens, without padding (RFC 4648, section 5).
    package static func encodeURL(_ bytes: [UInt8]) -> String { encode(bytes, alphabetURL, pads: false) }

    private static func encode(_ bytes: [UInt8], _ alphabet: [UInt8], pads: Bool) -> String {
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { out in
            var count = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let length = min(3, bytes.count - start)
                var bits = 0
                for index in 0..<3 { bits = bits << 8 | (index < length ? Int(bytes[start + index]) : 0) }
                for index in 0..<4 where index <= length || pads {
                    out[count] = index <= length ? alphabet[bits >> (18 - 6 * index) & 63] : padding
                    count += 1
                }
            }
            return count
        }
    }

    /// nil when the text is no base 64.
    package static func decode(_ text: String) -> [UInt8]? {
        guard let (out, padding) = decode(text, values) else { return nil }
        let isWhole = (out.count + [0, 2, 1][out.count % 3]) / 3 * 3 == out.count + padding && (padding > 0) == (out.count % 3 != 0)
        return isWhole && padding <= 2 ? out : nil
    }

    /// Where a text stops being base64 (RFC 4648, section 4, padded), as Go's decoder counts; nil when it does not.
    package static func corruption(in text: String) -> Int? {
        let signs = Array(text.utf8)
        var place = 0
        func skipLines() { while place < signs.count, signs[place] == 0x0A || signs[place] == 0x0D { place += 1 } }
        while true {
            var count = 0
            while count < 4 {
                skipLines()
                if place == signs.count { return count == 0 ? nil : place - count }
                let sign = signs[place]
                place += 1
                if sign != padding {
                    if values[Int(sign)] == none { return place - 1 }
                    count += 1
                    continue
                }
                if count < 2 { return place - 1 }
                skipLines()
                if count == 2 {
                    if place == signs.count { return place }
                    if signs[place] != padding { return place }
                    place += 1
                    skipLines()
                }
                return place < signs.count ? place : nil
            }
        }
    }

    /// nil when the text is none.
    package static func decodeURL(_ text: String) -> [UInt8]? {
        guard let (out, padding) = decode(text, valuesURL), padding == 0 else { return nil }
        return out
    }

    /// The bytes, and how many signs of padding followed them; nil for anything else, or with a rest that makes no byte.
    private static func decode(_ text: String, _ values: [UInt8]) -> (bytes: [UInt8], padding: Int)? {
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count / 4 * 3 + 3)
        var bits = 0, count = 0, padding = 0
        for byte in text.utf8 where byte != 0x0A && byte != 0x0D {
            if byte == Self.padding {
                padding += 1
                continue
            }
            let value = values[Int(byte)]
            guard padding == 0, value != none else { return nil }
            bits = (bits << 6 | Int(value)) & 0xFF_FFFF
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(bits >> count & 255))
            }
        }
        return count < 6 ? (out, padding) : nil
    }
}

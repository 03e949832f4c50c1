/// Base 64 (RFC 4648, section 4), as the `data` of Secrets is written.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let chunk = bytes[start..<min(start + 3, bytes.count)]
            let bits = chunk.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - chunk.count))
            for index in 0..<4 { out.append(index <= chunk.count ? alphabet[bits >> (18 - 6 * index) & 63] : UInt8(ascii: "=")) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// nil when the text is no base 64.
    package static func decode(_ text: String) -> [UInt8]? {
        var out: [UInt8] = []
        var bits = 0, count = 0, padding = 0
        for byte in text.utf8 where byte != 0x0A && byte != 0x0D {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = alphabet.firstIndex(of: byte) else { return nil }
            bits = (bits << 6 | value) & 0xFF_FFFF
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(bits >> count & 255))
            }
        }
        let isWhole = (out.count + [0, 2, 1][out.count % 3]) / 3 * 3 == out.count + padding && (padding > 0) == (out.count % 3 != 0)
        return isWhole && padding <= 2 && count < 6 ? out : nil
    }

    /// Base 64 for URLs and tokens, without padding (RFC 4648, section 5).
    package static func encodeURL(_ bytes: [UInt8]) -> String {
        String(encode(bytes).prefix { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }

    /// nil when the text is none.
    package static func decodeURL(_ text: String) -> [UInt8]? {
        let plain = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        return decode(plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4))
    }
}

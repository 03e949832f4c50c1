import Model
import NIOCore

/// A request as handlers see it.
package struct HTTPRequest: Sendable {
    package let method: String
    /// The path's segments, decoded.
    package let path: [String]
    package let query: [(name: String, value: String)]
    package let accept: String
    package let contentType: String
    package let body: [UInt8]

    package init(method: String, target: String, accept: String = "", contentType: String = "", body: [UInt8] = []) {
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0].split(separator: "/").map { URL.decode($0) }
        query =
            parts.count < 2
            ? []
            : parts[1].split(separator: "&").map { pair in
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (URL.decode(sides[0]), sides.count > 1 ? URL.decode(sides[1]) : "")
            }
        self.accept = accept
        self.contentType = contentType
        self.body = body
    }

    package subscript(_ name: String) -> String? { query.first { $0.name == name }?.value }
    package func isTrue(_ name: String) -> Bool { ["true", "1"].contains(self[name] ?? "") }
}

/// An answer: whole, or a stream of pieces that ends when the sequence does.
package enum HTTPResponse: Sendable {
    case json(JSON, code: Int = 200)
    case text(String, code: Int = 200)
    /// Each element is one chunk, flushed at once.
    case stream(contentType: String, AsyncThrowingStream<[UInt8], any Error>)
}

/// Percent encoding (RFC 3986, section 2.1).
package enum URL {
    package static func decode(_ text: some StringProtocol) -> String {
        var out: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            if byte == UInt8(ascii: "%"), bytes.count >= 2, let value = UInt8(String(decoding: bytes.prefix(2), as: UTF8.self), radix: 16) {
                out.append(value)
                bytes = bytes.dropFirst(2)
            } else {
                out.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    package static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

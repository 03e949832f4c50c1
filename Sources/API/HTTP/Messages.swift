import Model
import NIOCore

/// A request as handlers see it.
package struct HTTPRequest: Sendable {
    package let method: String
    /// The path as it came, without the query.
    package let rawPath: String
    /// The path's segments, decoded.
    package let path: [String]
    package let query: [(name: String, value: String)]
    package let rawQuery: String
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    /// Who the connection itself proves to be on the other side; nil when only the request can tell.
    package let peer: UserInfo?
    /// The other side tried to prove itself by the connection, and did not.
    package let isRefused: Bool

    package init(
        method: String, target: String, accept: String = "", contentType: String = "", headers: [(name: String, value: String)] = [],
        body: [UInt8] = [],
        peer: UserInfo? = .root, isRefused: Bool = false
    ) {
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        rawPath = parts.first.map(String.init) ?? "/"
        path = rawPath.split(separator: "/").map { URL.decode($0, plusIsSpace: false) }
        rawQuery = parts.count > 1 ? String(parts[1]) : ""
        query = rawQuery.split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (URL.decode(sides[0]), sides.count > 1 ? URL.decode(sides[1]) : "")
        }
        self.headers = headers + (accept.isEmpty ? [] : [("Accept", accept)]) + (contentType.isEmpty ? [] : [("Content-Type", contentType)])
        self.body = body
        self.peer = peer
        self.isRefused = isRefused
    }

    package subscript(_ name: String) -> String? { query.first { $0.name == name }?.value }
    /// A flag's value; whatever denies nothing affirms. (k8s.io/apimachinery/pkg/runtime, Convert_Slice_string_To_bool)
    package func isTrue(_ name: String) -> Bool { self[name].map { !["false", "0"].contains($0.lowercased()) } ?? false }
    func values(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }

    package func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
    package func headerValues(_ name: String) -> [String] { headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value) }
    package var accept: String { headerValues("Accept").joined(separator: ",") }
    /// Without its parameters.
    package var contentType: String { (header("Content-Type") ?? "").split(separator: ";").first?.trimmed.lowercased() ?? "" }
}

/// An answer: whole, or said piece by piece until its source has ended.
package indirect enum HTTPResponse: Sendable {
    case json(JSON, code: Int = 200)
    case text(String, code: Int = 200)
    case bytes([UInt8], contentType: String, code: Int = 200)
    /// Each piece is flushed at once. A reader that takes nothing for `patience` seconds, if it is set, has left.
    case stream(contentType: String, patience: Int?, ByteSource)
    /// Another server's answer, with its own headers.
    case relayed(code: Int, headers: [(name: String, value: String)], ByteSource)
    /// With headers beside: warnings for the user, what else is allowed.
    case with(headers: [(name: String, value: String)], HTTPResponse)

    static func failure(_ error: any Error) -> HTTPResponse {
        let error = error as? StatusError ?? StatusError(500, .internalError, "Internal error occurred: \(error)")
        return HTTPResponse.json(error.status, code: error.code).warning(error.warnings)
    }

    /// With what the user should know (RFC 7234, 5.5; code 299).
    func warning(_ texts: [String]) -> HTTPResponse {
        if texts.isEmpty { return self }
        return .with(headers: texts.map { ("Warning", "299 - \(JSON.string($0).text())") }, self)
    }
}

/// Percent encoding (RFC 3986, section 2.1).
package enum URL {
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = true) -> String {
        var out: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            if byte == UInt8(ascii: "%"), bytes.count >= 2, let value = UInt8(String(decoding: bytes.prefix(2), as: UTF8.self), radix: 16) {
                out.append(value)
                bytes = bytes.dropFirst(2)
            } else {
                out.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
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

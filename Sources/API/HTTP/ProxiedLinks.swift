/// Links of a page that is seen through a proxy. (k8s.io/apimachinery/pkg/util/proxy, Transport)
package struct ProxiedLinks {
    /// What the proxy puts before the paths of the other server.
    private let prefix: String
    /// The other server, as its own links may name it.
    private let host: String

    package init(prefix: String, host: String) {
        self.prefix = prefix
        self.host = host
    }

    /// The attributes of HTML that hold one address (html.spec.whatwg.org, "Attributes").
    private static let attributes: Set<String> = [
        "action", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon", "longdesc", "manifest", "poster",
        "profile", "src", "usemap",
    ]

    /// An absolute path, or an address on the other server, as it is reached through the proxy; anything else as it is.
    package func rewrite(url: String) -> String {
        var path = Substring(url)
        for scheme in ["http://", "https://", "//"] where path.hasPrefix(scheme + host) { path = path.dropFirst(scheme.count + host.count) }
        if path.isEmpty, !url.isEmpty { path = "/" }
        guard path.hasPrefix("/"), !path.hasPrefix("//"), !path.hasPrefix(prefix + "/"), path != prefix else { return url }
        return prefix + path
    }

    /// A page with the links of its tags rewritten; what is no tag stays to the byte.
    package func rewrite(page: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var rest = page[...]
        while let open = rest.firstIndex(of: UInt8(ascii: "<")), let close = rest[open...].firstIndex(of: UInt8(ascii: ">")) {
            out += rest[..<open]
            let tag = rest[open...close]
            let isMarkup = tag.dropFirst().first.map { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 } ?? false
            out += isMarkup ? rewrite(tag: tag) : Array(tag)
            rest = rest[(close + 1)...]
        }
        return out + rest
    }

    /// A tag with the addresses of its attributes rewritten: `name = "value"`, in either kind of quotes. Each byte is looked at a few
    /// times, whatever a pod serves.
    private func rewrite(tag: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(tag.count)
        var rest = tag
        /// Quotes of which no more come.
        var missing: Set<UInt8> = []
        while let start = rest.firstIndex(where: Self.isName) {
            let end = rest[start...].firstIndex { !Self.isName($0) } ?? rest.endIndex
            let name = String(decoding: rest[start..<end], as: UTF8.self).lowercased()
            let value = Self.value(rest[end...])
            out += rest[..<(value ?? end)]
            rest = rest[(value ?? end)...]
            guard let value, let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"), !missing.contains(quote)
            else { continue }
            guard let close = rest[(value + 1)...].firstIndex(of: quote) else {
                missing.insert(quote)
                continue
            }
            let text = rest[(value + 1)..<close]
            out.append(quote)
            out += Self.attributes.contains(name) ? Array(rewrite(url: String(decoding: text, as: UTF8.self)).utf8) : Array(text)
            out.append(quote)
            rest = rest[(close + 1)...]
        }
        return out + rest
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"),
            UInt8(ascii: "-"), 0x80...:
            true
        default: false
        }
    }

    /// Where a value begins after its name and `=`; nil when none follows.
    private static func value(_ bytes: ArraySlice<UInt8>) -> Int? {
        func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0C, 0x0D].contains(byte) }
        guard let equals = bytes.firstIndex(where: { !isSpace($0) }), bytes[equals] == UInt8(ascii: "=") else { return nil }
        return bytes[(equals + 1)...].firstIndex { !isSpace($0) }
    }
}

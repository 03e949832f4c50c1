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
        "action", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon", "longdesc", "manifest", "poster", "profile", "src", "usemap",
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

    private func rewrite(tag: ArraySlice<UInt8>) -> [UInt8] {
        let text = String(decoding: tag, as: UTF8.self)
        return Array(
            text.replacing(/([\w-]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)')/) { match in
                guard Self.attributes.contains(match.1.lowercased()), let value = match.3 ?? match.4 else { return String(match.0) }
                let quote = match.3 == nil ? "'" : "\""
                return "\(match.1)\(match.2)\(quote)\(rewrite(url: String(value)))\(quote)"
            }.utf8)
    }
}

/// The name of an image: `docker.io/library/httpd:2.4`, with what people leave out filled in. (distribution/reference, "Grammar")
package struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// A host, with a port where it has one.
    package let registry: String
    /// What the registry knows it by: `library/httpd`.
    package let repository: String
    package let tag: String?
    package let digest: String?

    /// nil when the text is no name of an image at all.
    package init?(_ text: String) {
        guard text.utf8.count <= 4096, !Self.isHex(text, 64) else { return nil }
        let (named, digest) = Self.cut(text, at: text.firstIndex(of: "@"))
        let slash = named.firstIndex(of: "/"), first = slash.map { String(named[..<$0]) } ?? ""
        let hasRegistry = first.contains(".") || first.contains(":") || first == "localhost" || first != first.lowercased()
        let path = hasRegistry ? String(named[(slash ?? named.startIndex)...].dropFirst()) : named
        let last = path.lastIndex(of: "/") ?? path.startIndex
        let (repository, tag) = Self.cut(path, at: path[last...].firstIndex(of: ":"))
        guard !hasRegistry || Self.isHost(first),
            repository.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isPart),
            tag.map(Self.isTag) ?? true, digest.map(Self.isDigest) ?? true
        else { return nil }
        registry = hasRegistry && first != "index.docker.io" ? first : "docker.io"
        self.repository = registry == "docker.io" && !repository.contains("/") ? "library/\(repository)" : repository
        guard self.repository.utf8.count <= Self.longestRepository else { return nil }
        self.digest = digest
        self.tag = tag ?? (digest == nil ? "latest" : nil)
    }

    /// The last part of the repository: `httpd`.
    package var name: String { repository.split(separator: "/").last.map(String.init) ?? repository }

    package var description: String { "\(registry)/\(repository)\(tag.map { ":\($0)" } ?? "")\(digest.map { "@\($0)" } ?? "")" }

    private static func cut(_ text: String, at index: String.Index?) -> (String, String?) {
        guard let index else { return (text, nil) }
        return (String(text[..<index]), String(text[text.index(after: index)...]))
    }

    private static let longestRepository = 255

    /// A name or an address, IPv6's in brackets, and perhaps a port.
    private static func isHost(_ text: String) -> Bool {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let inside = text[..<end].dropFirst(), port = text[text.index(after: end)...]
            return !inside.isEmpty && inside.utf8.allSatisfy { isHex($0 | 0x20) || $0 == UInt8(ascii: ":") }
                && (port.isEmpty || port.first == ":" && port.utf8.count > 1 && port.utf8.dropFirst().allSatisfy(isDigit))
        }
        let sides = text.split(separator: ":", omittingEmptySubsequences: false)
        guard sides.count <= 2, sides.count == 1 || (!sides[1].isEmpty && sides[1].utf8.allSatisfy(isDigit)) else { return false }
        return sides[0].split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { isDigit($0) || isSmall($0 | 0x20) || $0 == UInt8(ascii: "-") }
        }
    }

    /// Small letters and digits; between them one of `.`, `_`, `__` or any number of `-`.
    private static func isPart(_ part: Substring) -> Bool {
        let isWord = { (byte: UInt8) in isDigit(byte) || isSmall(byte) }
        guard let first = part.utf8.first, let last = part.utf8.last, isWord(first), isWord(last) else { return false }
        return part.utf8.split(whereSeparator: isWord).allSatisfy { gap in
            let text = String(Substring(gap))
            return text == "." || text == "_" || text == "__" || text.allSatisfy { $0 == "-" }
        }
    }

    private static func isTag(_ tag: String) -> Bool {
        let isWord = { (byte: UInt8) in isDigit(byte) || isSmall(byte | 0x20) || byte == UInt8(ascii: "_") }
        guard let first = tag.utf8.first, isWord(first), tag.utf8.count <= 128 else { return false }
        return tag.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    /// Of an algorithm that the reference library knows, whole. (opencontainers/go-digest, Validate)
    private static func isDigest(_ digest: String) -> Bool {
        [("sha256:", 64), ("sha384:", 96), ("sha512:", 128)].contains { name, digits in
            digest.hasPrefix(name) && isHex(digest.dropFirst(name.count), digits)
        }
    }

    private static func isHex(_ text: some StringProtocol, _ digits: Int) -> Bool {
        text.utf8.count == digits && text.utf8.allSatisfy(isHex)
    }
    private static func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isSmall(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
}

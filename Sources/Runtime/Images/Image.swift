import Model

/// What an image says of itself, as an OCI image's config does.
package struct Image: Sendable, Hashable {
    package let name: String
    /// The host's directory that is its root, read-only.
    package let root: String
    package let entrypoint: [String]
    package let command: [String]
    package let environment: [String]
    package let workingDirectory: String
    package let stopSignal: Int

    /// The repository without registry, path and tag: `docker.io/library/httpd:2.4` -> `httpd`.
    package static func shortName(_ reference: String) -> String {
        let last = reference.split(separator: "/").last.map(String.init) ?? reference
        return String(last.prefix { $0 != ":" && $0 != "@" })
    }

    /// The whole name of what `reference` names: `busybox` -> `docker.io/library/busybox:latest`.
    package static func fullName(_ reference: String) -> String {
        let parts = reference.split(separator: "/", omittingEmptySubsequences: false)
        let first = parts.first.map(String.init) ?? ""
        let hasRegistry = parts.count > 1 && (first.contains(".") || first.contains(":") || first == "localhost")
        let named = hasRegistry ? reference : parts.count > 1 ? "docker.io/\(reference)" : "docker.io/library/\(reference)"
        return parts.last.map { $0.contains(":") || $0.contains("@") } == true ? named : "\(named):latest"
    }

    /// Whether a text is a name of an image at all. (distribution/reference, "Grammar")
    package static func isReference(_ text: String) -> Bool {
        let part = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
        let host = "(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?/)?"
        guard
            let pattern = try? Regex("^\(host)\(part)(?:/\(part))*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z0-9]+:[0-9a-f]{32,})?$")
        else {
            return false
        }
        return text.utf8.count <= 4096 && text.wholeMatch(of: pattern) != nil
    }

    /// The digest of what the image says of itself.
    package var id: String {
        let words = [name] + entrypoint + command + environment + [workingDirectory, "\(stopSignal)"]
        return "sha256:\(ShortHash.hex(words.joined(separator: "\n"), digits: 64))"
    }

    static let standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    /// The image the cluster's DNS runs from.
    package static let dns = "minik-dns"
}

/// An image that there is none of.
package struct ImageNotFound: Error, CustomStringConvertible {
    package let reference: String
    package var description: String {
        "failed to pull and unpack image \"\(Image.fullName(reference))\": failed to resolve image: minik has the images \(ImageStore.published.joined(separator: ", ")) (any tag)"
    }
}

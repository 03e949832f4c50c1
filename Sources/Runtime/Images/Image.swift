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

    static let standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    /// The image the cluster's DNS runs from.
    package static let dns = "minik-dns"
}

/// An image that there is none of.
package struct ImageNotFound: Error, CustomStringConvertible {
    package let reference: String
    package var description: String {
        "failed to resolve reference \"\(reference)\": minik has the images \(ImageStore.published.joined(separator: ", ")) (any tag)"
    }
}

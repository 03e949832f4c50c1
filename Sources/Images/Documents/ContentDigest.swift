import COpenSSL

/// `sha256:` and 64 hexadecimal digits: what a content is known by.
package struct ContentDigest: Sendable, Hashable, CustomStringConvertible {
    package let hex: String

    /// nil for what is no SHA-256; no registry in use knows contents by anything else.
    package init?(_ text: String) {
        guard text.hasPrefix("sha256:") else { return nil }
        self.init(hex: String(text.dropFirst("sha256:".count)))
    }

    package init?(hex: String) {
        guard hex.utf8.count == 64, hex.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
        self.hex = hex
    }

    package init(of bytes: [UInt8]) {
        let hash = RunningDigest()
        bytes.withUnsafeBytes { hash.add($0) }
        self = hash.finish()
    }

    fileprivate init(_ bytes: [UInt8]) { hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    package var description: String { "sha256:\(hex)" }
    /// As people abbreviate it.
    package var short: String { String(hex.prefix(12)) }
}

/// The digest of bytes that come one after the other.
package final class RunningDigest {
    private let context = EVP_MD_CTX_new()

    package init() { EVP_DigestInit_ex(context, EVP_sha256(), nil) }
    deinit { EVP_MD_CTX_free(context) }

    package func add(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

    package func finish() -> ContentDigest {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &length)
        return ContentDigest(digest)
    }
}

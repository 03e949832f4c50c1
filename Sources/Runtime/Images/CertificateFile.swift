import Host
import TLS

/// A file that is to hold the certificate of an authority.
package enum CertificateFile {
    /// Why it is none; nil when it is.
    package static func problem(_ path: String) -> String? {
        guard !Files.isDirectory(path) else { return "is a directory" }
        do { _ = try Certificate(pem: String(decoding: try Files.read(path), as: UTF8.self)) } catch let error as FileError {
            return "cannot be read: \(error)"
        } catch { return "is no certificate in PEM" }
        return nil
    }
}

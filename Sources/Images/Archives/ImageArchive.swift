/// Something that holds images as files: a tar, a directory.
package protocol ImageArchive: Sendable {
    /// What to call it to people.
    var name: String { get }
    /// A whole small file; nil when there is none of that name.
    func content(_ path: String) throws -> [UInt8]?
    func has(_ path: String) -> Bool
    /// Copies files out, in the archive's own order: `target` says where each goes, and hears of it when it is whole.
    func copy(_ paths: Set<String>, to target: (String) throws -> BlobFile, done: (String, BlobFile) throws -> Void) throws
}

/// The most that a manifest, an index or a configuration may come to. (containerd reads 8 MiB)
let mostOfDocument = 8 << 20

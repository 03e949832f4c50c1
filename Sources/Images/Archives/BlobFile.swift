import Glibc
import Host
import Runtime

/// A content on its way into the store: written, counted and hashed. Its file goes with it unless it is kept.
package final class BlobFile {
    package let path: String
    package private(set) var size = 0
    private let descriptor: Descriptor
    private let hash = RunningDigest()
    private var first: [UInt8] = []
    private var known: ContentDigest?

    package init(_ path: String) throws {
        self.path = path
        descriptor = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, "create")
    }

    package func add(_ bytes: UnsafeRawBufferPointer) throws {
        if first.count < 4 { first += bytes.prefix(4 - first.count) }
        hash.add(bytes)
        size += bytes.count
        try descriptor.write(bytes, to: path)
    }

    /// Takes over a file whose content was checked as it came, by its name: on the same disk, nothing is written or read twice.
    func take(_ file: String) throws {
        known = file.split(separator: "/").last.flatMap { ContentDigest(hex: String($0)) }
        size = Files.size(file)
        guard rename(file, path) == 0 else { throw FileError("rename to", path, errno: errno) }
    }

    package func digest() -> ContentDigest { known ?? hash.finish() }

    /// What a layer with this beginning is. (RFC 1952, RFC 8878)
    package var layerType: String {
        if first.starts(with: [0x1F, 0x8B]) { return "\(ImageManifest.layerType)+gzip" }
        if first == [0x28, 0xB5, 0x2F, 0xFD] { return "\(ImageManifest.layerType)+zstd" }
        return ImageManifest.layerType
    }
}

import Host
import Runtime

/// An OCI image layout in a directory, as skopeo, buildah and others write it. (opencontainers/image-spec image-layout.md)
package struct LayoutDirectory: ImageArchive {
    package let name: String
    /// It is ours, on the store's disk, and goes when it has been read; skopeo has checked what each file is, by its name.
    private let isOwn: Bool

    package init(_ path: String) { (name, isOwn) = (path, false) }
    init(own path: String) { (name, isOwn) = (path, true) }

    private func place(_ path: String) -> String { "\(name)/\(path)" }

    package func has(_ path: String) -> Bool { Files.exists(place(path)) && !Files.isDirectory(place(path)) }

    package func content(_ path: String) throws -> [UInt8]? {
        guard has(path) else { return nil }
        guard Files.size(place(path)) <= mostOfDocument else { throw ImageError("\(place(path)) is too large for what it is to be") }
        return try Files.read(place(path))
    }

    package func copy(_ paths: Set<String>, to target: (String) throws -> BlobFile, done: (String, BlobFile) throws -> Void) throws {
        for path in paths.sorted() where has(path) {
            let blob = try target(path)
            if isOwn { try blob.take(place(path)) } else { try Files.readEach(place(path)) { try blob.add($0) } }
            try done(path, blob)
        }
    }
}

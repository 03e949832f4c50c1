import Glibc
import Runtime

/// An OCI image layout in a directory, as skopeo, buildah and others write it. (opencontainers/image-spec image-layout.md)
package struct LayoutDirectory: ImageArchive {
    package let name: String

    package init(_ path: String) { name = path }

    private func place(_ path: String) -> String { "\(name)/\(path)" }

    package func has(_ path: String) -> Bool { Files.exists(place(path)) && !Files.isDirectory(place(path)) }

    package func content(_ path: String) throws -> [UInt8]? {
        guard has(path) else { return nil }
        guard Files.size(place(path)) <= mostOfDocument else { throw ImageError("\(place(path)) is too large for what it is to be") }
        return try Files.read(place(path))
    }

    package func copy(_ paths: Set<String>, to target: (String) throws -> BlobFile, done: (String, BlobFile) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        for path in paths.sorted() where has(path) {
            let file = open(place(path), O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { throw FileError("open", place(path), errno: errno) }
            defer { close(file) }
            let blob = try target(path)
            while true {
                let n = read(file, &buffer, buffer.count)
                if n < 0, errno == EINTR { continue }
                guard n >= 0 else { throw FileError("read", place(path), errno: errno) }
                if n == 0 { break }
                try buffer.withUnsafeBytes { try blob.add(UnsafeRawBufferPointer(rebasing: $0[..<n])) }
            }
            try done(path, blob)
        }
    }
}

import CArchive
import Glibc
import Runtime

/// Images in a tar, plain or compressed: what `docker save`, `podman save` and `skopeo copy` write. Read by libarchive.
package struct TarArchive: ImageArchive {
    package let name: String
    private let path: String
    /// Its files; a link's place is its target's.
    private let files: [String: String]
    /// Small files, which the manifests are among.
    private let small: [String: [UInt8]]
    private static let mostOfSmall = 64 << 10, mostOfAllSmall = 32 << 20

    /// Looks through the tar at `path`, which people know as `name`.
    package init(_ path: String, name: String? = nil) throws {
        self.path = path
        self.name = name ?? path
        var files: [String: String] = [:], links: [String: String] = [:], small: [String: [UInt8]] = [:], all = 0
        try Self.each(path, self.name) { archive, entry, file in
            let size = Int(archive_entry_size(entry))
            if let link = archive_entry_hardlink(entry) {
                links[file] = Self.clean(String(cString: link))
            } else if archive_entry_filetype(entry) == S_IFLNK, let link = archive_entry_symlink(entry) {
                let parent = file.lastIndex(of: "/").map { "\(file[..<$0])/" } ?? ""
                links[file] = Self.clean(parent + String(cString: link))
            } else if archive_entry_filetype(entry) == S_IFREG {
                files[file] = file
                guard size <= Self.mostOfSmall, all + size <= Self.mostOfAllSmall else { return true }
                var bytes: [UInt8] = []
                try Self.read(archive, name ?? path) { bytes += $0 }
                small[file] = bytes
                all += bytes.count
            }
            return true
        }
        for (link, target) in links {
            var end = target
            for _ in 0..<8 { if let next = links[end] { end = next } }
            if files[end] != nil { files[link] = end }
        }
        (self.files, self.small) = (files, small)
    }

    package func has(_ path: String) -> Bool { files[path] != nil }

    package func content(_ path: String) throws -> [UInt8]? {
        guard let place = files[path] else { return nil }
        if let bytes = small[place] { return bytes }
        var bytes: [UInt8] = []
        try Self.each(self.path, name) { archive, _, file in
            guard file == place else { return true }
            try Self.read(archive, name) { piece in
                bytes += piece
                guard bytes.count <= mostOfDocument else { throw ImageError("\(path) in \(name) is too large for what it is to be") }
            }
            return false
        }
        return bytes
    }

    package func copy(_ paths: Set<String>, to target: (String) throws -> BlobFile, done: (String, BlobFile) throws -> Void) throws {
        var wanted: [String: String] = [:]
        for path in paths { if let place = files[path] { wanted[place] = path } }
        guard !wanted.isEmpty else { return }
        let asked = Set(wanted.values)
        try Self.each(self.path, name) { archive, _, file in
            guard let path = wanted.removeValue(forKey: file) else { return true }
            let blob = try target(path)
            try Self.read(archive, name) { try blob.add($0) }
            try done(path, blob)
            return !wanted.isEmpty
        }
        // Links to what has been copied under another name: a layer that comes twice in an old archive of docker's.
        try copy(paths.subtracting(asked), to: target, done: done)
    }

    /// Calls `body` for each entry until it says no.
    private static func each(_ path: String, _ name: String, _ body: (OpaquePointer, OpaquePointer, String) throws -> Bool) throws {
        guard let archive = archive_read_new() else { throw ImageError("no memory to read \(name)") }
        defer { archive_read_free(archive) }
        archive_read_support_filter_gzip(archive)
        archive_read_support_filter_zstd(archive)
        archive_read_support_filter_xz(archive)
        archive_read_support_filter_bzip2(archive)
        archive_read_support_format_tar(archive)
        guard archive_read_open_filename(archive, path, 1 << 18) == ARCHIVE_OK else { throw damaged(archive, name) }
        while true {
            var entry: OpaquePointer?
            let result = archive_read_next_header(archive, &entry)
            if result == ARCHIVE_EOF { return }
            guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry else { throw damaged(archive, name) }
            guard let text = archive_entry_pathname(entry) else { continue }
            if try !body(archive, entry, clean(String(cString: text))) { return }
        }
    }

    private static func read(_ archive: OpaquePointer, _ name: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try ArchiveEntry.read(archive, orElse: damaged(archive, name), body)
    }

    /// A name as a manifest writes it: without `./` before it and without ways up.
    private static func clean(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." { if part == ".." { _ = parts.popLast() } else { parts.append(part) } }
        return parts.joined(separator: "/")
    }

    private static func damaged(_ archive: OpaquePointer, _ name: String) -> ImageError {
        let reason = archive_error_string(archive).map { String(cString: $0) } ?? "no reason given"
        return ImageError("\(name) cannot be read: it is damaged, cut short or no tar (\(reason))", hint: "save the image again")
    }
}

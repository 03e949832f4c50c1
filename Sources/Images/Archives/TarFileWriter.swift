import CArchive
import Glibc
import Host
import Runtime

/// A tar on its way to a descriptor, written by libarchive. The same files make the same bytes: nothing tells when, or by whom.
final class TarFileWriter {
    private let archive: OpaquePointer
    private let name: String

    /// `name`: what to call it to people.
    init(_ output: Int32, name: String) throws {
        guard let archive = archive_write_new() else { throw ImageError("no memory to write \(name)") }
        (self.archive, self.name) = (archive, name)
        archive_write_set_format_pax_restricted(archive)
        archive_write_set_bytes_in_last_block(archive, 1)
        try check(archive_write_open_fd(archive, output))
    }

    deinit { archive_write_free(archive) }

    func add(_ path: String, _ bytes: [UInt8]) throws {
        try begin(path, size: bytes.count)
        try bytes.withUnsafeBytes { try write($0) }
    }

    /// A file of content `digest`, which is looked at on the way: what a disk has changed is found here.
    func add(_ path: String, file: String, _ digest: ContentDigest) throws {
        try begin(path, size: Files.size(file))
        let hash = RunningDigest()
        try Files.readEach(file) { piece in
            hash.add(piece)
            try write(piece)
        }
        guard hash.finish() == digest else {
            throw ImageError("its content \(digest) is damaged on this machine's disk", hint: "load or pull the image again")
        }
    }

    func finish() throws { try check(archive_write_close(archive)) }

    private func begin(_ path: String, size: Int) throws {
        guard let entry = archive_entry_new() else { throw ImageError("no memory to write \(name)") }
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, path)
        archive_entry_set_filetype(entry, S_IFREG as mode_t)
        archive_entry_set_perm(entry, 0o644)
        archive_entry_set_mtime(entry, 0, 0)
        archive_entry_set_size(entry, Int64(size))
        try check(archive_write_header(archive, entry))
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let n = archive_write_data(archive, rest.baseAddress, rest.count)
            guard n > 0 else { throw failure() }
            rest = UnsafeRawBufferPointer(rebasing: rest[n...])
        }
    }

    private func check(_ result: Int32) throws { if result != ARCHIVE_OK, result != ARCHIVE_WARN { throw failure() } }

    private func failure() -> any Error {
        let code = archive_errno(archive)
        if code > 0 { return FileError("write", name, errno: code) }
        return ImageError("\(name) cannot be written: \(archive_error_string(archive).map { String(cString: $0) } ?? "no reason given")")
    }
}

import CArchive

/// The entry of an archive (libarchive) whose header was read last.
enum ArchiveEntry {
    /// Hands over its content, piece by piece; `damaged` is made when the archive does not go on.
    static func read(
        _ archive: OpaquePointer, orElse damaged: @autoclosure () -> ImageError, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        while true {
            var piece: UnsafeRawPointer?
            var length = 0
            var offset: Int64 = 0
            let result = archive_read_data_block(archive, &piece, &length, &offset)
            if result == ARCHIVE_EOF { return }
            guard result == ARCHIVE_OK else { throw damaged() }
            try body(UnsafeRawBufferPointer(start: piece, count: length))
        }
    }
}

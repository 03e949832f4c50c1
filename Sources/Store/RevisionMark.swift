import Glibc
import Host

/// The latest revision that was written, in a file of eight bytes. It is no part of the store: it tells a store that came back
/// from an older copy, or without its log of writes, from one that holds all there was.
final class RevisionMark: Sendable {
    private let file: Descriptor
    private let path: String

    init(path: String) throws {
        do { file = try Descriptor(opening: path, O_RDWR | O_CREAT, mode: 0o600) } catch { throw SQLiteError(description: "\(error)") }
        self.path = path
    }

    /// 0 when nothing has been written since the machine began.
    func read() throws -> Int {
        var value = 0
        let count = pread(file.number, &value, MemoryLayout<Int>.size, 0)
        guard count >= 0 else { throw SQLiteError(description: "read \(path): \(String(cString: strerror(errno)))") }
        return count == MemoryLayout<Int>.size ? value : 0
    }

    /// A mark that cannot be written stands lower than it could, which refuses nothing: no reason to fail a write that is done.
    func write(_ revision: Int) {
        var value = revision
        _ = pwrite(file.number, &value, MemoryLayout<Int>.size, 0)
    }
}

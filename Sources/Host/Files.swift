import CHost
import Glibc

/// A file operation that failed: what, on which path, and why.
package struct FileError: Error, CustomStringConvertible {
    package let operation: String
    package let path: String
    package let errno: Int32

    package init(_ operation: String, _ path: String, errno: Int32) {
        self.operation = operation
        self.path = path
        self.errno = errno
    }

    package var description: String { "\(operation) \(path): \(String(cString: strerror(errno)))" }
}

/// Files and directories, without surprises: errors name the path, removal of what is not there succeeds.
package enum Files {
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Whether what lies there is in memory alone (tmpfs or ramfs), and goes with the machine's next start.
    package static func isInMemory(_ path: String) -> Bool { host_is_memory(path) == 1 }

    package static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// Where a symbolic link leads; nil for what is none.
    package static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let n = readlink(path, &buffer, buffer.count)
        return n < 0 ? nil : String(decoding: buffer.prefix(n), as: UTF8.self)
    }

    package static func isLink(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
    }

    /// `mkdir -p`; the last directory gets `mode`.
    package static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(FileError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let cut = path.lastIndex(of: "/"), cut > path.startIndex else {
            throw FileError("make the directory", path, errno: errno)
        }
        try makeDirectory(String(path[..<cut]), mode: 0o755)
        if mkdir(path, mode) < 0, errno != EEXIST { throw FileError("make the directory", path, errno: errno) }
    }

    package static func read(_ path: String) throws(FileError) -> [UInt8] {
        try Descriptor(opening: path, O_RDONLY).readAll(path)
    }

    /// Hands on the bytes of a file piece by piece, however long it is.
    package static func readEach(_ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try Descriptor(opening: path, O_RDONLY).readEach(path, body)
    }

    /// 0 for what is not there.
    package static func size(_ path: String) -> Int {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : 0
    }

    /// The bytes of all files below a directory; one with several names counts once.
    package static func treeSize(_ path: String) -> Int {
        var seen: Set<ino_t> = []
        func size(_ path: String) -> Int {
            var info = stat()
            guard lstat(path, &info) == 0, seen.insert(info.st_ino).inserted else { return 0 }
            guard info.st_mode & S_IFMT == S_IFDIR else { return Int(info.st_size) }
            return list(path).reduce(0) { $0 + size("\(path)/\($1)") }
        }
        return size(path)
    }

    /// The end of a file, however long it is; empty for one that cannot be read.
    package static func last(_ count: Int, of path: String) -> [UInt8] {
        piece(of: path, at: max(0, size(path) - count), atMost: count)
    }

    /// So many bytes of a file; empty for one that cannot be read.
    package static func piece(of path: String, at offset: Int, atMost count: Int) -> [UInt8] {
        guard let file = try? Descriptor(opening: path, O_RDONLY) else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { room, filled in
            filled = max(0, pread(file.number, room.baseAddress, count, offset))
        }
    }

    /// A regular file's text in a tree that is not ours, as a process with that root would find it: its links lead nowhere else.
    package static func text(_ path: String, inRoot root: String) -> String? {
        (try? read(path, inRoot: root, atMost: 16 << 20)).map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    /// A regular file of such a tree, and its mode; `most` is the number of bytes that it may have.
    package static func read(_ path: String, inRoot root: String, atMost most: Int = .max) throws(FileError)
        -> (bytes: [UInt8], mode: mode_t)
    {
        let file = try Descriptor(host_read_in_root(root.isEmpty ? "/" : root, path), "open", root + path)
        var info = stat()
        guard fstat(file.number, &info) == 0 else { throw FileError("look at", root + path, errno: errno) }
        guard info.st_size <= most else { throw FileError("read", root + path, errno: EFBIG) }
        return (try file.readAll(root + path), info.st_mode)
    }

    package static func text(_ path: String) -> String? { (try? read(path)).map { String(decoding: $0, as: UTF8.self) } }

    /// Writes a whole file, or leaves what was there: a reader never sees half of it.
    package static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(FileError) {
        let temporary = "\(path).new"
        try create(bytes, at: temporary, mode: mode)
        guard rename(temporary, path) == 0 else { throw FileError("rename to", path, errno: errno) }
    }

    /// Writes a file where nobody looks yet: a reader might see half of it.
    package static func create(_ bytes: [UInt8], at path: String, mode: mode_t) throws(FileError) {
        let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode, "create")
        do { try file.write(bytes, to: path) } catch {
            unlink(path)
            throw error
        }
        fchmod(file.number, mode)
    }

    /// Adds to the end of a file, which is made where there is none.
    package static func append(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(FileError) {
        try Descriptor(opening: path, O_WRONLY | O_CREAT | O_APPEND, mode: mode).write(bytes, to: path)
    }

    /// Writes into a file of the kernel's, which takes all at once and says what it thinks of it.
    package static func tell(_ text: String, to path: String) throws(FileError) {
        try Descriptor(opening: path, O_WRONLY).write(Array(text.utf8), to: path, "write \"\(text)\" to")
    }

    /// Writes out what the file system of `path` has in memory. (syncfs(2))
    package static func sync(_ path: String) throws(FileError) {
        let result = host_sync(path)
        guard result == 0 else { throw FileError("write to the disk", path, errno: -result) }
    }

    package static func write(_ text: String, to path: String, mode: mode_t = 0o644) throws(FileError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    /// The names in a directory, sorted; none when it is not there.
    package static func list(_ path: String) -> [String] { list(path) { _ in true } }

    /// The names of the directories in a directory of the kernel's, which tells what each of its entries is.
    package static func directories(in path: String) -> [String] { list(path) { $0 == DT_DIR } }

    private static func list(_ path: String, _ isWanted: (Int) -> Bool) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != "..", isWanted(Int(entry.pointee.d_type)) { names.append(name) }
        }
        return names.sorted()
    }
}

import CSandbox
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
    package static func isInMemory(_ path: String) -> Bool { sandbox_is_memory(path) == 1 }

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
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw FileError("open", path, errno: errno) }
        defer { close(fd) }
        return try read(fd, path)
    }

    /// The rest of an open file. What /proc and /sys make up tells no size, so the room grows as it is filled.
    private static func read(_ fd: Int32, _ path: String) throws(FileError) -> [UInt8] {
        var info = stat()
        var bytes: [UInt8] = [], room = 1024
        if fstat(fd, &info) == 0, info.st_size > 0 { room = min(Int(info.st_size), 1 << 20) + 1 }
        while true {
            var problem: Int32 = 0, count = 0
            let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
                repeat { count = Glibc.read(fd, buffer.baseAddress, room) } while count < 0 && errno == EINTR
                if count < 0 { problem = errno }
                filled = max(0, count)
            }
            guard problem == 0 else { throw FileError("read", path, errno: problem) }
            if count == 0 { return bytes }
            if bytes.isEmpty { bytes = piece } else { bytes += piece }
            room = max(room, 65536)
        }
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
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return [] }
        defer { close(fd) }
        return [UInt8](unsafeUninitializedCapacity: count) { room, filled in
            filled = max(0, pread(fd, room.baseAddress, count, max(0, size(path) - count)))
        }
    }

    /// A regular file's text in a tree that is not ours, as a process with that root would find it: its links lead nowhere else.
    package static func text(_ path: String, inRoot root: String) -> String? {
        let fd = sandbox_read_in_root(root, path)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        return (try? read(fd, path)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A regular file of such a tree, and its mode.
    package static func read(_ path: String, inRoot root: String) throws(FileError) -> (bytes: [UInt8], mode: mode_t) {
        let fd = sandbox_read_in_root(root.isEmpty ? "/" : root, path)
        guard fd >= 0 else { throw FileError("open", root + path, errno: -fd) }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0 else { throw FileError("look at", root + path, errno: errno) }
        return (try read(fd, root + path), info.st_mode)
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
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard fd >= 0 else { throw FileError("create", path, errno: errno) }
        defer { close(fd) }
        do { try writeAll(bytes, to: fd, path) } catch {
            unlink(path)
            throw error
        }
        fchmod(fd, mode)
    }

    /// Adds to the end of a file, which is made where there is none.
    package static func append(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(FileError) {
        let fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode)
        guard fd >= 0 else { throw FileError("open", path, errno: errno) }
        defer { close(fd) }
        try writeAll(bytes, to: fd, path)
    }

    /// Writes all of it where a descriptor stands, which is the caller's. `path` is what an error calls it.
    package static func writeAll(_ bytes: [UInt8], to fd: Int32, _ path: String) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if n < 0, errno == EINTR { continue }
            guard n > 0 else { throw FileError("write", path, errno: errno) }
            rest = rest.dropFirst(n)
        }
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
